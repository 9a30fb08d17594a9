"""From text or sound and a portrait to a finished video: the stages joined, each in its own time."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .avatar import Avatar, Generator, check_size, shipped
from .clocks import FPS, SAMPLE_RATE
from .errors import ControlError, SpeechSynthesisError
from .image import Picture
from .media import AUDIO_RATE, VideoWriter
from .motion.controls import Controls, parse_emotion
from .outputs import check_target
from .renderer import Renderer, SpeechModel, check_fps, open_generator

Array = NDArray[np.float32]
T = TypeVar("T")

Progress = Callable[[int, "int | None"], None]
"""Called with the frames done and, where it is known, their number."""

Portrait = str | Path | NDArray[Any] | Avatar | None

CHUNK = SAMPLE_RATE
"""Samples of a file that go through the pipeline at a time: a second."""

SOUND_SUFFIXES = [".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff"]
SOUND_SUFFIXES += [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"]
"""What ends like this is meant as a file, even where there is none."""

BACKGROUND = "speechhead background"
"""Name of the threads of `background`."""

log = logging.getLogger("speechhead")


@dataclass(frozen=True)
class Track:
    """Speech on its way into a video.

    pieces: pairs of sound at 16 kHz, which moves the face, and the same sound at `rate`, which is heard
    rate: samples per second of the second ones
    samples: at 16 kHz in all, where that is known
    """

    pieces: Iterable[tuple[Array, Array]]
    rate: int
    samples: int | None = None


def say(
    text_or_wav: str | Path,
    output: str | Path = "say.mp4",
    portrait: Portrait = None,
    voice: str | None = None,
    emotion: str | Mapping[str, float] | None = None,
    size: int = 512,
    fps: float = FPS,
    generator: str | Generator = "compact",
    engine: str = "auto",
    device: str = "auto",
    seed: int = 0,
    face: int | None = None,
    crop: bool = False,
    watermark: str | None = None,
    controls: Controls | None = None,
    speech2landmarks: SpeechModel | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make a portrait speak a text, or a recording, and write the video.

    Parameters
    ----------
    text_or_wav : text to speak, or the path of a sound or video file
    output : .mp4, .m4v, .mov or .mkv
    portrait : picture, saved avatar, name of a shipped one, or an Avatar; the default one if None
    voice : a name from `speechhead voices`; the one that suits the portrait if None
    emotion : 'happy', 'happy:0.7', a mix 'happy:0.5,surprised:0.3', or a mapping
    size : largest side of the face crop in pixels; with `crop` the side of the video
    fps : frames per second, 1..60
    generator, engine, device : see `open_generator`; a generator may be given ready made
    seed : of all random motion; equal seeds give equal videos
    face : number of the face in the picture, 1 for the largest
    crop : the video shows the face crop [size, size] instead of the full portrait
    watermark : text to draw into the corner of the video
    controls : everything else about motion; emotion and seed are then those in it
    speech2landmarks : network from sound to landmark motion; the shipped one if None
    progress : called after every frame

    Returns
    -------
    The path of the video.

    Raises
    ------
    SpeechheadError, in one line, for whatever is wrong with the input.
    """
    file = speech_file(text_or_wav)
    target = check_target(output, file, portrait, voice, generator)
    check_size(size)
    check_fps(fps)
    controls = controls or _controls(emotion, seed)
    track = file_track(file) if file else text_track(str(text_or_wav), _voices(portrait, voice))
    with background(track.pieces) as pieces:
        track = Track(pieces, track.rate, track.samples)
        avatar = _avatar(portrait, size, face, generator)
        if isinstance(generator, str):
            generator = open_generator(generator, avatar.size, engine, device)
        renderer = Renderer(avatar, controls, generator, speech2landmarks, fps=fps)
        return _write(renderer, track, target, fps, size if crop else None, watermark, progress)


def render(
    source: str | Path | NDArray[Any] | Avatar,
    audio: str | Path,
    output: str | Path,
    emotion: str | Mapping[str, float] | None = None,
    size: int | None = None,
    fps: float | None = None,
    generator: str | Generator = "compact",
    engine: str = "auto",
    device: str = "auto",
    seed: int = 0,
    face: int | None = None,
    crop: bool = False,
    watermark: str | None = None,
    controls: Controls | None = None,
    speech2landmarks: SpeechModel | None = None,
    progress: Progress | None = None,
) -> Path:
    """Lip-sync a portrait, or an existing video, to the sound of a file.

    A portrait comes alive as in `say`. A video keeps its head motion, its eyes, its resolution and its frame rate;
    only mouth and jaw are driven by the new sound. It is cut to the length of the sound, or played to and fro.

    Parameters
    ----------
    source : picture, avatar or video; audio : sound or video file
    size : as in `say`, 512 for a portrait if None; for a video the side of its face as it is
    fps : frames per second; 25 for a portrait, the video's own for a video if None
    others : as in `say`; face and crop are for portraits

    Raises
    ------
    SpeechheadError, in one line, for whatever is wrong with the input.
    """
    target = check_target(output, source, audio, generator)
    check_size(size or 512)
    check_fps(fps or FPS)
    controls = controls or _controls(emotion, seed)
    if not isinstance(source, Avatar | np.ndarray):
        from .redub import is_video, redub

        if is_video(source):
            if crop or face is not None:
                raise ControlError(f"{source}: face and crop are for pictures, and this is a video. Leave them out.")
            return redub(
                source,
                audio,
                target,
                controls,
                size=size,
                fps=fps,
                generator=generator,
                engine=engine,
                device=device,
                watermark=watermark,
                speech2landmarks=speech2landmarks,
                progress=progress,
            )
    track = file_track(audio)
    avatar = _avatar(source, size or 512, face, generator)
    if isinstance(generator, str):
        generator = open_generator(generator, avatar.size, engine, device)
    renderer = Renderer(avatar, controls, generator, speech2landmarks, fps=fps or FPS)
    return _write(renderer, track, target, fps or FPS, (size or 512) if crop else None, watermark, progress)


