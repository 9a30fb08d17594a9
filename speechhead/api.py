"""What a program calls: a portrait says a text, or a picture or a video speaks a recording."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.outputs import check_target
from speechhead.avatar.portrait import Avatar
from speechhead.avatar.shipped import shipped
from speechhead.core.clocks import FPS
from speechhead.core.controls import Controls, parse_emotion
from speechhead.core.errors import ControlError
from speechhead.core.options import Progress
from speechhead.core.threads import background
from speechhead.face.crop import check_size
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.render.clock import check_fps
from speechhead.render.speak import Portrait, _write
from speechhead.render.stream import Renderer
from speechhead.render.track import Track, file_track, speech_file, text_track
from speechhead.speech.protocol import SpeechModel

log = logging.getLogger("speechhead")


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
        from speechhead.render.redub import is_video, redub

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
