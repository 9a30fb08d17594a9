"""What a log line looks like: text for people, or JSON, a record a line, for what gathers logs."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

TEXT = "%(asctime)s %(message)s"

FIELDS = "fields"
"""Attribute of a record that holds what `fields` was given."""


AGAIN, KNOWN = 10.0, 1000
"""Seconds before the same warning is written again, and warnings that are remembered."""


def fields(event: str, **values: str | float | int | None) -> dict[str, dict[str, str | float | int | None]]:
    """What a line says, for machines: `log.info("...", extra=fields("session.opened", session=name))`.

    event : what happened, as room.verb
    values : ids, numbers and words of ours; never what a user wrote
    """
    return {FIELDS: {"event": event, **values}}


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time (ISO 8601, UTC), level, message, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line = {"time": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        line |= getattr(record, FIELDS, {})
        if record.exc_text or record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return json.dumps(line, ensure_ascii=False, default=str)


class Repeated(logging.Filter):
    """Lets a line that says the same again and again through once in a while: a stranger may cause it at will."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written; one that is says how many were not."""
        if record.levelno < logging.WARNING or record.exc_text or record.exc_info:
            return True
        message = record.getMessage()
        at, left_out = self._said.get((record.name, message), (-AGAIN, 0))
        if record.created - at < AGAIN:
            self._said[record.name, message] = at, left_out + 1
            return False
        if len(self._said) >= KNOWN:
            self._said.clear()
        self._said[record.name, message] = record.created, 0
        if left_out:
            record.msg, record.args = f"{message} ({left_out} times more before)", ()
        return True


def begin_logs(kind: str) -> None:
    """Let all loggers write to standard error, as "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Repeated())
    handler.setFormatter(JsonFormatter() if kind == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
