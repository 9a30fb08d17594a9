"""Stages: whose time is whose, in which thread, and nothing where nobody measures."""

from __future__ import annotations

import threading
import time

import pytest

from speechhead.core.stages import STAGES, Stopwatch, stage, staged


@staged("draw")
def drawn() -> str:
    time.sleep(0.01)
    with stage("warps"):
        time.sleep(0.02)
    return "picture"


def test_a_stage_within_a_stage_has_its_own_time() -> None:
    watch = Stopwatch()
    with watch.running():
        assert drawn() == "picture"
        watch.cut()
        drawn()
        drawn()
        watch.cut()
    first, second = watch.steps
    assert set(first) == {"draw", "warps"}
    assert first["draw"] >= 0.009 and first["warps"] >= 0.019 and first["draw"] < first["warps"] + 0.05
    assert second["warps"] >= 2 * 0.019
    drawn()
    assert len(watch.steps) == 2, "what runs after the block is not measured"


def test_threads_do_not_take_time_from_each_other() -> None:
    watch = Stopwatch()
    with watch.running(), stage("encode"):
        other = threading.Thread(target=drawn)
        other.start()
        other.join()
    watch.cut()
    assert watch.steps[0]["encode"] >= 0.029, "waiting for another thread's stage is the waiting one's own time"
    assert watch.steps[0]["warps"] >= 0.019


def test_a_device_is_waited_for_before_the_clock_is_read() -> None:
    watch = Stopwatch(settle=lambda: time.sleep(0.02))
    with watch.running(), stage("networks"):
        pass
    watch.cut()
    assert watch.steps[0]["networks"] >= 0.019


def test_an_error_ends_its_stages() -> None:
    watch = Stopwatch()
    with watch.running():
        with pytest.raises(ValueError, match="inside"), stage("draw"), stage("warps"):
            raise ValueError("inside")
        drawn()
    watch.cut()
    assert watch.steps[0]["warps"] >= 0.019


def test_unknown_stages_are_refused_where_they_are_marked() -> None:
    with pytest.raises(KeyError), stage("lunch"):
        pass
    with pytest.raises(KeyError):
        staged("lunch")
    assert list(STAGES)[0] == "face"
