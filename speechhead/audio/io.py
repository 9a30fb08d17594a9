"""Sound files of any container, rate and channel count to 16 kHz mono, and back to WAV."""

from __future__ import annotations

import os
import tempfile
import wave
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.logging
import numpy as np
from numpy.typing import NDArray

from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import AudioError
from speechhead.core.stand_ins import refuse_stand_in

Samples = NDArray[np.float32]

ROUNDING = 0.01
"""Seconds that a sound may be longer than is allowed: what fills a codec's last frame, and sums of durations."""

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


def load_audio(path: str | os.PathLike[str], sample_rate: int = SAMPLE_RATE, longest: float | None = None) -> Samples:
    """Read the sound of any audio or video file as mono.

    Channels are averaged, integer formats scaled to [-1, 1]; samples that are not numbers become
    silence, and a recording that exceeds full scale is scaled back to it. Damaged packets inside
    an otherwise readable file are skipped.

    Parameters
    ----------
    path : a file in any container and codec that libav reads
    sample_rate : Hz of the result
    longest : seconds; see `audio_pieces`

    Returns
    -------
    float32 [n], n > 0, in [-1, 1]

    Raises
    ------
    AudioError if the file is missing, a folder, damaged, without a sound track, of no length, or too long.
    """
    samples = np.concatenate([np.zeros(0, np.float32), *audio_pieces(path, sample_rate, longest)])
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
) -> Iterator[Samples]:
    """The sound of a file as mono float32 pieces, as they are decoded; not yet scaled back to full scale.

    Parameters
    ----------
    path, sample_rate : as of `load_audio`
    longest : seconds beyond which the file is refused: by what it states, or as soon as so much is decoded; any
        length if None
    formats : libav's names of the containers that may be opened; all if None

    Raises
    ------
    AudioError if the file can not be read, has no sound track, or is too long.
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
            stated = (container.duration or 0) / av.time_base
            if longest is not None and stated > longest:
                raise AudioError(f"{file}: {stated:.0f} s long (at most {longest:g} s). Cut it.")
            yield from _decode(container, sample_rate, float("inf") if longest is None else longest)
    except _TooLongError:
        raise AudioError(f"{file}: longer than {longest:g} s. Cut it.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        refuse_stand_in(file, AudioError)
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{file}: not readable as sound ({reason}). Convert it to WAV, MP3 or MP4.") from error


class _TooLongError(Exception):
    """More sound than is wanted."""


def _decode(container: av.container.InputContainer, sample_rate: int, longest: float) -> Iterator[Samples]:
    """Mono float32 pieces of the container's best sound track, `longest` seconds of it at most."""
    stream = container.streams.best("audio") or container.streams.audio[0]
    resampler, source = None, None
    seconds = 0.0
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
                if resampler is not None:
                    yield resampler.flush()
                source = (frame.sample_rate, frame.format.name, frame.layout.name)
                resampler = StreamResampler(frame.sample_rate, sample_rate)
            assert resampler is not None
            yield resampler.push(mono(frame))
    if resampler is not None:
        yield resampler.flush()


def mono(frame: av.AudioFrame) -> Samples:
    """Mean of a frame's channels, float32 in [-1, 1] for integer formats."""
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, len(frame.layout.channels)).T
    if data.dtype == np.uint8:
        return ((data.astype(np.float32) - 128) / 128).mean(axis=0, dtype=np.float32)
    if np.issubdtype(data.dtype, np.integer):
        return (data.astype(np.float64) / 2.0 ** (8 * data.dtype.itemsize - 1)).mean(axis=0).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        # A filter would smear one NaN over its whole length, so clean before resampling.
        mono = np.nan_to_num(data.astype(np.float64), nan=0, posinf=0, neginf=0).mean(axis=0)
        return np.clip(mono, -1e6, 1e6).astype(np.float32)


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
