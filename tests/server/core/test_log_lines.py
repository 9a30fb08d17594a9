"""Log lines for machines."""

from __future__ import annotations

import json
import logging

from speechhead_server.core.logs import JsonFormatter, Repeated, begin_logs, fields


def test_a_line_is_one_json_record_with_its_fields():
    record = logging.LogRecord("speechhead.server", logging.WARNING, __file__, 1, "two\nlines of %s", ("it",), None)
    record.created = 1_700_000_000.25
    record.__dict__.update(fields("session.ended", session="ab", seconds=1.5, left=None))
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "2023-11-14T22:13:20.250+00:00", "level": "warning", "logger": "speechhead.server",
        "message": "two\nlines of it", "event": "session.ended", "session": "ab", "seconds": 1.5, "left": None,
    }  # fmt: skip


def test_an_exception_is_told_within_the_line():
    try:
        raise KeyError("k")
    except KeyError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "failed", (), (KeyError, error, error.__traceback__)
        )
    line = json.loads(JsonFormatter().format(record))
    assert line["exception"].endswith("KeyError: 'k'") and line["message"] == "failed"


def test_all_loggers_write_in_the_chosen_form(capsys, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    begin_logs("json")
    logging.getLogger("anything").info("hello", extra=fields("a.b"))
    assert json.loads(capsys.readouterr().err)["event"] == "a.b"


def test_a_warning_that_comes_again_and_again_is_said_once_and_counted():
    lines = Repeated()

    def written(created, text="no room for %d", *args, level=logging.WARNING, name="asyncio"):
        record = logging.LogRecord(name, level, __file__, 1, text, args or (7,), None)
        record.created = created
        return record.getMessage() if lines.filter(record) else None

    assert written(100.0) == "no room for 7" and written(101.0, "no room for %d", 8) == "no room for 8"
    assert [written(100.0 + k / 100) for k in range(500)] == [None] * 500
    assert written(100.5, name="other") == "no room for 7"
    assert written(111.0) == "no room for 7 (500 times more before)" and written(112.0) is None
    assert written(112.0, level=logging.INFO) == written(112.0, level=logging.INFO) == "no room for 7"
