"""Sound files of any container, rate and channel count to 16 kHz mono, and back to WAV."""

from __future__ import annotations

import os
import tempfile
import wave
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.logging
import numpy as np
from numpy.typing import NDArray

from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import AudioError
from speechhead.core.stand_ins import refuse_stand_in

from .downmix import DownMix, alike

Samples = NDArray[np.float32]

ROUNDING = 0.01
"""Seconds that a sound may be longer than is allowed: what fills a codec's last frame, and sums of durations."""

LATEST = 600.0
"""Seconds by which sound may start later or earlier than its picture; more is a broken clock, and is left alone."""

# libav otherwise writes its own lines to stderr beside our one-line errors; a level would hang decoder threads.
av.logging.set_level(None)


class StreamResampler:
    """Sample-rate conversion of a mono stream; any chunking gives the samples of the whole.

    libswresample's polyphase filter keeps its state between chunks. The output has exactly
    ceil(n * to_rate / from_rate) samples for n samples in, and no delay.

    Parameters
    ----------
    from_rate, to_rate : Hz, positive
    """

    def __init__(self, from_rate: int, to_rate: int = SAMPLE_RATE) -> None:
        if from_rate <= 0 or to_rate <= 0:
            raise AudioError(f"sample rate {min(from_rate, to_rate)} Hz is not positive. Give the recording's rate.")
        self.from_rate, self.to_rate = int(from_rate), int(to_rate)
        self._swr = av.AudioResampler(format="flt", layout="mono", rate=self.to_rate)
        self._in = self._out = 0

    def push(self, samples: Samples) -> Samples:
        """Convert float32 [n]; returns the float32 samples that are ready."""
        samples = np.ascontiguousarray(samples, dtype=np.float32).reshape(-1)
        if self.from_rate == self.to_rate or not len(samples):
            return samples.copy()
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = self.from_rate
        frame.time_base = Fraction(1, self.from_rate)
        frame.pts = self._in
        self._in += len(samples)
        return self._take(frame)

    def flush(self) -> Samples:
        """The samples still inside the filter; the resampler then starts anew."""
        if not self._in:
            return np.zeros(0, np.float32)
        due = -(-self._in * self.to_rate // self.from_rate) - self._out
        rest = self._take(None)[:due]
        self.__init__(self.from_rate, self.to_rate)  # type: ignore[misc]
        return np.pad(rest, (0, due - len(rest)))

    def _take(self, frame: av.AudioFrame | None) -> Samples:
        parts = [out.to_ndarray().reshape(-1) for out in self._swr.resample(frame)]
        ready = np.concatenate(parts).astype(np.float32, copy=False) if parts else np.zeros(0, np.float32)
        self._out += len(ready)
        return ready


def resample(samples: Samples, from_rate: int, to_rate: int = SAMPLE_RATE) -> Samples:
    """Convert float32 [n] from one rate (Hz) to another: float32 [ceil(n * to / from)]."""
    resampler = StreamResampler(from_rate, to_rate)
    return np.concatenate([resampler.push(samples), resampler.flush()])


def load_audio(
    path: str | os.PathLike[str],
    sample_rate: int = SAMPLE_RATE,
    longest: float | None = None,
    speaker: int | None = None,
) -> Samples:
    """Read the sound of any audio or video file as mono.

    Channels are mixed so that a voice keeps its level (`DownMix`), and sound that starts later or earlier than the
    picture of its file stays in time with it. Integer formats are scaled to [-1, 1]; samples that are not numbers
    become silence, and a recording that exceeds full scale is scaled back to it. Damaged packets inside
    an otherwise readable file are skipped.

    Parameters
    ----------
    path : a file in any container and codec that libav reads
    sample_rate : Hz of the result
    longest : seconds; see `audio_pieces`
    speaker : the one channel that is read, from 1; all if None

    Returns
    -------
    float32 [n], n > 0, in [-1, 1]

    Raises
    ------
    AudioError if the file is missing, a folder, damaged, without a sound track, of no length, or too long.
    """
    samples = np.concatenate([np.zeros(0, np.float32), *audio_pieces(path, sample_rate, longest, speaker=speaker)])
    if not len(samples):
        raise AudioError(f"{path}: the sound has 0 samples. Give a recording of some length.")
    finite = np.isfinite(samples)
    if not finite.any():
        raise AudioError(f"{path}: no sample is a number (all NaN or infinite). Export the recording again.")
    if not finite.all():
        samples = np.where(finite, samples, np.float32(0))
    peak = float(np.abs(samples).max())
    return samples / np.float32(peak) if peak > 1 else samples


def audio_pieces(
    path: str | os.PathLike[str],
    sample_rate: int = SAMPLE_RATE,
    longest: float | None = None,
    formats: Iterable[str] | None = None,
    speaker: int | None = None,
) -> Iterator[Samples]:
    """The sound of a file as mono float32 pieces, as they are decoded; not yet scaled back to full scale.

    Parameters
    ----------
    path, sample_rate : as of `load_audio`
    longest : seconds beyond which the file is refused: by what it states, or as soon as so much is decoded; any
        length if None
    formats : libav's names of the containers that may be opened; all if None
    speaker : as of `load_audio`

    Raises
    ------
    AudioError if the file can not be read, has no sound track, no such speaker, or is too long.
    """
    most = float("inf") if longest is None else longest
    try:
        with open_sound(path, formats) as (container, stream):
            stated = (container.duration or 0) / av.time_base
            if stated > most:
                raise AudioError(f"{path}: {stated:.0f} s long (at most {longest:g} s). Cut it.")
            count = stream.codec_context.layout.nb_channels
            if speaker is not None and not (speaker <= count and count > 1):
                has = "has one channel" if count == 1 else f"has {count} channels"
                raise AudioError(f"{path}: speaker {speaker}, but the sound {has}. Record one speaker on each channel.")
            sound = _decode(container, stream, sample_rate, most, speaker)
            yield from _in_time(sound, lateness(container, stream), sample_rate)
    except _TooLongError:
        raise AudioError(f"{path}: longer than {longest:g} s. Cut it.") from None


@contextmanager
def open_sound(path: str | os.PathLike[str], formats: Iterable[str] | None = None) -> Iterator[tuple[Any, Any]]:
    """A file and its best sound track, for as long as they are read.

    Parameters
    ----------
    formats : as of `audio_pieces`

    Raises
    ------
    AudioError if the file can not be read, then or later, or has no sound track.
    """
    file = Path(path)
    if file.is_dir():
        raise AudioError(f"{file}: is a folder. Give a sound or video file.")
    if not file.exists():
        raise AudioError(f"{file}: no such file. Check the path.")
    if file.is_file() and not os.access(file, os.R_OK):
        raise AudioError(f"{file}: not readable (permission denied). Check the file's permissions.")
    options = {} if formats is None else {"format_whitelist": ",".join(formats)}
    try:
        with av.open(f"file:{file}", options=options, metadata_errors="ignore") as container:
            if not container.streams.audio:
                kind = "this video has no sound track" if container.streams.video else "there is no sound in this file"
                if container.format.name.endswith("_pipe") or container.format.name in ("image2", "gif"):
                    kind = "this is a picture, without sound"
                raise AudioError(f"{file}: {kind}. Give a file with sound.")
            yield container, container.streams.best("audio") or container.streams.audio[0]
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        refuse_stand_in(file, AudioError)
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{file}: not readable as sound ({reason}). Convert it to WAV, MP3 or MP4.") from error


class _TooLongError(Exception):
    """More sound than is wanted."""


def lateness(container: av.container.InputContainer, stream: av.AudioStream) -> float:
    """Seconds by which a sound track starts later than its file's picture, below 0 for earlier; 0 without a picture."""
    still = av.stream.Disposition.attached_pic  # the cover of an album
    videos = [video for video in container.streams.video if not video.disposition & still]
    starts = [_start(each) for each in (stream, *videos[:1])]
    if len(starts) < 2 or None in starts:
        return 0.0
    late = float(starts[0] or 0.0) - float(starts[1] or 0.0)
    return late if abs(late) <= LATEST else 0.0


def _start(stream: Any) -> float | None:
    """Seconds at which a track starts on its file's clock, None where that is not known."""
    return None if stream.start_time is None else float(stream.start_time * stream.time_base)


def _in_time(pieces: Iterable[Samples], late: float, sample_rate: int) -> Iterator[Samples]:
    """Sound with silence before it where it starts late, its beginning cut off where it starts early."""
    gap = round(late * sample_rate)
    for at in range(0, gap, sample_rate):
        yield np.zeros(min(sample_rate, gap - at), np.float32)
    early = max(0, -gap)
    for piece in pieces:
        if early < len(piece):
            yield piece[early:]
        early = max(0, early - len(piece))


def _decode(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    sample_rate: int,
    longest: float,
    speaker: int | None = None,
) -> Iterator[Samples]:
    """Mono float32 pieces of a container's sound track, `longest` seconds of it at most."""
    mixer, resampler, source = None, None, None
    seconds = 0.0

    def rest() -> Iterator[Samples]:
        if mixer is not None and resampler is not None:
            yield resampler.push(mixer.flush())
            yield resampler.flush()

    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in frames:
            assert isinstance(frame, av.AudioFrame)
            seconds += frame.samples / max(1, frame.sample_rate)
            if seconds > longest + ROUNDING:  # before it is converted: a frame at 1 Hz is an hour at 16 kHz
                raise _TooLongError
            if source != (frame.sample_rate, frame.format.name, frame.layout.name):  # may change inside a file
                yield from rest()
                source = (frame.sample_rate, frame.format.name, frame.layout.name)
                names = [channel.name for channel in frame.layout.channels]
                mixer = DownMix(frame.sample_rate, names, speaker if speaker is None else min(speaker, len(names)))
                resampler = StreamResampler(frame.sample_rate, sample_rate)
            assert mixer is not None and resampler is not None
            yield resampler.push(mixer.push(channels_of(frame)))
    yield from rest()


def channels_of(frame: av.AudioFrame) -> Samples:
    """A frame's channels, float32 [channels, n], in [-1, 1] for integer formats; what is no number is silence."""
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, len(frame.layout.channels)).T
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - np.float32(128)) / np.float32(128)
    if np.issubdtype(data.dtype, np.integer):
        return (data / 2.0 ** (8 * data.dtype.itemsize - 1)).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        # A filter would smear one NaN over its whole length, so clean before resampling.
        return np.clip(np.nan_to_num(data, nan=0, posinf=0, neginf=0), -1e6, 1e6).astype(np.float32)


