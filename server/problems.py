"""What a client is told when something can't be done: a status and one line."""

from __future__ import annotations

from speechhead.errors import ServerError


class Refused(ServerError):
    """A request that is answered with `status` and the message as {"error": ...}.

    Parameters
    ----------
    status : of HTTP
    message : one line that names the value and the remedy
    retry_after : seconds after which it may go better
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


def one_line(error: BaseException) -> str:
    """An exception's text without line breaks, cut to a length that fits a log line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
