"""Credentials of a TURN relay that end by themselves (draft-uberti-behave-turn-rest, coturn's `use-auth-secret`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time


def relay_credentials(
    secret: str, seconds: float, user: str = "speechhead", now: float | None = None
) -> dict[str, str]:
    """Username and credential that a relay with the same secret takes for so many seconds.

    Parameters
    ----------
    now : seconds since 1970; this moment if None
    """
    username = f"{int((time.time() if now is None else now) + seconds)}:{user}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return {"username": username, "credential": base64.b64encode(digest).decode()}
