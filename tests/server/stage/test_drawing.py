"""Cores that draw for more stages than they can: what is begun is seen, and what would be late is not begun."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from speechhead_server.stage.clock import FRAME, Clock
from speechhead_server.stage.drawing import BEHIND, GRACE, Drawing

pytestmark = pytest.mark.realtime


class SlowRenderer:
    """Pictures that take some time, though not by the work of a core."""

    pauses = ()

    def __init__(self, seconds):
        picture = np.zeros((64, 64, 3), np.uint8)
        self.generator, self.avatar = object(), SimpleNamespace(picture=picture, crop=None)
        self.seconds, self.ends = seconds, []

    def draw(self, face, pose):
        time.sleep(self.pauses.pop() if self.pauses else self.seconds)
        self.ends.append((face, time.monotonic()))
        return self.avatar.picture


def played(monkeypatch, seconds, frames):
    """The easel and its renderer after so many frames, asked for some frames ahead as a stage does it."""
    monkeypatch.setattr("speechhead_server.stage.drawing.fills_picture", lambda avatar: True)
    drawing, renderer, clock = Drawing(1), SlowRenderer(seconds), Clock()
    began = time.monotonic()
    easel = drawing.easel(clock, renderer)
    easel.watched = 1
    asked = 0
    while clock.frame < frames:
        while asked < min(frames, clock.frame + easel.ahead):
            easel.draw(asked, asked, None)
            asked += 1
        time.sleep(0.005)
    drawing.close()
    in_time = [frame for frame, end in renderer.ends if end - began <= (frame + GRACE) * FRAME / 48_000]
    return easel, renderer, in_time


def test_what_is_begun_is_ready_in_time(monkeypatch):
    easel, renderer, in_time = played(monkeypatch, 0.1, 60)
    assert 12 <= len(renderer.ends) <= 24  # 2.4 s of one core
    assert len(in_time) >= 0.6 * len(renderer.ends)  # by the core's own time alone, none of them would be
    assert 0.08 < easel.pace < 0.15 and easel.cost < 0.03


def test_what_is_quick_is_all_drawn(monkeypatch):
    _, renderer, in_time = played(monkeypatch, 0.002, 25)
    assert len(renderer.ends) >= 23 and len(in_time) >= 22


def test_a_stall_is_forgotten(monkeypatch):
    monkeypatch.setattr(SlowRenderer, "pauses", [0.7], raising=False)
    _, renderer, in_time = played(monkeypatch, 0.002, 75)
    assert len(in_time) >= 35  # of those after the stall, and after half a second in which it might go on


def test_a_slow_start_is_forgotten(monkeypatch):
    monkeypatch.setattr(SlowRenderer, "pauses", [0.4] * 3, raising=False)
    easel, _, in_time = played(monkeypatch, 0.02, 75)
    assert len(in_time) >= 25 and easel.pace < 0.1  # else two a second are drawn for the rest of the session


def test_pictures_of_slow_cores_are_evenly_spaced(monkeypatch):
    easel, renderer, in_time = played(monkeypatch, 0.1, 75)
    steps = np.diff([frame for frame, _ in renderer.ends][8:])
    assert 2 < easel.stride < 4 and len(in_time) >= 0.6 * len(renderer.ends)
    assert np.mean((steps >= 2) & (steps <= 4)) > 0.8, steps


def test_what_takes_longer_than_is_moved_ahead_is_shown_late(monkeypatch):
    easel, renderer, in_time = played(monkeypatch, 0.7, 75)
    assert not in_time and len(renderer.ends) >= 3
    newest = renderer.ends[-1][0]
    frame, _ = easel.belated(newest + 8, newest - 20)
    assert frame == newest  # 8 frames old, where what is seen is 28
    assert easel.belated(newest + 8, newest - 7) is None and easel.belated(newest + 1, newest) is None


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a priority for each thread.")
def test_what_draws_is_behind_what_sends():
    drawing = Drawing(1)
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    there = drawing.pool.submit(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())).result(20)
    drawing.close()
    assert there == min(19, own + BEHIND) and os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own
