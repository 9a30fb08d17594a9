"""A video drives a portrait: head, eyes and mouth do what the driver's do."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

from speechhead.avatar.face import PortraitFace, find_face
from speechhead.avatar.named import named_portraits
from speechhead.avatar.portrait import MAX_SIDE
from speechhead.core.errors import ControlError
from speechhead.core.options import DriveOptions, Progress, RenderOptions
from speechhead.core.threads import WORKERS, background, in_order
from speechhead.engines.need import need_torch
from speechhead.face.open import open_tracker
from speechhead.face.tracker import Face
from speechhead.media.formats import is_form, open_writer
from speechhead.media.h264 import H264
from speechhead.media.image import Picture, read_picture, scaled_down
from speechhead.media.reader import VideoReader
from speechhead.media.sound_coding import SoundCoding

from .compact_puppet import CompactPuppet
from .driver import Start, first_face, length_and_sound
from .puppet import Puppet

log = logging.getLogger("speechhead")

AHEAD = 4
"""Frames that the networks are ahead of what is pasted: on a GPU they come in batches."""


def follow(
    source: str | Path,
    driver: str | Path,
    target: Path,
    options: RenderOptions,
    drive: DriveOptions,
    progress: Progress | None = None,
) -> Path:
    """Write the video of a portrait that moves as the person in `driver`; see `speechhead.api.animate`.

    Pictures stream through: the length of the driver does not matter to memory. Decoding, networks, pasting and
    encoding run beside each other, and the file is the same as if they did not.
    """
    if drive.whole:
        options = replace(options, crop=True)
    if options.generator == "compact":
        puppet, reader = _compact(source, driver, options, drive)
    else:
        planar = not is_form(target) and options.watermark is None
        puppet, reader = _family(source, driver, options, drive, planar)
    total, sounds = length_and_sound(reader)
    audio = None
    if drive.audio and sounds:
        from speechhead.audio.ear import EarSound

        audio = EarSound.of(driver)
    with (
        ThreadPoolExecutor(WORKERS, thread_name_prefix="finish") as pool,
        background(puppet.frames(reader.frames()), depth=AHEAD) as frames,
    ):
        pictures = in_order(pool, puppet.finish, ((frame,) for frame in frames))
        first = next(pictures)
        height, width = first.shape[0] * 2 // 3 if first.ndim == 2 else first.shape[0], first.shape[1]
        coding = SoundCoding.of("mp4", audio.layout, audio.rate, False) if audio is not None else None
        rate, layout = (coding.rate, coding.layout) if coding is not None else (None, "mono")
        sound = audio.pieces(rate, layout) if audio is not None else iter(())
        heard = 0
        h264 = None if is_form(target) else H264.chosen(options.encoder, puppet.device, (width, height))
        form = options.watermark, False, layout, h264
        with open_writer(target, (width, height), reader.fps, rate, *form) as writer:
            for picture in chain([first], pictures):
                writer.write(picture)
                due = (writer.frames + 1) / reader.fps
                while rate and heard < due * rate and (piece := next(sound, None)) is not None:
                    writer.write_audio(piece)
                    heard += piece.shape[1]
                if progress:
                    progress(writer.frames, total)
    return target


def _compact(
    source: str | Path, driver: str | Path, options: RenderOptions, drive: DriveOptions
) -> tuple[Puppet, VideoReader]:
    if drive.whole:
        raise ControlError("--whole: generator compact needs to find the faces. Leave one of them out.")
    if drive.weights is not None:
        weights = drive.weights
        raise ControlError(f"{weights}: the compact generator has its own weights. Choose a family by --generator.")
    reader = VideoReader(driver, options.fps)
    return CompactPuppet(source, reader, first_face(reader, options.landmarks), options, drive), reader


def _family(
    source: str | Path, driver: str | Path, options: RenderOptions, drive: DriveOptions, planar: bool
) -> tuple[Puppet, VideoReader]:
    name = options.generator
    if not isinstance(name, str):
        raise ControlError("a ready-made generator can not follow a video. Give the name of a family.")
    if drive.whole and options.face is not None:
        raise ControlError(f"--whole: no face is looked for, so --face {options.face} can not be. Leave one out.")
    _check_weights(name, drive.weights)
    need_torch(f"generator '{name}'")
    from speechhead.engines.running import Running
    from speechhead.generators.checkpoints.open import open_running
    from speechhead.generators.families.engine import FamilyEngine

    from .family_puppet import FamilyPuppet, check_options

    running = None if options.engine == "onnx" else Running.of(options.device, options.precision, options.graph)
    model, running = open_running(name, drive.weights, options.engine, running, options.device)
    check_options(model, drive)
    reader = VideoReader(driver, options.fps)
    start = Start(0, next(reader.frames(0, 1))) if drive.whole else first_face(reader, options.landmarks)
    portrait = _portrait(source, options, drive.whole)
    return FamilyPuppet(FamilyEngine(model, running), portrait, reader, start, options, drive, planar), reader


def _check_weights(name: str, given: str | Path | None) -> None:
    """Refuse unknown families and missing weights, before torch is asked for."""
    from speechhead.core.weights import read_metadata
    from speechhead.generators.checkpoints.imported import find_generator
    from speechhead.generators.families.registry import canonical

    if given is not None:
        canonical(name)
    read_metadata(find_generator(name) if given is None else given)


def _portrait(source: str | Path, options: RenderOptions, whole: bool) -> tuple[Picture, Face | None]:
    """The source picture, its sides at most MAX_SIDE, and its face unless it is taken whole."""
    known = named_portraits()
    path = known[str(source)].path if str(source) in known and not Path(source).is_file() else Path(source)
    picture, notes = read_picture(path)
    factor = MAX_SIDE / max(picture.shape[:2])
    if factor < 1:
        picture = scaled_down(picture, factor)
    found = None if whole else _found(picture, source, options)
    for note in (*notes, *(found.notes if found else ())):
        log.warning("%s", note)
    return (found.picture, found.face) if found else (picture, None)


def _found(picture: Picture, source: str | Path, options: RenderOptions) -> PortraitFace:
    return find_face(picture, open_tracker(options.landmarks, options.device), options.face_number, str(source))
