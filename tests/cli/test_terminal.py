"""What commands tell of a run: lines for logs, JSON for programs."""

from __future__ import annotations

import json
import logging

import pytest

from speechhead.cli import terminal
from speechhead.core.errors import MediaError


def test_lines_come_where_there_is_no_terminal_and_a_run_is_long(capsys, monkeypatch):
    clock = iter([0.0, 5.0, 12.0, 13.0, 30.0, 45.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    with terminal.told(False) as (progress, made):
        for done, total in ((1, 100), (25, 100), (26, 100), (50, None), (1, 3)):
            progress(done, total)
        made("out.mp4")
    said = capsys.readouterr()
    assert said.err.splitlines() == ["25 frames of 100 (25%), 22 s left", "50 frames", "1 frame of 3 (33%)"]
    assert said.out == "out.mp4\n"


def test_what_happens_as_json(capsys):
    log = logging.getLogger("speechhead")
    with terminal.told(True, source="a.mp4") as (progress, made):
        progress(1, 3)
        log.warning("%s: a note", "a.mp4")
        progress(3, 3)
        made("out.mp4")
    with pytest.raises(MediaError), terminal.told(True):
        raise MediaError("film.mp4: no\nfilm.")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["start", "progress", "note", "progress", "done", "start", "error"]
    assert lines[0]["source"] == "a.mp4" and lines[2]["text"] == "a.mp4: a note" and lines[3]["done"] == 3
    assert lines[-1]["text"] == "film.mp4: no film."
