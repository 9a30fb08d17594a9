"""A video drives a portrait: head, eyes and mouth do what the driver's do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from .avatar import MAX_SIDE, Avatar, check_size, shipped
from .errors import ControlError, DeviceError, FaceError
from .face.landmarks import Pose, from_mesh, remove_pose
from .face.tracker import Face, FaceTracker
from .generators.registry import need_torch
from .image import Picture, load_image
from .media import AUDIO_RATE, VideoReader, VideoWriter
from .motion.rest import rest_face
from .outputs import check_target
from .renderer import ENGINES, WORKERS, check_fps, in_order, open_generator

Array = NDArray[np.float32]

SEARCH_SECONDS = 3.0
"""How long into the driver its face may first appear."""

BATCH = {"cpu": 1, "cuda": 16}
"""Frames that go through a family's networks at once."""

log = logging.getLogger("speechhead")


@dataclass(frozen=True)
class Options:
    """How the driver moves the portrait.

    relative : its motion since the first frame (or the best one) is put on the portrait; otherwise its own keypoints
        are taken over, and with them the shape of its face
    adapt_scale : relative motion is scaled to the size of the portrait's face
    yaw, pitch, roll : degrees by which the portrait's head is turned on top (free view)
    find_best : relative motion starts from the frame whose face is most like the portrait's, not from the first
    whole : source and driver are square face crops already, as the papers' demonstrations take them: their middle
        squares are used as they are, no face is looked for, and the video shows the square
    extra : further options of a family's `transfer`, such as LivePortrait's region
    """

    relative: bool = True
    adapt_scale: bool = True
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    find_best: bool = False
    whole: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("yaw", self.yaw), ("pitch", self.pitch), ("roll", self.roll)):
            if not -90 <= value <= 90:
                raise ControlError(f"{name} {value:g} is not usable. Give -90 to 90 degrees.")
        multiplier = self.extra.get("multiplier", 1.0)
        if not 0 <= multiplier <= 5:
            raise ControlError(f"multiplier {multiplier:g} is not usable. Give 0 to 5.")

    @property
    def turned(self) -> bool:
        """Whether a free view is asked for."""
        return any((self.yaw, self.pitch, self.roll))


class Puppet(Protocol):
    """A portrait that follows the driver."""

    picture: Picture
    """What frames are pasted into, sides even."""

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Any]:
        """One generated crop [S, S, 3] for every picture of the driver."""

    def paste(self, frame: Any) -> Picture:
        """The full picture with such a crop in its place."""

    def crop(self, frame: Any, size: int | None) -> Picture:
        """The crop alone at `size` pixels, or at its own size, even."""


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
        from .engines.torch import open_model
        from .puppets import FamilyPuppet, check_options

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
        from .audio.io import load_audio

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


@dataclass(frozen=True)
class Start:
    """Where relative motion begins. number: of the driver's frame; picture: the frame; face: in it, if looked for."""

    number: int
    picture: Picture
    face: Face | None = None


def _start(reader: VideoReader, name: str) -> Start:
    """The driver's first frame that shows a face."""
    tracker = FaceTracker()
    last = max(1, round(SEARCH_SECONDS * reader.fps))
    for number, picture in enumerate(islice(reader.frames(0, last), last)):
        found = tracker.faces(picture)
        if found:
            return Start(number, picture, found[0])
    raise FaceError(f"{name}: no face found in the first {SEARCH_SECONDS:g} s. Use a video that starts with a face.")


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


def _tracks(reader: VideoReader) -> tuple[int | None, bool]:
    """Frames of a video, where that is known, and whether it has sound."""
    import av

    with av.open(str(reader.path)) as container:
        stream = container.streams.video[0]
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
        return (round(seconds * reader.fps) if seconds else None), bool(container.streams.audio)