def speech_file(text_or_wav: str | Path) -> Path | None:
    """The file that is meant, or None where it is text: files that exist, and names that end like a sound's."""
    if isinstance(text_or_wav, Path):
        return text_or_wav
    text = text_or_wav.strip()
    if not text or len(text) > 1024 or "\n" in text or "\0" in text:
        return None
    path = Path(text_or_wav)
    try:
        if path.is_file():
            return path
    except OSError:  # too long for a file name
        return None
    return path if path.suffix.lower() in SOUND_SUFFIXES else None


def file_track(path: str | Path) -> Track:
    """The sound of a file: at 16 kHz for the face, at 48 kHz for the ear."""
    from .audio.io import load_audio

    heard, shown = load_audio(path), load_audio(path, AUDIO_RATE)
    ratio = AUDIO_RATE // SAMPLE_RATE
    starts = range(0, len(heard), CHUNK)
    pieces = ((heard[i : i + CHUNK], shown[i * ratio : (i + CHUNK) * ratio]) for i in starts)
    return Track(pieces, AUDIO_RATE, len(heard))


def text_track(text: str, names: tuple[str, ...]) -> Track:
    """A text spoken piece by piece by the first of the voices `names` that this machine has."""

    if not text.strip():
        raise SpeechSynthesisError("the text is empty. Give at least one word, or a sound file.")

    def pieces() -> Iterator[tuple[Array, Array]]:
        from .tts import open_voice, voices

        able = {voice.name for voice in voices() if voice.available}
        voice = open_voice(next((name for name in names if name in able), names[0]))
        for speech in voice.speak(text):
            yield speech.samples, speech.samples

    return Track(pieces(), SAMPLE_RATE)


@contextmanager
def background(items: Iterable[T], depth: int = 2) -> Iterator[Iterator[T]]:
    """Let an iterable run ahead in a thread, by at most `depth` items, so that stages overlap in bounded memory."""
    waiting: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                waiting.put((item, error), timeout=0.2)
                return

    def run() -> None:
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
        except BaseException as error:  # raised again in the thread that reads
            put(None, error)
        else:
            put(None, StopIteration())

    def read() -> Iterator[T]:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]

    thread = threading.Thread(target=run, name=BACKGROUND, daemon=True)
    thread.start()
    try:
        yield read()
    finally:
        stopped.set()
        # Python must not end while a thread is inside a network: that aborts the process. A service that does not
        # answer is not waited for.
        thread.join(10)


def _controls(emotion: str | Mapping[str, float] | None, seed: int) -> Controls:
    mix = parse_emotion(emotion) if isinstance(emotion, str) else emotion
    return Controls(emotion=mix or {}, seed=seed)


def _voices(portrait: Portrait, voice: str | None) -> tuple[str, ...]:
    """Voices to try in turn: the one asked for, or those that suit the portrait."""
    if voice is not None:
        return (voice,)
    if isinstance(portrait, Avatar):
        return portrait.voice or ("joe",)
    if isinstance(portrait, np.ndarray):
        return ("joe",)
    table = shipped()
    entry = table.get(str(portrait)) if portrait is not None else next(iter(table.values()))
    return entry.voices if entry else ("joe",)


def _avatar(portrait: Portrait, size: int, face: int | None, generator: str | Generator) -> Avatar:
    if isinstance(portrait, Avatar):
        return portrait
    if isinstance(portrait, np.ndarray):
        avatar = Avatar.from_image(portrait, size, face)
    else:
        avatar = Avatar.open(portrait, size, face)
    for note in avatar.notes:
        log.warning("%s", note)
    return avatar


def _write(
    renderer: Renderer,
    track: Track,
    target: Path,
    fps: float,
    crop: int | None,
    watermark: str | None,
    progress: Progress | None,
) -> Path:
    """Render a track into a video; `crop` is the side of a face crop, None for the full portrait."""
    avatar = renderer.avatar
    height, width = (crop, crop) if crop else avatar.picture.shape[:2]
    total = None if track.samples is None else int(np.ceil(np.ceil(track.samples * FPS / SAMPLE_RATE) * fps / FPS))
    renderer.paste = crop is None
    with VideoWriter(target, width, height, fps, track.rate, watermark) as writer:

        def moved() -> Iterator[tuple[Array | None, Iterator[Picture]]]:
            for heard, shown in track.pieces:
                for start in range(0, max(1, len(heard)), CHUNK):
                    yield (None if start else shown), renderer.push(heard[start : start + CHUNK])
            yield None, renderer.flush()

        # The landmarks of a chunk are worked out while the pictures of the one before are drawn and encoded.
        with background(moved(), depth=1) as chunks:
            for shown, frames in chunks:
                if shown is not None:
                    writer.write_audio(shown)
                for frame in frames:
                    writer.write(avatar.face(frame, crop) if crop else frame)
                    if progress:
                        progress(writer.frames, total)
    return target
