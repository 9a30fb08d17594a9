"""Drawing: cores and devices shared by all stages, and each stage's few pictures that wait to be shown."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import sys
import threading
import time
import weakref
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

TOGETHER = 2
"""Frames that are moved at once where no pictures are drawn."""

LONGEST = 2.0
"""Seconds that drawing is ever thought to take; of what takes longer than is moved ahead, every picture is late."""

FILLED = 0.95
"""Part of the cores' time in which pictures are begun where they can not draw all: what is begun waits for nothing."""

FINISHING = 0.08
"""Seconds that finishing a device's picture is ever thought to take: a stall is over some time, and what is moved ahead
at least leaves so much."""

WAITING = 2
"""Pictures of one stage, beyond those moved ahead, that may wait for a core; of more the oldest is left out at once.

A stall of some frames is made good by what was moved ahead; those that are past their time when their turn comes cost
nothing."""

GRACE = 0.6
"""Parts of a frame's time that a picture may be late and is still sent; then it is left out for the next one."""

BEHIND = 5
"""Steps of priority by which what draws is behind what sends, moves and speaks, and before a voice that has time."""

KEPT = 3
"""Frames kept after they were shown."""

LATE = 0.5
"""Part of the age of what is seen that a picture may have and is still shown: at 25 pictures a second none may be late,
at five one of 80 ms."""

USUAL = (0.1, 0.25)
"""How quickly the mean of what drawing takes follows what took longer, and what took less: a stall is soon over."""


class Cancellable(Protocol):
    """What may be left out as long as it has not begun."""

    def cancel(self) -> bool | None:
        """Leave it out; true only if it was."""


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
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="draw", initializer=_step_back)
        self._queues: dict[str, DeviceQueue] = {}
        self._easels: weakref.WeakSet[Easel] = weakref.WeakSet()
        self._lock = threading.Lock()

    @property
    def sharing(self) -> float:
        """Stages that somebody looks at, and which the cores draw, for each of the cores that draw."""
        with self._lock:
            return sum(easel.busy for easel in self._easels) / self.workers

    def easel(self, clock: Clock, renderer: Renderer) -> Easel:
        """Where the pictures of one stage are drawn."""
        generator = on_device(renderer.generator)
        if generator is None:
            made = Easel(self, clock, renderer)
            with self._lock:
                self._easels.add(made)
            return made
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


