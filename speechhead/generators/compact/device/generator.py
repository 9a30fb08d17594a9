"""The compact generator on a device: frames of several portraits in one call, all their pixels drawn by torch."""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.arrays import Array
from speechhead.core.stages import stage
from speechhead.engines.planes import BT601, i420
from speechhead.engines.running import Running, ran_out, within_memory
from speechhead.engines.steady import Steady
from speechhead.face.landmarks import Pose
from speechhead.generators.compact.eyes import closures, held_open, steadied
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.latents import deepened
from speechhead.media.image import Picture

from .eye_moment import eye_rows
from .flow import matte
from .frames import NUMBERS, Batch, BatchRows, Parts
from .moment import Driven, frame_rows
from .networks import window_painters
from .picture import Plan, drawn, planned, unmarked, uploaded
from .portrait import HeldSource, hold

Rows = tuple[list[BatchRows], list[BatchRows], list[BatchRows]]
"""Of the frames of a batch, of their eyeballs and of their lids."""

MOST = 6
"""Plans whose graphs are kept, the ones used last."""


class CompactOnDevice(CompactGenerator):
    """As `CompactGenerator`, and the same pictures but for what OpenCV rounds.

    A portrait is prepared on the CPU and uploaded once. Of a frame the CPU works out where things lie, a few thousand
    numbers, with the functions that the CPU form has; the device draws (docs/architecture.md).

    Parameters
    ----------
    size : side of the square crops; threads : of each network that prepares portraits
    running : how pictures are drawn; `dtype` is that of the window networks, all else is float32
    """

    batched = True
    """A device is filled by one call; several at once would only wait for each other."""

    def __init__(self, size: int = 512, threads: int | None = None, running: Running | None = None) -> None:
        super().__init__(size, threads)
        self.running = running or Running.of(precision="fp32")
        self._painters = window_painters(self.running.device)
        for painter in self._painters.values():
            self.running.place(painter)
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.RLock()
        self._plan: Plan | None = None
        self._steady: OrderedDict[tuple[Plan, bool], Steady] = OrderedDict()

    @property
    def device(self) -> str:
        """Where pictures are drawn."""
        return str(self.running.device)

    def sized(self, size: int) -> CompactOnDevice:
        """The same networks for square crops of another size."""
        other = copy.copy(self)
        other.size = size
        other._forget()  # graphs are of one size
        return other

    def prepare(self, crop: NDArray[np.uint8], mesh: Array) -> HeldSource:
        """Everything about a portrait that does not change from frame to frame, on the device; see the CPU form.

        Raises
        ------
        DeviceMemoryError where the device has no room for it.
        """
        source = super().prepare(crop, mesh)
        device = self.running.device
        return within_memory(lambda: hold(source, device), self._free, "a portrait", device)

    def render(self, source: Source, normalised: Array, pose: Pose) -> Picture:
        """One frame, see the CPU form."""
        return self.render_many([source], normalised[None], [pose])[0]

    def render_with_matte(self, source: Source, normalised: Array, pose: Pose) -> tuple[Picture, NDArray[np.uint8]]:
        """One frame as `render` gives it, and how much of each pixel is the person: uint8 [S, S], 255 for all."""
        rows = self._rows([source], normalised[None], [pose])
        plan = planned(*rows, self.size)

        def step() -> tuple[Tensor, Tensor]:
            with self.running.exact():
                parts = uploaded(plan, *rows, self.running.device)
                frames, moves = drawn(parts, plan, self._painters)
                return _bytes(frames)[0], matte(Batch(parts, plan.frames, self.size), moves)[0].round().byte()

        frame, alpha = within_memory(step, self._free, "a frame", self.running.device)
        return frame.cpu().numpy(), alpha.cpu().numpy()

    def render_many(self, sources: Sequence[Source], normalised: Array, poses: Sequence[Pose]) -> list[Picture]:
        """Frames [S, S, 3], one for each source, landmarks [N, 70, 3] and pose.

        Raises
        ------
        DeviceMemoryError where memory ends even for one frame; what the call held is free again.
        """
        return list(self._made(sources, normalised, poses, False))

    def render_planar(
        self, sources: Sequence[Source], normalised: Array, poses: Sequence[Pose]
    ) -> list[NDArray[np.uint8]]:
        """As `render_many`, each frame planar 4:2:0 [S * 3 / 2, S] of BT.601, made on the device; S is even."""
        return list(self._made(sources, normalised, poses, True))

    def _made(
        self, sources: Sequence[Source], normalised: Array, poses: Sequence[Pose], planar: bool
    ) -> NDArray[np.uint8]:
        if not len(sources):
            return np.zeros((0, self.size, self.size, 3), np.uint8)

        def step() -> NDArray[np.uint8]:
            return self._batch(self._rows(sources, normalised, poses), planar)

        if len(sources) == 1:
            return within_memory(step, self._free, "a frame", self.running.device)
        try:
            return step()
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        self._free()
        middle = len(sources) // 2
        halves = (slice(0, middle), slice(middle, None))
        return np.concatenate([self._made(sources[half], normalised[half], poses[half], planar) for half in halves])

    def _batch(self, rows: Rows, planar: bool) -> NDArray[np.uint8]:
        """Frames of rows, uint8 [B, S, S, 3], or planar [B, S * 3 / 2, S]."""
        plan = planned(*rows, self.size)
        if self.running.graph == "none":
            return self._finished(uploaded(plan, *rows, self.running.device), plan, planar).cpu().numpy()
        with self._lock:  # a graph writes into memory of its own
            plan = self._plan = plan if self._plan is None else self._plan.grown(plan)
            with stage("networks"):
                parts = uploaded(plan, *rows, self.running.device)
                return self._recorded(plan, planar)(parts, len(parts[NUMBERS])).cpu().numpy()

    def _recorded(self, plan: Plan, planar: bool) -> Callable[[Parts, int], Tensor]:
        found = self._steady.get((plan, planar))
        if found is None:
            found = Steady(lambda parts: self._finished(parts, plan, planar), self.running, self.family)
            self._steady[plan, planar] = found
            while len(self._steady) > MOST:
                self._steady.popitem(last=False)[1].free()
        self._steady.move_to_end((plan, planar))
        return found

    def _finished(self, parts: Parts, plan: Plan, planar: bool) -> Tensor:
        mark = stage if self.running.graph == "none" else unmarked
        with self.running.exact():
            made = _bytes(drawn(parts, plan, self._painters, mark)[0])
            return i420(made, BT601, averaged=False) if planar else made

    def _free(self) -> None:
        for steady in self._steady.values():
            steady.free()

    def _rows(self, sources: Sequence[Source], normalised: Array, poses: Sequence[Pose]) -> Rows:
        rows: Rows = [], [], []
        for source in {id(source): cast(HeldSource, source) for source in sources}.values():
            frames = [number for number, other in enumerate(sources) if other is source]
            driven = self._driven(source, normalised, poses, frames)
            for some, more in zip(rows, ([frame_rows(source, driven)], *eye_rows(source, driven))):
                some += more
        return rows

    def _driven(self, source: Source, normalised: Array, poses: Sequence[Pose], frames: Sequence[int]) -> Driven:
        """What drives frames of one portrait; landmarks and poses are those of all frames."""
        own = source.landmarks
        faces = steadied(own, np.stack([normalised[number] for number in frames]), source.lids)
        closed = closures(own, faces, source.lids)
        faces = deepened(held_open(own, faces, closed), own, source.rest_width, source.inside.overgrown)
        with stage("latents"):
            keypoints = self._latents.keypoints(faces, source.canonical)
        return Driven(keypoints, closed, [poses[number] for number in frames], self.size, frames)


def _bytes(frames: Tensor) -> Tensor:
    """Frames [B, 3, S, S] in 0..255 as uint8 [B, S, S, 3]."""
    return frames.clamp(0, 255).round().byte().permute(0, 2, 3, 1).contiguous()
