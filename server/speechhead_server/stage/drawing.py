"""Drawing: cores and devices shared by all stages, and each stage's few pictures that wait to be shown."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speechhead.core.clocks import FPS
from speechhead.core.errors import DeviceError, DeviceMemoryError
from speechhead.face.landmarks import Pose
from speechhead.generators.protocol import DeviceGenerator, Generator, PlanarGenerator
from speechhead.media.image import Picture
from speechhead.render.crops import batch_of
from speechhead.render.stream import Renderer

from .clock import FRAME, Clock
from .device import DeviceQueue, Wish
from .mark import Mark
from .pace import RETRY, followed
from .portrait import fills_picture, to_i420

log = logging.getLogger("speechhead.server")

Planar = NDArray[np.uint8]

AHEAD = (4, 12)
"""Frames that are moved before they are shown: at least, and at most on a machine that is slow."""

LONGEST = (AHEAD[1] - 1) / FPS
"""Seconds that drawing is ever thought to take: what is moved ahead leaves no time for more."""

FINISHING = 0.08
"""Seconds that finishing a device's picture is ever thought to take: a stall is over some time, and what is moved ahead
at least leaves so much."""

WAITING = 2
"""Pictures of one stage, beyond those moved ahead, that may wait for a core; more are left out at once.

A stall of some frames is made good by what was moved ahead; those that are past their time when their turn comes cost
nothing."""

GRACE = 0.6
"""Parts of a frame's time that a picture may be late and is still sent; then it is left out for the next one."""

KEPT = 3
"""Frames kept after they were shown."""


class Cancellable(Protocol):
    """What may be left out as long as it has not begun."""

    def cancel(self) -> object:
        """Leave it out."""


def on_device(generator: Generator) -> DeviceGenerator | None:
    """The generator, where its pictures are drawn several in one call; None on a CPU, whose cores draw one each."""
    return generator if isinstance(generator, DeviceGenerator) and batch_of(generator) > 1 else None


class Drawing:
    """Threads that draw, one per core: networks and OpenCV use the cores without holding the interpreter.

    What is drawn on a device, several pictures in one call, waits in the device's own queue; the cores finish it.
    """

    def __init__(self, workers: int | None = None, mark: Mark | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self._mark = mark
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="draw")
        self._queues: dict[str, DeviceQueue] = {}
        self._lock = threading.Lock()

    def easel(self, clock: Clock, renderer: Renderer) -> Easel:
        """Where the pictures of one stage are drawn."""
        generator = on_device(renderer.generator)
        if generator is None:
            return Easel(self, clock, renderer)
        return DeviceEasel(self, clock, renderer, generator, self.queue(generator.device))

    def queue(self, device: str) -> DeviceQueue:
        """The queue of a device, the one for all stages."""
        with self._lock:
            if device not in self._queues:
                self._queues[device] = DeviceQueue(device)
            return self._queues[device]

    @property
    def queues(self) -> list[DeviceQueue]:
        """The queues of all devices."""
        with self._lock:
            return list(self._queues.values())

    def try_out(self, renderer: Renderer) -> None:
        """Draw a picture of what is to be a further stage on its device; raises DeviceError where that fails."""
        generator = on_device(renderer.generator)
        if generator is not None:
            faces, poses = renderer.motion.snapshot().step(np.zeros((1, 70, 3), np.float32), np.zeros(0, np.float32))
            self.queue(generator.device).trial(generator, renderer.source, faces[0], poses[0])

    def marked(self, planar: Planar) -> Planar:
        """A picture with the mark that all have, if any."""
        return planar if self._mark is None else self._mark.lay(planar)

    def close(self) -> None:
        """Stop drawing."""
        for queue in self.queues:
            queue.close()
        self.pool.shutdown(wait=True, cancel_futures=True)


