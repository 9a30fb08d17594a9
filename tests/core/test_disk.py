"""A disk without room is known by whatever tells of it."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from speechhead.batch import task
from speechhead.batch.job import Job
from speechhead.core import disk
from speechhead.core.disk import disk_full, free_bytes
from speechhead.core.errors import MediaError


def raised(error: BaseException, cause: BaseException | None = None, hidden: bool = False) -> BaseException:
    try:
        try:
            raise cause or KeyError
        except BaseException as first:
            raise error from (None if hidden else first)
    except BaseException as second:
        return second


def test_a_full_disk_is_seen_through_what_was_made_of_it():
    full = OSError(errno.ENOSPC, "No space left on device")
    for hidden in (False, True):
        assert disk_full(raised(MediaError("a.mp4: disk full"), full, hidden))
    assert disk_full(full) and disk_full(OSError(errno.EDQUOT, "quota"))
    for other in (OSError(errno.EFBIG, "File too large"), MediaError("disk full"), MemoryError()):
        assert not disk_full(raised(other))


def test_a_fault_without_its_number_is_known_by_the_room_that_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    lost = OSError("1000 requested and 24 written")  # as numpy tells it
    assert not disk_full(lost, tmp_path) and free_bytes(tmp_path / "nowhere") == float("inf")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    assert disk_full(lost, tmp_path) and not disk_full(lost)


def test_a_job_says_whose_fault_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    full = OSError(errno.ENOSPC, "No space left on device")
    for error, whose in ((raised(MediaError("a.mp4: disk full."), full), True), (MediaError("a.mp4: bad."), False)):
        monkeypatch.setattr(task, "make", lambda *_, error=error: (_ for _ in ()).throw(error))
        done = task.perform(Job("a.mp4", text="Hi."), tmp_path)
        assert done.full is whose and done.error == str(error)
