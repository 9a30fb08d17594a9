"""The streaming heart: sound goes in, frames come out, the same for any chunking."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .avatar import Avatar, Generator
from .clocks import FPS, SAMPLES_PER_FRAME
from .errors import DeviceError, MediaError
from .face.landmarks import Pose, rotation_angles
from .image import Picture
from .motion.compose import Motion
from .motion.controls import Controls

if TYPE_CHECKING:
    from .speech2landmarks.model import Speech2Landmarks

Array = NDArray[np.float32]
T = TypeVar("T")

GENERATORS = ("compact",)
"""Generators that ship with the library, the default one first; families speak with weights that a user imported."""

ENGINES = ("auto", "onnx", "torch")

WORKERS = min(4, os.cpu_count() or 1)
"""Frames that are drawn at the same time."""


class SpeechStream(Protocol):
    """Speech to landmark motion for one speaker."""

    def push(self, samples: Array) -> Array:
        """Motion [k, 70, 3] that is ready after these samples [n]."""

    def flush(self) -> Array:
        """Motion of the last frames."""


class SpeechModel(Protocol):
    """What opens such a stream: `Speech2Landmarks`, or another network behind the same method."""

    def stream(self, neutral: Array | None = None, emotion: Mapping[str, float] | None = None) -> SpeechStream:
        """A stream for the speaker with these neutral landmarks [70, 3]."""


def open_generator(
    name: str = GENERATORS[0], size: int = 512, engine: str = "auto", device: str = "auto", threads: int | None = 1
) -> Generator:
    """A generator by name, for square crops of `size` pixels; its networks run in `threads` threads each.

    `name` is compact, or a published family or the name of weights that were imported.

    Raises
    ------
    WeightsError for an unknown family, or one without weights or without Landmarks2Latents here; DeviceError where it
    can not run on that engine or device.
    """
    if engine not in ENGINES:
        raise DeviceError(f"engine '{engine}' is unknown. Use one of {', '.join(ENGINES)}.")
    if name not in GENERATORS:
        return _open_family(name, size, engine, device)
    if engine == "torch":
        raise DeviceError(f"engine 'torch': generator '{name}' runs on onnxruntime. Use --engine onnx or auto.")
    from .engines.onnx import providers
    from .generators.compact import CompactGenerator

    providers(device)  # says so where there is no such device; the compact networks are small enough for any CPU
    return CompactGenerator.load(size=size, threads=threads)


def _open_family(name: str, size: int, engine: str, device: str) -> Generator:
    from .generators.registry import need_torch
    from .weights import find_generator

    find_generator(name)  # what is missing is said before torch is loaded
    need_torch(f"generator '{name}'")
    from .generators.driven import DrivenGenerator

    return DrivenGenerator.load(name, size, engine, device)


class Renderer:
    """A portrait that speaks what it hears.

    Feed sound with `push`, in chunks of any size, and take the frames; `flush` gives the last ones. All frames of
    n samples together are ceil(n / 16000 * fps), and the same for any chunking. Landmarks are worked out at once,
    pictures as the returned iterator is read, so a long chunk does not fill the memory with frames.

    Parameters
    ----------
    avatar : the portrait
    controls : emotion, blinks, gaze, head; see Controls
    generator : family instance made for `avatar.size`; the compact one if None
    speech2landmarks : network from sound to landmark motion; the shipped one if None
    paste : frames are the full portrait [H, W, 3]; else the face crop [S, S, 3]
    fps : frames per second given out, 1..60; landmarks move at 25 Hz and are interpolated in between

    Raises
    ------
    WeightsError if weights are missing; MediaError for an unusable fps.
    """

    def __init__(
        self,
        avatar: Avatar,
        controls: Controls | None = None,
        generator: Generator | None = None,
        speech2landmarks: SpeechModel | Speech2Landmarks | None = None,
        paste: bool = True,
        fps: float = FPS,
    ) -> None:
        self.avatar = avatar
        self.paste = paste
        self.generator = generator or open_generator(size=avatar.size)
        if speech2landmarks is None:
            from .speech2landmarks.model import Speech2Landmarks

            speech2landmarks = Speech2Landmarks.load()
        controls = controls or Controls()
        self.motion = Motion(avatar.neutral, avatar.pose, controls)
        self._model = speech2landmarks
        self._speech = self.open_stream()
        self._source = avatar.source(self.generator)
        self._clock = FrameClock(fps)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="draw")
        self._heard: Array = np.zeros(0, np.float32)  # sound of frames whose motion is still to come

    def push(self, samples: NDArray[np.float32]) -> Iterator[Picture]:
        """Hear float32 [n] at 16 kHz in [-1, 1]; iterate over the frames that are ready, uint8 RGB."""
        samples = np.asarray(samples, np.float32).reshape(-1)
        self._heard = np.concatenate([self._heard, samples])
        return self._pictures(*self._clock.push(*self._move(self._speech.push(samples))))

    def flush(self) -> Iterator[Picture]:
        """The frames that wait for sound to come, as if silence followed; more speech may follow."""
        moved = self._clock.push(*self._move(self._speech.flush()))
        last = self._clock.flush()
        return self._pictures(np.concatenate([moved[0], last[0]]), [*moved[1], *last[1]])

    def _move(self, motion: Array) -> tuple[Array, list[Pose]]:
        used = min(len(motion) * SAMPLES_PER_FRAME, len(self._heard))
        sound, self._heard = self._heard[:used], self._heard[used:]
        return self.motion.step(motion, sound)

    def _pictures(self, faces: Array, poses: Sequence[Pose]) -> Iterator[Picture]:
        return in_order(self._pool, self.draw, zip(faces, poses))

    def open_stream(self) -> SpeechStream:
        """A new stream of speech for this portrait, in its present emotion, apart from that of `push`."""
        return self._model.stream(self.motion.rest, dict(self.motion.controls.emotion))

    def draw(self, face: Array, pose: Pose) -> Picture:
        """The picture of landmarks [70, 3] in a pose; may be called from several threads."""
        frame = self.generator.render(self._source, face, pose)
        return self.avatar.paste(frame) if self.paste else frame


def in_order(pool: ThreadPoolExecutor, draw: Callable[..., T], items: Iterable[tuple[Any, ...]]) -> Iterator[T]:
    """Results of `draw(*item)` in order, a few worked on at a time as they are read.

    Whole frames in parallel use the cores better than the threads inside each small network.
    """
    waiting: deque[Future[T]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(draw, *item))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def check_fps(fps: float) -> float:
    """A usable frame rate, 1..60; MediaError otherwise."""
    if not 1 <= fps <= 60:
        raise MediaError(f"{fps:g} frames per second is not usable. Give 1 to 60.")
    return fps


class FrameClock:
    """Landmarks at 25 Hz to landmarks at another frame rate, linearly in between, streaming.

    Frame j of the output is at time j / fps; n frames in give ceil(n * fps / 25) frames out.

    Raises
    ------
    MediaError unless 1 <= fps <= 60.
    """

    def __init__(self, fps: float = FPS) -> None:
        self._step = FPS / check_fps(fps)
        self._start()

    def _start(self) -> None:
        self._in = self._out = 0
        self._last: tuple[Array, Pose] | None = None

    def push(self, faces: Array, poses: list[Pose]) -> tuple[Array, list[Pose]]:
        """Frames that are ready after these: landmarks [k, 70, 3] and their poses."""
        if self._step == 1:
            return faces, poses
        moved: list[tuple[Array, Pose]] = []
        for face, pose in zip(faces, poses):
            self._in += 1
            while self._out * self._step <= self._in - 1 + 1e-9:
                share = self._out * self._step - (self._in - 2)  # 0 at the last frame, 1 at this one
                moved.append((face, pose) if self._last is None else _between(self._last, (face, pose), share))
                self._out += 1
            self._last = face, pose
        return _stacked(moved, faces)

    def flush(self) -> tuple[Array, list[Pose]]:
        """The frames after the last landmarks, which hold."""
        moved: list[tuple[Array, Pose]] = []
        if self._last is not None:
            while self._out * self._step < self._in - 1e-9:
                moved.append(self._last)
                self._out += 1
            self._start()
        return _stacked(moved, np.zeros((0, 70, 3), np.float32))


def _stacked(moved: list[tuple[Array, Pose]], like: Array) -> tuple[Array, list[Pose]]:
    faces = np.stack([face for face, _ in moved]) if moved else np.zeros((0, *like.shape[1:]), np.float32)
    return faces, [pose for _, pose in moved]


def _between(before: tuple[Array, Pose], after: tuple[Array, Pose], share: float) -> tuple[Array, Pose]:
    (face0, pose0), (face1, pose1) = before, after
    angles0, angles1 = rotation_angles(pose0.rotation), rotation_angles(pose1.rotation)
    yaw, pitch, roll = (float(a) for a in angles0 + np.float32(share) * (angles1 - angles0))
    place = pose0.translation + np.float32(share) * (pose1.translation - pose0.translation)
    scale = pose0.scale + share * (pose1.scale - pose0.scale)
    return face0 + np.float32(share) * (face1 - face0), Pose.from_angles(yaw, pitch, roll, place, scale)