class Easel:
    """The pictures of one stage. A picture that is not ready at its time is left out; none is ever shown late.

    drawn, late: counts; cost: seconds of one core, or of the device, per picture; pace: seconds that drawing takes
    beside what else runs, latency: seconds from the wish to the picture, both of the slower ones; trouble: why the
    stage can not go on.
    """

    def __init__(self, drawing: Drawing, clock: Clock, renderer: Renderer) -> None:
        self._drawing, self._clock, self._renderer = drawing, clock, renderer
        renderer.paste = not fills_picture(renderer.avatar)
        self._lock = threading.Lock()
        self._ready: dict[int, Planar] = {}
        self._wanted: dict[int, tuple[object, Cancellable]] = {}
        self._last = drawing.marked(to_i420(renderer.avatar.picture))
        self._last_frame = -1
        self._closed = False
        self.watched = 0  # viewers; nothing is drawn for nobody
        self.drawn = self.late = 0
        self.cost = self.pace = self.latency = 0.03
        self._began = 0.0  # when the latest picture was
        self.trouble: DeviceError | None = None

    @property
    def ahead(self) -> int:
        """Frames to move before they are shown, so that they are drawn in time."""
        slowest = max(self.latency, self.pace)  # those that were left out at once took little, and say nothing
        return min(AHEAD[1], max(AHEAD[0], 1 + math.ceil(slowest * FPS + 0.25)))

    def draw(self, frame: int, face: Any, pose: Pose) -> None:
        """Draw a frame for its time, if anybody looks."""
        if not self.watched or self._closed:
            return
        if len(self._wanted) >= self.ahead + WAITING:
            return
        wish = object()  # a frame that is taken back and drawn anew is another wish
        with self._lock:
            self._wanted[frame] = wish, self._begin(frame, face, pose, wish)

    def _begin(self, frame: int, face: Any, pose: Pose, wish: object) -> Cancellable:
        return self._drawing.pool.submit(self._draw, frame, face, pose, wish, time.monotonic())

    def _draw(self, frame: int, face: Any, pose: Pose, wish: object, asked: float) -> None:
        # Nobody would see a picture that comes too late; drawing it all the same would make the next one late as well.
        left, began = self._clock.until((frame + GRACE) * FRAME), time.monotonic()
        stalled = began >= self._began + RETRY
        if self._closed or left < self.cost or (left < self.pace and not stalled):
            self._granted(frame, wish)
            self._took(time.monotonic() - asked)
            return
        begin, self._began = time.thread_time(), began
        try:
            planar = to_i420(self._renderer.draw(face, pose))
        except Exception:
            log.exception("drawing: frame %d failed and is left out", frame)
            self._granted(frame, wish)
            return
        self.cost += 0.05 * (time.thread_time() - begin - self.cost)
        took = min(time.monotonic() - began, LONGEST)
        self.pace = took if stalled and took < self.pace else followed(self.pace, took)
        self._took(time.monotonic() - asked)
        self._hang(frame, wish, planar)

    def _hang(self, frame: int, wish: object, planar: Planar) -> None:
        """Keep a picture for its time, if it is still wanted."""
        planar = self._drawing.marked(planar)
        if self._granted(frame, wish):
            with self._lock:
                self.drawn += 1
                self._ready[frame] = planar
                if frame > self._last_frame:
                    self._last, self._last_frame = planar, frame
                for old in [old for old in self._ready if old < self._clock.frame - KEPT]:
                    del self._ready[old]

    def _took(self, seconds: float) -> None:
        self.latency = followed(self.latency, seconds)

    def _granted(self, frame: int, wish: object) -> bool:
        """Whether a wish still stands, now that it is fulfilled."""
        with self._lock:
            if self._wanted.get(frame, (None,))[0] is not wish:
                return False
            del self._wanted[frame]
            return True

    def take_back(self, frame: int) -> None:
        """Forget this frame and all after it; they will be drawn anew."""
        with self._lock:
            for late in [number for number in self._wanted if number >= frame]:
                self._wanted.pop(late)[1].cancel()
            for late in [number for number in self._ready if number >= frame]:
                del self._ready[late]
            if self._last_frame >= frame:
                self._last_frame = frame - 1

    def get(self, frame: int) -> Planar | None:
        """Picture number `frame`, planar 4:2:0, or None while it is not there."""
        return self._ready.get(frame)

    @property
    def last(self) -> Planar:
        """The latest picture there is; the portrait itself at first."""
        return self._last

    def close(self) -> None:
        """Draw no more."""
        self._closed = True
        with self._lock:
            for _, begun in self._wanted.values():
                begun.cancel()
            self._wanted.clear()
            self._ready.clear()


class DeviceEasel(Easel):
    """The pictures of one stage whose networks are on a device, which draws those of other stages in the same call."""

    def __init__(
        self, drawing: Drawing, clock: Clock, renderer: Renderer, generator: DeviceGenerator, queue: DeviceQueue
    ) -> None:
        super().__init__(drawing, clock, renderer)
        self._generator, self._queue = generator, queue
        self._planar = isinstance(generator, PlanarGenerator) and not renderer.paste
        self._failures = 0
        self._finishing = 0.0  # seconds from the device's picture to the one that hangs there, of the slower ones
        queue.join(self, generator)

    def _begin(self, frame: int, face: Any, pose: Pose, wish: object) -> Cancellable:
        now = time.monotonic()
        due = now + self._clock.until((frame + GRACE) * FRAME) - self._finishing
        done = partial(self._drawn, frame, wish, now)
        source = self._renderer.source
        return self._queue.ask(Wish(self._generator, source, face, pose, due, done, self, self._planar, now))

    def _drawn(
        self, frame: int, wish: object, asked: float, picture: Picture | BaseException | None, seconds: float
    ) -> None:
        """Called from the device's thread, which has other things to do than to paste and to convert."""
        if picture is None or isinstance(picture, BaseException):
            self._granted(frame, wish)
            if picture is None:
                self._took(time.monotonic() - asked)
            else:
                self._failed(frame, picture)
            return
        self.cost += 0.05 * (seconds - self.cost)
        if self._planar:
            self._took(time.monotonic() - asked)
            self._hang(frame, wish, picture)
            return
        self._drawing.pool.submit(self._finish, frame, wish, asked, picture, time.monotonic())

    def _failed(self, frame: int, error: BaseException) -> None:
        self._failures += 1
        if self._failures == 1:  # all that follow will fail as well, 25 times a second
            about = None if isinstance(error, DeviceError) else error
            log.error("drawing: frame %d failed and is left out (%s).", frame, error, exc_info=about)

    def _finish(self, frame: int, wish: object, asked: float, picture: Picture, drawn: float) -> None:
        try:
            planar = to_i420(self._renderer.laid(picture))
        except Exception:
            log.exception("drawing: frame %d failed and is left out", frame)
            self._granted(frame, wish)
            return
        self._took(time.monotonic() - asked)
        self._hang(frame, wish, planar)
        self._finishing = followed(self._finishing, min(time.monotonic() - drawn, FINISHING))

    def give_way(self, error: DeviceMemoryError) -> None:
        """Stop: the device has no memory for all, and this stage came last."""
        self.trouble = error

    def close(self) -> None:
        """Draw no more."""
        super().close()
        self._queue.leave(self)
