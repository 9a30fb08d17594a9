"""What a log line looks like: text for people, or JSON, a record a line, for what gathers logs."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

TEXT = "%(asctime)s %(message)s"

FIELDS = "fields"
"""Attribute of a record that holds what `fields` was given."""


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


def begin_logs(kind: str) -> None:
    """Let all loggers write to standard error, as "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
