"""What a client is told when something can't be done: a status and one line."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from speechhead.core.disk import free_bytes
from speechhead.core.errors import ServerError

GONE = "the client has gone."

NO_ROOM = "the server has no room on its disk for this. Try again later."

log = logging.getLogger("speechhead.server")


class Refused(ServerError):
    """A request that is answered with `status` and the message as {"error": ...}.

    Parameters
    ----------
    status : of HTTP
    message : one line that names the value and the remedy
    retry_after : seconds after which it may go better
    headers : of the answer
    """

    def __init__(
        self, status: int, message: str, retry_after: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)


def no_room(where: Path | str | None = None) -> Refused:
    """What is answered where the disk has no room: it is told to the operator, and is not the visitor's fault."""
    folder = where or tempfile.gettempdir()
    log.error("no room on the disk: %.0f MB are left in %s. Free some.", free_bytes(folder) / 2**20, folder)
    return Refused(507, NO_ROOM, 120)


class VoiceError(ServerError):
    """A text that could not be spoken.

    Parameters
    ----------
    message : for the client; it may quote the text
    kind : for the log, which must not: the class of the error
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def for_log(error: BaseException) -> str:
    """What a log line may say of an error: its kind, but no message, which may quote a user."""
    return f"{error.kind}; the client is told more" if isinstance(error, VoiceError) else type(error).__name__


def one_line(error: BaseException) -> str:
    """An exception's text without line breaks, cut to a length that fits a log line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
