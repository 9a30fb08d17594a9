"""Tickets: tokens (RFC 7519) that the operator's token signs, good for a while and for a part of what it may do."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import jwt

ALGORITHM = "HS256"

LONGEST = 30 * 24 * 3600.0
"""Seconds for which a ticket may be good."""


@dataclass(frozen=True)
class Ticket:
    """What its holder may do, until when.

    expires: seconds since 1970
    session: the one session that it is for; empty for a visitor's ticket, which opens sessions of its own
    sessions: how many a visitor may have at a time
    session_seconds: how long each of them lasts at most; None leaves that to the server
    offline: whether it may make offline videos
    name: tells tickets apart
    """

    expires: float
    session: str = ""
    sessions: int = 1
    session_seconds: float | None = None
    offline: bool = False
    name: str = field(default_factory=lambda: secrets.token_hex(8))

    def sealed(self, token: str) -> str:
        """As text that its holder sends as a token; `token` is the operator's."""
        claims: dict[str, Any] = {"exp": int(self.expires), "jti": self.name}
        if self.session:
            claims["sub"] = self.session
        else:
            claims |= {"sessions": self.sessions, "offline": self.offline}
            if self.session_seconds is not None:
                claims["seconds"] = self.session_seconds
        return jwt.encode(claims, _key(token), ALGORITHM)

    @classmethod
    def opened(cls, text: str, token: str) -> Ticket:
        """A ticket from what `sealed` made.

        Raises
        ------
        LookupError if its time is over; ValueError if it is no ticket that this token signed.
        """
        try:
            claims = jwt.decode(text, _key(token), [ALGORITHM], options={"require": ["exp", "jti"]})
            return cls(
                float(claims["exp"]),
                str(claims.get("sub", "")),
                int(claims.get("sessions", 1)),
                None if claims.get("seconds") is None else float(claims["seconds"]),
                bool(claims.get("offline", False)),
                str(claims["jti"]),
            )
        except jwt.ExpiredSignatureError:
            raise LookupError("the ticket's time is over") from None
        except (jwt.InvalidTokenError, TypeError, ValueError):
            raise ValueError("no ticket of this server") from None

    @property
    def left(self) -> float:
        """Seconds for which it is still good."""
        return max(0.0, self.expires - time.time())


def _key(token: str) -> bytes:
    """What signs tickets: made of the operator's token, so that they end with it."""
    return hmac.new(token.encode(), b"speechhead tickets", hashlib.sha256).digest()


@dataclass(frozen=True)
class Caller:
    """Who asks.

    address: of the network
    ticket: what it came with; None for the operator's token, or where there is none
    operator: whether it may look after the server: list and end sessions, make tickets
    """

    address: str = ""
    ticket: Ticket | None = None
    operator: bool = False

    @property
    def name(self) -> str:
        """What tells one caller's sessions from another's."""
        return self.ticket.name if self.ticket else self.address


CALLER = "speechhead.caller"
"""Key of an ASGI scope that holds its `Caller`."""