def best_start(reader: VideoReader, neutral: Array, pose: Pose) -> Start | None:
    """The frame whose face is most like a portrait's: landmarks in the plane, centre and size removed, as the papers'
    demonstrations choose it.

    Parameters
    ----------
    neutral, pose : float32 [70, 3], the portrait's normalised landmarks, and its head pose
    """

    def flat(landmarks: Array) -> Array:
        points = landmarks[:68, :2] - landmarks[:68, :2].mean(0)
        return points / np.sqrt(max(1e-6, float(cv2.contourArea(cv2.convexHull(points.astype(np.float32))))))

    wanted = flat(neutral @ pose.rotation.T)
    best, least = None, np.inf
    for number, (picture, face) in enumerate(_tracked(reader.frames())):
        if face is not None:
            distance = float(((flat(face.landmarks) - wanted) ** 2).sum())
            if distance < least:
                best, least = Start(number, picture, face), distance
    return best


def _tracked(pictures: Iterable[Picture], smooth: bool = False) -> Iterator[tuple[Picture, Face | None]]:
    """Pictures with their faces, holding only a few."""
    seen: list[Picture] = []

    def remembered() -> Iterator[Picture]:
        for picture in pictures:
            seen.append(picture)
            yield picture

    for face in FaceTracker(smooth=smooth).track(remembered()):
        yield seen.pop(0), face


class CompactPuppet:
    """The default family, driven by landmarks: the tracker's, carried over to the portrait's proportions."""

    def __init__(
        self,
        source: str | Path,
        reader: VideoReader,
        start: Start,
        options: Options,
        size: int | None,
        engine: str,
        device: str,
        face: int | None,
    ) -> None:
        if options.extra:
            raise ControlError(f"option '{next(iter(options.extra))}' is unknown to compact. Leave it out.")
        self.avatar = Avatar.open(source, size or 512, face)
        for note in self.avatar.notes:
            log.warning("%s", note)
        self.picture = self.avatar.picture
        self.generator = open_generator("compact", self.avatar.size, engine, device)
        self.options = options
        if options.find_best:
            start = best_start(reader, self.avatar.neutral, self.avatar.pose) or start
        assert start.face is not None
        shapes, poses = remove_pose(start.face.landmarks[None])
        self._first, self._first_rest = poses[0], rest_face(shapes[0])
        self._rest = rest_face(self.avatar.neutral)

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        source = self.avatar.source(self.generator)
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="draw") as pool:
            yield from in_order(pool, lambda *motion: self.generator.render(source, *motion), self._motions(pictures))

    def _motions(self, pictures: Iterable[Picture]) -> Iterator[tuple[Array, Pose]]:
        """Landmarks and pose of the portrait; where the driver's face is lost, they hold."""
        last = self._carried(self._first_rest, self._first)
        for _, face in _tracked(pictures, smooth=True):
            if face is not None:
                shapes, poses = remove_pose(from_mesh(face.mesh)[None])
                last = self._carried(shapes[0], poses[0])
            yield last

    def _carried(self, shape: Array, pose: Pose) -> tuple[Array, Pose]:
        """The driver's landmarks [70, 3] and pose as the portrait's, in crop pixels.

        Relative: the motion away from the driver's rest face is added to the portrait's, R = R_d R_0^T R_s, and the
        head goes as far as the driver's, measured in its own size. Absolute: the driver's face and rotation.
        """
        options, own, first = self.options, self.avatar.pose, self._first
        grown = pose.scale / first.scale
        adapted = own.scale / first.scale if options.adapt_scale else 1.0
        way = (pose.translation - first.translation) * np.float32(adapted)
        rotation = pose.rotation
        if options.relative:
            shape = self._rest + shape - self._first_rest
            rotation = pose.rotation @ first.rotation.T @ own.rotation
        yaw, pitch, roll = Pose(rotation, own.translation, 1.0).angles
        turned = (yaw + options.yaw, pitch + options.pitch, roll + options.roll)
        return shape, Pose.from_angles(*turned, own.translation + way, own.scale * grown)

    def paste(self, frame: Picture) -> Picture:
        return self.avatar.paste(frame)

    def crop(self, frame: Picture, size: int | None) -> Picture:
        return self.avatar.face(frame, size or self.avatar.size // 2 * 2)


def check_engine(engine: str) -> str:
    """A known engine's name; DeviceError otherwise."""
    if engine not in ENGINES:
        raise DeviceError(f"engine '{engine}' is unknown. Use one of {', '.join(ENGINES)}.")
    return engine