def _step_back() -> None:
    """Let packets, sound and motion go before pictures where cores are short; a thread of its own on Linux alone."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + BEHIND)


class Easel:
    """The pictures of one stage. A picture that is not ready at its time is left out, or is shown late where that is
    far newer than what is seen.

    drawn, late: counts; cost: seconds of one core, or of the device, per picture; pace: seconds that drawing takes
    beside what else runs, latency: seconds from the wish to the picture, both of the slower ones; stride: frames from
    one picture to the next, so that the cores draw all that are begun; trouble: why the stage can not go on.
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
        self.stride = 1.0
        self._usual = 0.03  # seconds that drawing takes, in the mean
        self._turn = 0.0  # the first frame that is to be drawn next
        self._drew = 0.0  # when the latest picture was begun or finished
        self.trouble: DeviceError | None = None

    @property
    def busy(self) -> bool:
        """Whether anybody looks."""
        return self.watched > 0 and not self._closed

    @property
    def ahead(self) -> int:
        """Frames to move before they are shown, so that they are drawn in time."""
        slowest = max(self.latency, self.pace)  # those that were left out at once took little, and say nothing
        return min(AHEAD[1], max(AHEAD[0], 1 + math.ceil(slowest * FPS + 0.25)))

    def together(self, frame: int) -> int:
        """Frames to move one after another from this one on, at the time of the last: the second takes half as long,
        and motion is told by twos anyway; a picture needs the time that is left."""
        return 1 if self.watched else TOGETHER - frame % TOGETHER

    def draw(self, frame: int, face: Any, pose: Pose) -> None:
        """Draw a frame for its time, if anybody looks."""
        if not self.busy:
            return
        if len(self._wanted) >= self.ahead + WAITING and not self._made_way():
            return
        wish = object()  # a frame that is taken back and drawn anew is another wish
        with self._lock:
            self._wanted[frame] = wish, self._begin(frame, face, pose, wish)

    def _made_way(self) -> bool:
        """Leave out the oldest of those that wait, if that can be."""
        with self._lock:
            left_out = next((frame for frame in sorted(self._wanted) if self._wanted[frame][1].cancel()), None)
            return left_out is not None and self._wanted.pop(left_out) is not None

    def _begin(self, frame: int, face: Any, pose: Pose, wish: object) -> Cancellable:
        return self._drawing.pool.submit(self._draw, frame, face, pose, wish, time.monotonic())

    def _draw(self, frame: int, face: Any, pose: Pose, wish: object, asked: float) -> None:
        began = time.monotonic()
        stalled = began >= self._drew + RETRY
        if not self._chosen(frame, stalled):
            self._granted(frame, wish)
            self._took(time.monotonic() - asked)
            return
        begin, self._drew = time.thread_time(), began
        self.stride = max(1.0, self._usual * FPS * self._drawing.sharing / FILLED)
        self._turn = max(self._turn, frame - 1) + self.stride
        try:
            planar = to_i420(self._renderer.draw(face, pose))
        except Exception:
            log.exception("drawing: frame %d failed and is left out", frame)
            self._granted(frame, wish)
            return
        self.cost += 0.05 * (time.thread_time() - begin - self.cost)
        self._drew = time.monotonic()
        took = min(self._drew - began, LONGEST)
        self._usual += USUAL[took < self._usual] * (took - self._usual)
        self.pace = took if stalled and took < self.pace else followed(self.pace, took)
        self._took(time.monotonic() - asked)
        self._hang(frame, wish, planar)

    def _chosen(self, frame: int, stalled: bool) -> bool:
        """Whether a picture is worth to be begun now: nobody would see one that comes too late, and the next one would
        be late as well."""
        left = self._clock.until((frame + GRACE) * FRAME)
        if self._closed or frame < self._turn:
            return False
        if left >= self.pace or (stalled and left >= self.cost):
            return True
        with self._lock:
            newest = all(other <= frame for other in self._wanted)
        # The one that is seen meanwhile gets older than this one will be.
        return newest and self._newer(frame, self._clock.frame + self.pace * FPS, self._last_frame)

    @staticmethod
    def _newer(frame: int, now: float, seen: int) -> bool:
        """Whether a picture after its time is so much newer than what is seen that it is worth to be seen late."""
        return frame > seen and now - frame <= LATE * (now - seen)

    def _hang(self, frame: int, wish: object, planar: Planar) -> None:
        """Keep a picture for its time, if it is still wanted."""
        planar = self._drawing.marked(planar)
        if self._granted(frame, wish):
            with self._lock:
                self.drawn += 1
                self._ready[frame] = planar
                if frame > self._last_frame:
                    self._last, self._last_frame = planar, frame
                for old in sorted(old for old in self._ready if old < self._clock.frame - KEPT)[:-1]:
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
            self._turn = min(self._turn, frame)

    def get(self, frame: int) -> Planar | None:
        """Picture number `frame`, planar 4:2:0, or None while it is not there."""
        return self._ready.get(frame)

    def belated(self, frame: int, seen: int) -> tuple[int, Planar] | None:
        """What may be shown at the time of `frame`, whose own picture is not there, and the number of the frame that it
        was drawn for: the newest one that came late, where it is much newer than that of frame `seen`."""
        with self._lock:
            number = max((number for number in self._ready if number < frame), default=-1)
            return (number, self._ready[number]) if self._newer(number, frame, seen) else None

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
