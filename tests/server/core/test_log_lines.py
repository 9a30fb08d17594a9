"""Log lines for machines."""

from __future__ import annotations

import json
import logging

from speechhead_server.core.logs import JsonFormatter, begin_logs, fields


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