def mono(frame: av.AudioFrame) -> Samples:
    """Mean of a frame's channels, float32 in [-1, 1] for integer formats."""
    averaged: Samples = channels_of(frame).mean(axis=0, dtype=np.float64).astype(np.float32)
    return averaged


def separate_channels(path: str | os.PathLike[str], seconds: float = 60.0) -> bool:
    """Whether a file's sound has two channels that carry different sounds, as two speakers do, in its first seconds.

    Raises
    ------
    AudioError as `load_audio`, or for a file that has fewer channels.
    """
    both = []
    for speaker in (1, 2):
        parts: list[Samples] = []
        for piece in audio_pieces(path, 8000, speaker=speaker):
            parts.append(piece)
            if sum(map(len, parts)) > 8000 * seconds:
                break
        both.append(np.concatenate([np.zeros(0, np.float32), *parts]))
    return not alike(np.stack(both))


def save_wav(path: str | os.PathLike[str], samples: Samples, sample_rate: int = SAMPLE_RATE) -> Path:
    """Write float32 [n] in [-1, 1] as 16-bit mono WAV; the file appears only when it is complete.

    Raises
    ------
    AudioError if it can not be written (folder missing, no permission, disk full).
    """
    file = Path(path)
    pcm = (np.clip(np.nan_to_num(samples), -1, 1) * 32767).round().astype("<i2")
    part: str | None = None
    try:
        handle, part = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        with os.fdopen(handle, "wb") as raw, wave.open(raw, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(sample_rate)
            out.writeframes(pcm.tobytes())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(part, 0o666 & ~umask)  # mkstemp makes private files
        os.replace(part, file)
    except OSError as error:
        if part and os.path.exists(part):
            os.unlink(part)
        reason = error.strerror or type(error).__name__
        raise AudioError(f"{file}: can not be written ({reason}). Choose another folder or free some space.") from error
    return file
