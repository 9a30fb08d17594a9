"""HTTP requests of what measures a server, to be made in a thread of their own."""

from __future__ import annotations

import urllib.request
from typing import Any


def call(method: str, url: str, body: bytes | None = None, kind: str = "application/json") -> tuple[bytes, Any]:
    """One request: the body of the answer, and its headers."""
    request = urllib.request.Request(url, body, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read(), answer.headers
