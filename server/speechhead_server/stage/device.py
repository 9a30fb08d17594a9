"""A device that draws for all sessions: several pictures in one call, the one that is due first before the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.core.errors import DeviceError, DeviceMemoryError
from speechhead.face.landmarks import Pose
from speechhead.generators.protocol import DeviceGenerator
from speechhead.media.image import Picture

from .pace import RETRY, followed

log = logging.getLogger("speechhead.server")

COMPANY = 0.005
"""Seconds that a picture waits for others to be drawn with. It is moved four frames (160 ms) before it is shown, and an
interrupt draws anew what is due 60 ms later."""

MOST = 16
"""Pictures in one call at most: what comes of a call can not be taken back, and takes memory for each."""

MARGIN = 0.002
"""Seconds that a picture is finished before its time, where it can choose."""

FORGIVEN = 0.9
"""What is left of an expected time each time that it kept a picture from being drawn, while none is: one slow call,
such as the first, must not keep out all that follow."""

PATIENCE = 60.0
"""Seconds that the first picture of a session may take."""


class Owner(Protocol):
    """Whose pictures they are."""

    def give_way(self, error: DeviceMemoryError) -> None:
        """The device has no memory for all: whoever came last ends."""


@dataclass(eq=False)
class Wish:
    """A picture that is wanted.

    face, pose : landmarks in normalised space as `Motion.step` gives them, [70, 3] or with more rows, and their place
    due : `time.monotonic()` after which nobody wants it
    done : called once from the device's thread, unless it is forgotten before: with the picture, None if it would have
        come too late, or what went wrong, and the seconds of the device that it took
    owner : the easel; None of a trial, which is drawn however late it is
    planar : it leaves the device as encoders take it, [3 S / 2, S], where the generator can do that
    """

    generator: DeviceGenerator
    source: Any
    face: Array
    pose: Pose
    due: float
    done: Callable[[Picture | BaseException | None, float], None]
    owner: Owner | None = None
    planar: bool = False
    asked: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Asked:
    """A wish in its queue, where it may be forgotten."""

    queue: DeviceQueue
    wish: Wish

    def cancel(self) -> None:
        """Leave the picture out, if it is not being drawn yet."""
        self.queue.forget(self.wish)


class Pace:
    """How long calls of one generator take, by their number of pictures, and how many it is given at once.

    limit : pictures in a call that are worth it; most : those for which there is memory, too
    """

    def __init__(self) -> None:
        self.limit = self.most = MOST
        self._seconds: dict[int, float] = {}

    def took(self, count: int, seconds: float) -> None:
        """A call with `count` pictures took so long."""
        self._seconds[count] = followed(self._seconds.get(count, seconds), seconds)

    def seconds(self, count: int) -> float:
        """What a call with `count` pictures will take: no more than a larger one, nor than several smaller ones.

        While no call as small as that was seen, its share of a larger one: a try tells better.
        """
        least = 1.0 if count >= min(self._seconds, default=1) else 0.0
        known = [seconds * max(least, count / number) for number, seconds in self._seconds.items()]
        return min(known, default=0.0)

    def forgive(self) -> None:
        """Expect a little less from now on."""
        self._seconds = {count: FORGIVEN * seconds for count, seconds in self._seconds.items()}

    def fitting(self, wishes: Sequence[Wish], now: float) -> list[Wish]:
        """As many of the first ones as one call holds without making any late; at least one."""
        count = min(self.most, len(wishes))
        while count > 1 and now + self.seconds(count) > min(wish.due for wish in wishes[:count]):
            count -= 1
        return list(wishes[:count])


class DeviceQueue:
    """What all sessions want from one device, and the thread that asks it.

    Whatever waits is drawn together, so that calls grow with the load. A device that is free waits a moment for
    company, but never so long that a picture misses its time. How much may wait is bounded by its owners.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = self.pictures = 0
        self._waiting: list[Wish] = []
        self._paces: dict[int, tuple[DeviceGenerator, Pace]] = {}
        self._owners: list[tuple[Owner, DeviceGenerator]] = []  # in the order in which they came
        self._served: dict[int, float] = {}  # when owners last got a picture
        self._leaving: Owner | None = None
        self._drew = 0.0  # when the latest call ended
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._perform, name=f"device {name}", daemon=True)
        self._thread.start()

    def join(self, owner: Owner, generator: DeviceGenerator) -> None:
        """From now on this owner wants pictures of a generator."""
        with self._wake:
            self._owners.append((owner, generator))

    def leave(self, owner: Owner) -> None:
        """It wants no more; what it wanted is forgotten, and calls may be as large as before again."""
        with self._wake:
            self._owners = [entry for entry in self._owners if entry[0] is not owner]
            self._waiting = [wish for wish in self._waiting if wish.owner is not owner]
            self._served.pop(id(owner), None)
            if self._leaving is owner:
                self._leaving = None
            for _, pace in self._paces.values():
                pace.most = pace.limit

    def ask(self, wish: Wish) -> Asked:
        """Have a picture drawn."""
        with self._wake:
            self._waiting.append(wish)
            self._wake.notify()
        return Asked(self, wish)

    def forget(self, wish: Wish) -> None:
        """Leave out a picture, if it is not being drawn yet."""
        with self._wake:
            if wish in self._waiting:
                self._waiting.remove(wish)

    def trial(self, generator: DeviceGenerator, source: Any, face: Array, pose: Pose) -> Picture:
        """A picture, drawn among those of all sessions; raises what the device raises, such as DeviceMemoryError."""
        drawn: Future[Picture] = Future()

        def done(picture: Picture | BaseException | None, _: float) -> None:
            if isinstance(picture, BaseException):
                drawn.set_exception(picture)
            elif picture is not None:
                drawn.set_result(picture)

        self.ask(Wish(generator, source, face, pose, time.monotonic() + 1.0, done))
        try:
            return drawn.result(PATIENCE)
        except FutureTimeout:
            raise DeviceError(f"device '{self.name}' drew nothing in {PATIENCE:.0f} s. Restart the server.") from None

    def pace(self, generator: DeviceGenerator) -> Pace:
        """What is known of a generator, which is kept with it."""
        with self._wake:
            return self._pace(generator)

    def close(self) -> None:
        """Draw no more."""
        with self._wake:
            self._closed = True
            trials = [wish for wish in self._waiting if wish.owner is None]
            self._waiting.clear()
            self._wake.notify()
        for wish in trials:
            wish.done(DeviceError(f"device '{self.name}' draws no more. Start the server again."), 0.0)
        self._thread.join(10)

    def _pace(self, generator: DeviceGenerator) -> Pace:
        return self._paces.setdefault(id(generator), (generator, Pace()))[1]

    # From here on: the device's own thread. Nothing is told with the lock held.

    def _perform(self) -> None:
        while not self._closed:
            late, batch = self._take()
            for wish in late:
                tell(wish, None, 0.0)
            if batch:
                self._draw(batch)

    def _take(self) -> tuple[list[Wish], list[Wish]]:
        """Pictures that can not come in time any more, or those that are drawn now."""
        with self._wake:
            while not self._closed:
                now = time.monotonic()
                if late := [wish for wish in self._waiting if self._is_late(wish, now)]:
                    self._waiting = [wish for wish in self._waiting if wish not in late]
                    if now > self._drew + RETRY:
                        for pace in {self._pace(wish.generator) for wish in late}:
                            pace.forgive()
                    return late, []
                if not self._waiting:
                    self._wake.wait()
                    continue
                batch = self._batch(now)
                pause = self._patience(batch, now)
                if pause <= 0:
                    self._waiting = [wish for wish in self._waiting if wish not in batch]
                    self._served.update({id(wish.owner): now for wish in batch if wish.owner is not None})
                    return [], batch
                self._wake.wait(pause)
        return [], []

    def _is_late(self, wish: Wish, now: float) -> bool:
        return wish.owner is not None and now + self._pace(wish.generator).seconds(1) > wish.due

    def _batch(self, now: float) -> list[Wish]:
        """The picture that is due first, and those of the same generator that find room beside it.

        Where a device can not draw all, whose frames fall due just before another's must not get all it draws: of those
        that are due in the time of one frame, who waited longest comes first.
        """
        soonest = min(wish.due for wish in self._waiting)

        def turn(wish: Wish) -> tuple[int, float, float]:
            return int((wish.due - soonest) * FPS), self._served.get(id(wish.owner), 0.0), wish.due

        ordered = sorted(self._waiting, key=turn)
        first = ordered[0]
        same = [w for w in ordered if w.generator is first.generator and w.planar == first.planar]
        return self._pace(first.generator).fitting(same, now)

    def _patience(self, batch: list[Wish], now: float) -> float:
        """Seconds to wait for company; none where nobody else could come, or a picture would be late."""
        generator, pace = batch[0].generator, self._pace(batch[0].generator)
        others = {id(owner) for owner, wanted in self._owners if wanted is generator} - {id(w.owner) for w in batch}
        if len(batch) >= pace.most or not others:
            return 0.0
        last = min(wish.due for wish in batch) - pace.seconds(len(batch) + 1) - MARGIN
        return min(min(wish.asked for wish in batch) + COMPANY, last) - now

    def _draw(self, batch: list[Wish]) -> None:
        begin = time.monotonic()
        try:
            pictures = called(batch)
        except DeviceMemoryError as error:
            self._make_room(batch, error)
            return
        except Exception as error:
            if len(batch) > 1:  # one of them is to blame: the others have nothing to do with it
                for wish in batch:
                    self._draw([wish])
            else:
                tell(batch[0], error, 0.0)
            return
        seconds = time.monotonic() - begin
        with self._wake:
            self._pace(batch[0].generator).took(len(batch), seconds)
            self._drew = time.monotonic()
            self.calls += 1
            self.pictures += len(batch)
        for wish, picture in zip(batch, pictures):
            tell(wish, picture, seconds / len(batch))

    def _make_room(self, batch: list[Wish], error: DeviceMemoryError) -> None:
        """Ask for less at once; where a single picture is too much, whoever came last has to go."""
        half = len(batch) // 2
        if half:
            with self._wake:
                self._pace(batch[0].generator).most = half
            log.warning("device %s: no memory for %d pictures at once, from now on %d.", self.name, len(batch), half)
            self._draw(batch[:half])
            self._draw(batch[half:])
            return
        leaving: Owner | None = None
        with self._wake:
            if batch[0].owner is not None and self._leaving is None and self._owners:
                leaving = self._leaving = self._owners[-1][0]
        if leaving is not None:
            leaving.give_way(error)
        tell(batch[0], error, 0.0)


def called(batch: Sequence[Wish]) -> Sequence[Picture]:
    """One call of a generator for pictures of several portraits."""
    generator: Any = batch[0].generator
    draw = generator.render_planar if batch[0].planar else generator.render_many
    faces = np.stack([wish.face for wish in batch])
    drawn: Sequence[Picture] = draw([wish.source for wish in batch], faces, [wish.pose for wish in batch])
    if len(drawn) != len(batch):
        raise RuntimeError(f"{generator.family}: {len(drawn)} pictures came of {len(batch)}")
    return drawn


def tell(wish: Wish, picture: Picture | BaseException | None, seconds: float) -> None:
    """Say what came of a wish. Nothing that its owner does then ends the thread, by which all sessions live."""
    try:
        wish.done(picture, seconds)
    except Exception:
        log.exception("drawing: a picture was drawn and not taken")
