"""A video drives a portrait: head, eyes and mouth do what the driver's do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from speechhead.avatar.outputs import check_target
from speechhead.avatar.portrait import MAX_SIDE
from speechhead.avatar.shipped import shipped
from speechhead.core.errors import ControlError
from speechhead.engines.need import need_torch
from speechhead.face.crop import check_size
from speechhead.face.tracker import Face, FaceTracker
from speechhead.generators.open import check_engine
from speechhead.media.image import Picture, load_image
from speechhead.media.reader import VideoReader
from speechhead.media.writer import AUDIO_RATE, VideoWriter

from .clock import check_fps
from .driver import Start, _start, _tracks
from .puppets import CompactPuppet, Options, Puppet

log = logging.getLogger("speechhead")


def animate(
    source: str | Path,
    driver: str | Path,
    output: str | Path = "animate.mp4",
    generator: str = "compact",
    weights: str | Path | None = None,
    options: Options | None = None,
    size: int | None = None,
    fps: float | None = None,
    engine: str = "auto",
    device: str = "auto",
    audio: bool = True,
    crop: bool = False,
    face: int | None = None,
    batch: int | None = None,
    watermark: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Move a portrait as the person in a video moves, and write the video.

    Pictures stream through: the length of the driver does not matter to memory.

    Parameters
    ----------
    source : picture, or name of a shipped portrait; driver : video of one face
    output : .mp4, .m4v, .mov or .mkv
    generator : compact, or a family (fomm, face-vid2vid, dagan, liveportrait) or name with imported weights
    weights : weight file of the family; the imported one if None
    size : with `crop` the side of the video, its own if None; otherwise the largest side of the face crop
    fps : frames per second; the driver's own if None
    engine, device : auto, onnx or torch; auto, cpu or cuda
    audio : keep the driver's sound
    crop : the video shows the face crop instead of the full picture
    face : number of the face in the source, 1 for the largest
    batch : frames computed at once; by device if None
    progress : called after every frame with the frames done and, where it is known, their number

    Raises
    ------
    SpeechheadError, in one line, for whatever is wrong with the input.
    """
    target = check_target(output, source, driver, weights, generator)
    options = options or Options()
    if size is not None:
        check_size(size)
    if fps is not None:
        check_fps(fps)
    puppet: Puppet
    if options.whole and (options.find_best or generator == "compact"):
        other = "--find-best" if options.find_best else "generator compact"
        raise ControlError(f"--whole: {other} needs to find the faces. Leave one of them out.")
    if generator == "compact":
        if weights is not None:
            raise ControlError(f"{weights}: the compact generator has its own weights. Choose a family by --generator.")
        reader = VideoReader(driver, fps)
        start = _start(reader, str(driver))
        puppet = CompactPuppet(source, reader, start, options, size, engine, device, face)
    else:
        check_engine(engine)
        need_torch(f"generator '{generator}'")
        from speechhead.generators.checkpoints.open import open_model

        from .family_puppet import FamilyPuppet, check_options

        model = open_model(generator, weights, engine, device)
        check_options(model, options)
        reader = VideoReader(driver, fps)
        start = Start(0, next(reader.frames(0, 1))) if options.whole else _start(reader, str(driver))
        picture, found = _portrait(source, face, options.whole)
        crop |= options.whole
        puppet = FamilyPuppet(model, picture, found, reader, start, options, None if crop else size, batch)
    total, sounds = _tracks(reader)
    sound = None
    if audio and sounds:
        from speechhead.audio.io import load_audio

        sound = load_audio(driver, AUDIO_RATE)
    pictures = puppet.frames(reader.frames())
    shown = ((puppet.crop(frame, size) if crop else puppet.paste(frame)) for frame in pictures)
    first = next(shown)
    height, width = first.shape[:2]
    with VideoWriter(target, width, height, reader.fps, AUDIO_RATE if sound is not None else None, watermark) as writer:
        if sound is not None:
            writer.write_audio(sound)
        for frame in chain([first], shown):
            writer.write(frame)
            if progress:
                progress(writer.frames, total)
    return target


def _portrait(source: str | Path, face: int | None, whole: bool) -> tuple[Picture, Face | None]:
    """The source picture, its sides at most MAX_SIDE, and its face unless it is taken whole."""
    known = shipped()
    path = known[str(source)].path if str(source) in known and not Path(source).is_file() else Path(source)
    picture = load_image(path)
    factor = MAX_SIDE / max(picture.shape[:2])
    if factor < 1:
        height, width = (max(16, round(n * factor)) for n in picture.shape[:2])
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    if whole:
        return picture, None
    found = FaceTracker().locate(picture, face, str(source))
    if found.candidates > 1 and face is None:
        others = "2" if found.candidates == 2 else f"2 to {found.candidates}"
        log.warning(
            "%s: %d faces found, the largest is taken. Choose another with --face %s.", source, found.candidates, others
        )
    return picture, found
