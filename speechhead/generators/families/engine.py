"""A family on its device: what is read off pictures in full precision, frames drawn in the quickest one."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from speechhead.engines.running import Running, ran_out, within_memory
from speechhead.engines.steady import Steady
from speechhead.engines.torch import to_tensor
from speechhead.media.image import Picture

from .family import Appearance, Drawn, Family, Motion
from .full_resolution import Rest

Parts = dict[str, Tensor]
Finish = Callable[[Drawn, Parts], Tensor]
"""Of what a family draws, in float32, and what else is given for each frame, what leaves the device."""

APPEARANCE, SOURCE, DRIVING, BESIDE = "appearance.", "source.", "driving.", "beside."


class FamilyEngine:
    """The steps of a family, each in the precision that it needs.

    Keypoints, poses and what is read off a portrait once are float32; frames are drawn as `running` says.

    Parameters
    ----------
    model : family, which is moved to the device
    """

    def __init__(self, model: Family, running: Running) -> None:
        self.model, self.running = model, running
        self.lock = threading.RLock()
        self._drawings: weakref.WeakSet[FamilyDrawing] = weakref.WeakSet()
        running.place(model)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.running.device

    def appearance(self, pictures: list[Picture]) -> Appearance:
        """What does not change from frame to frame, of square pictures of the family's size; it stays on the device."""
        return self._read(self.model.appearance, pictures, "a portrait")

    def motion(self, pictures: list[Picture]) -> Motion:
        """Keypoints and pose of square pictures of the family's size."""
        return self._read(self.model.motion, pictures, f"{len(pictures)} pictures of a driver")

    def at_rest(self, appearance: Appearance, motion: Motion, portrait: Tensor) -> Rest:
        """What is drawn of a portrait [1, 3, S, S] that does not move, as its frames will be drawn."""
        with self.running.quick():
            return Rest.of(self.model, appearance, motion, portrait)

    def drawing(self, finish: Finish) -> FamilyDrawing:
        """Frames of this family that end in `finish`."""
        made = FamilyDrawing(self, finish)
        self._drawings.add(made)
        return made

    def within_memory(self, step: Callable[[], Tensor | Parts], what: str) -> Tensor | Parts:
        """The result of a step; DeviceMemoryError, with nothing held any more, where memory ends."""
        return within_memory(step, self.free, what, self.device)

    def free(self) -> None:
        """Let go of graphs and their buffers; they are made anew when they are needed."""
        for drawing in self._drawings:
            drawing.free()

    def _read(self, step: Callable[[Tensor], Parts], pictures: list[Picture], what: str) -> Parts:
        def run() -> Parts:
            with self.running.exact():
                return step(to_tensor(pictures, self.device))

        found = self.within_memory(run, what)
        assert isinstance(found, dict)
        return found


class FamilyDrawing:
    """Frames of a family from keypoints to what leaves the device, over and over for batches of few sizes."""

    def __init__(self, engine: FamilyEngine, finish: Finish) -> None:
        self._engine = engine
        # No method of this object: a cycle would hold a device's memory until it is collected.
        self._steady = Steady(partial(_draw, engine, finish), engine.running, engine.model.name)

    def __call__(self, appearance: Appearance, source: Motion, driving: Motion, beside: Parts | None = None) -> Tensor:
        """Finished frames of a batch, on the device.

        Parameters
        ----------
        appearance, source : of one portrait, or of one for each frame
        driving : of B frames
        beside : for `finish`, likewise

        Raises
        ------
        DeviceMemoryError where memory ends even for a single frame.
        """
        groups = {APPEARANCE: appearance, SOURCE: source, DRIVING: driving, BESIDE: beside or {}}
        parts = {group + key: value for group, some in groups.items() for key, value in some.items()}
        return self._halved(parts, len(driving["value"]))

    def free(self) -> None:
        """Let go of what graphs hold."""
        self._steady.free()

    def _halved(self, parts: Parts, count: int) -> Tensor:
        """All frames at once, or where they do not fit into memory, each half of them."""
        if count == 1:
            found = self._engine.within_memory(lambda: self._steady(parts, 1), "a frame")
            assert isinstance(found, Tensor)
            return found
        try:
            return self._steady(parts, count)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        self._engine.free()
        middle = count // 2
        halves = (slice(0, middle), middle), (slice(middle, count), count - middle)
        # Copies: a graph writes the second half where the first one is.
        return torch.cat([self._halved(_cut(parts, rows, count), some).clone() for rows, some in halves])


def _draw(engine: FamilyEngine, finish: Finish, parts: Parts) -> Tensor:
    """Finished frames of a batch whose tensors go by group and name."""

    def of(group: str) -> Parts:
        return {key.removeprefix(group): value for key, value in parts.items() if key.startswith(group)}

    with engine.running.quick():
        drawn = engine.model.draw(of(APPEARANCE), of(SOURCE), of(DRIVING))
    with torch.inference_mode():
        field = (None if part is None else part.float() for part in drawn[1:])
        return finish(Drawn(drawn.picture.float(), *field), of(BESIDE))


def _cut(parts: Parts, rows: slice, count: int) -> Parts:
    """Some of the frames; what is one for all stays so."""
    return {key: value[rows] if len(value) == count else value for key, value in parts.items()}
