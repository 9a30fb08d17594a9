"""Who may ask, how often, and how much: token, origin, rate and size, before any route sees the request."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from speechhead_server.core.addresses import network
from speechhead_server.core.config import ServerSettings, is_loopback
from speechhead_server.core.metrics import Metrics
from speechhead_server.core.problems import Refused
from speechhead_server.core.tickets import CALLER

from .access import Access

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

OPEN = frozenset({"/", "/healthz", "/livez", "/readyz", "/favicon.ico", "/draw/motion_basis.json"})
"""Paths that need no token, besides the client's files, which are no secret and ask for it."""

BODY = 64 * 1024
"""Bytes of a request's body where nothing else is said."""

WEIGHT, OFFER = 4096, 5
"""Bytes of a body that is read here which count as a request of their own; requests that an offer counts as."""

BODIES, SHARE = 256 * 1024 * 1024, 4
"""Bytes of all bodies that are held at a time, and the part of them that one address may take; files of offline videos
go to the disk."""

ADDRESSES = 10_000
"""Addresses whose rate is remembered."""

DRAIN = 2.0
"""Seconds for which the rest of a body that is too large is still read."""

PIECE = 64 * 1024
"""Bytes of an answer that are handed on at a time: a copy of what a client has not read waits in its connection."""

FAILED = "the server failed at this; its log says why. Please report it."

METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"

SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"cross-origin-resource-policy", b"same-site"),
]
"""Headers of every answer: a picture is no script, an address with a token goes nowhere, no other page frames ours."""


class Guard:
    """ASGI middleware round the application.

    Parameters
    ----------
    access : who may ask for what
    """

    def __init__(self, app: Any, settings: ServerSettings, metrics: Metrics, access: Access) -> None:
        self._app, self._settings, self._metrics, self._access = app, settings, metrics, access
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope, outer = {**scope}, scope
        outer["query_string"] = b""  # what the ASGI server logs of a request; a token may be in it
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin", "")
        answer = _Answer(scope, receive, send, self._cors(origin) + self._security())
        if scope["type"] == "http" and scope["method"] == "HEAD" and "/whep" not in scope["path"]:
            scope["method"], answer.bodiless = "GET", True
        try:
            self._check_host(headers)
            self._check_origin(origin, headers.get("host", ""))
            if scope["type"] == "http" and scope["method"] == "OPTIONS":
                await answer.preflight(self._links(scope, headers))
                return
            self._check_rate(scope)
            address = (scope.get("client") or ("",))[0]
            scope[CALLER] = self._access.caller(scope["path"], scope.get("query_string", b""), headers, address)
            if scope["type"] == "websocket":
                ticket = scope[CALLER].ticket
                await self._app(scope, receive if ticket is None else _Until(receive, send, ticket.left), send)
                return
            limit = self._limit(scope)
            if int(headers.get("content-length") or 0) > limit:
                raise Refused(413, f"a body of {headers['content-length']} bytes is too large (at most {limit}).")
            offline = scope["path"].rstrip("/") == "/offline"
            wait = self._settings.offline_upload if offline else self._settings.body_timeout
            held = _Held(Counter() if offline else self._held, network(address))
            weigh = partial(self._weigh, network(address)) if self._reads(scope) else None
            body = answer.body = _Body(receive, limit, wait, held, weigh)
            try:
                await self._app(scope, body, answer.send)
            except Exception as error:
                if body.refused is None:
                    raise Refused(500, FAILED) from error  # its line is in the log already
            finally:
                body.held.let_go()
            if body.refused is not None:
                raise body.refused
        except Refused as refused:
            self._metrics.refused.labels(str(refused.status)).inc()
            await answer.refuse(refused)
        except ValueError:
            await answer.refuse(Refused(400, "the request's headers are not usable."))

    def _links(self, scope: Scope, headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
        """ICE servers for a player that asks for them before its offer, if it may make one."""
        if not scope["path"].endswith("/whep"):
            return []
        address = (scope.get("client") or ("",))[0]
        try:
            self._access.caller(scope["path"], scope.get("query_string", b""), headers, address)
        except Refused:
            return []
        return [(b"link", link.encode("latin-1")) for link in self._settings.ice_links]

    def _security(self) -> list[tuple[bytes, bytes]]:
        """The headers of every answer; pages that may use the server may frame it, too."""
        if not self._settings.origins:
            return SECURITY
        framing = " ".join(("frame-ancestors 'self'", *self._settings.origins)).encode("latin-1", "ignore")
        return [(name, framing if name == b"content-security-policy" else value) for name, value in SECURITY]

    def _check_host(self, headers: dict[str, str]) -> None:
        """A server without a token is called by its own names: a foreign name that resolves here is an attack.

        Its own are those of this machine, and addresses, where it listens to more than this machine.
        """
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if is_loopback(name) or (self._settings.token and not self._settings.local_only):
            return
        if not self._settings.local_only and (_is_address(name) or name.lower() in own_names()):
            return
        if "*" in self._settings.origins or any(urlsplit(o).hostname == name for o in self._settings.origins):
            return
        remedy = "--host 0.0.0.0, or --origin" if self._settings.local_only else f"--origin http://{host[:80]}"
        raise Refused(403, f"host {host[:80]!r} is not this server's. Start it with {remedy}.")

    def _check_origin(self, origin: str, host: str) -> None:
        if origin and not self._allowed(origin) and urlsplit(origin).netloc.lower() != host.lower():
            raise Refused(403, f"origin {origin[:80]!r} may not use this server. Start it with --origin {origin[:80]}.")

    def _allowed(self, origin: str) -> bool:
        return "*" in self._settings.origins or origin in self._settings.origins

    def _cors(self, origin: str) -> list[tuple[bytes, bytes]]:
        if not origin or not self._allowed(origin):
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"Location, Link, Session, Retry-After, ETag"),
            (b"vary", b"Origin"),
        ]

    @staticmethod
    def _reads(scope: Scope) -> bool:
        """Whether a body is read here: files are by processes of their own."""
        path = scope["path"].rstrip("/")
        return path not in ("/avatars", "/offline") and not path.endswith("/audio")

    def _weigh(self, address: str, size: int) -> None:
        """Count so many bytes of a body as requests; what is more than there is left is owed."""
        left, at = self._buckets.get(address, (float(self._settings.burst), time.monotonic()))
        self._buckets[address] = max(left - size / WEIGHT, -float(self._settings.burst)), at

    def _check_rate(self, scope: Scope) -> None:
        """A bucket of requests per address, refilled by the second."""
        address = network((scope.get("client") or ("",))[0])
        rate, burst, now = self._settings.rate, self._settings.burst, time.monotonic()
        left, at = self._buckets.pop(address, (float(burst), now))
        left = min(float(burst), left + (now - at) * rate)
        offers = scope.get("method") == "POST" and scope["path"].rstrip("/").endswith("/whep")
        weight = min(float(burst), OFFER if offers else 1.0)
        self._buckets[address] = left - weight if left >= weight else min(left, 0.0), now
        while len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        if left < weight:
            raise Refused(429, f"more than {rate:g} requests per second from {address}. Wait a moment.", 1)

    def _limit(self, scope: Scope) -> int:
        path = scope["path"].rstrip("/")
        if path == "/avatars":
            return self._settings.upload_limit
        if path == "/offline":
            return self._settings.offline_limit
        if path.endswith("/say"):
            return max(BODY, 6 * self._settings.text_limit)  # as \\uXXXX
        if path.endswith("/audio"):
            return self._settings.audio_limit
        return BODY


def _is_address(name: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


@cache
def own_names() -> frozenset[str]:
    """What this machine is called in its network."""
    host = socket.gethostname().lower()
    return frozenset({host, host.partition(".")[0], f"{host.partition('.')[0]}.local", socket.getfqdn().lower()} - {""})


class _Held:
    """Bytes of one request's body among those of all that are held at a time."""

    def __init__(self, held: Counter[str], address: str) -> None:
        self._held, self._address, self._own = held, address, 0

    def take(self, size: int) -> bool:
        """Hold so many more; whether there is room for them."""
        self._own += size
        self._held[self._address] += size
        return self._held.total() <= BODIES and self._held[self._address] <= BODIES // SHARE

    def let_go(self) -> None:
        """The request is done with."""
        self._held[self._address] -= self._own
        self._own = 0
        if not self._held[self._address]:
            del self._held[self._address]


class _Body:
    """A request's body that may be neither too large nor too slow, nor one of too many."""

    def __init__(
        self, receive: Receive, limit: int, seconds: float, held: _Held, weigh: Callable[[int], None] | None
    ) -> None:
        self._receive, self._left, self._limit, self.held = receive, limit, limit, held
        self._weigh = weigh
        self._until, self._seconds = time.monotonic() + seconds, seconds
        self.whole = False
        self.refused: Refused | None = None

    async def __call__(self) -> MutableMapping[str, Any]:
        if self.whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.01, self._until - time.monotonic()))
        except asyncio.TimeoutError:
            self.refused = Refused(408, f"the body did not come within {self._seconds:g} s. Send it faster.")
            raise self.refused from None
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self._left -= size
            if self._weigh is not None:
                self._weigh(size)
            self.whole = not message.get("more_body", False)
            if self._left < 0:
                self.refused = Refused(413, f"the body is too large (at most {self._limit} bytes).")
                raise self.refused
            if not self.held.take(size):
                self.refused = Refused(503, "too much is being uploaded at once. Try again in a few seconds.", 5)
                raise self.refused
        return message


class _Until:
    """What a WebSocket receives, until its caller's ticket ends."""

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive, self._send, self._until = receive, send, time.monotonic() + seconds

    async def __call__(self) -> MutableMapping[str, Any]:
        try:
            return await asyncio.wait_for(self._receive(), max(0.0, self._until - time.monotonic()))
        except asyncio.TimeoutError:
            with contextlib.suppress(Exception):  # it may be closing already
                await self._send({"type": "websocket.close", "code": 1008, "reason": "the ticket's time is over"})
            return {"type": "websocket.disconnect", "code": 1008}


class _Answer:
    """The response, with the headers that every answer has, and those that other origins need."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, more: list[tuple[bytes, bytes]]) -> None:
        self._scope, self._receive, self._send, self._more = scope, receive, send, more
        self._started = False
        self.body: _Body | None = None
        self.bodiless = False  # the request was HEAD

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass on what the application answers, unless that is only what it makes of a refused body."""
        if self.body is not None and self.body.refused is not None and not self._started:
            return
        if message["type"] == "http.response.start":
            if self.body is not None and not self.body.whole and message["status"] >= 400:
                await self._drain()
            self._started = True
            own = {name.lower() for name, _ in message.get("headers", [])}
            more = [(name, value) for name, value in self._more if name not in own]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        elif self.bodiless:
            message = {**message, "body": b""}
        await self._send_pieces(message)

    async def _send_pieces(self, message: MutableMapping[str, Any]) -> None:
        """Hand a body on as its client reads it."""
        body = message.get("body", b"")
        for begin in range(0, len(body) - PIECE, PIECE):
            piece = body[begin : begin + PIECE]
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        if len(body) > PIECE:
            message = {**message, "body": body[(len(body) - 1) // PIECE * PIECE :]}
        await self._send(message)

    async def preflight(self, more: list[tuple[bytes, bytes]]) -> None:
        """What a browser asks before a request from another origin; also the OPTIONS of WHEP."""
        asked = [value for name, value in self._scope["headers"] if name == b"access-control-request-headers"]
        headers = [(b"access-control-allow-methods", METHODS.encode()), (b"access-control-max-age", b"600")]
        headers += [(b"access-control-allow-headers", asked[0] if asked else b"authorization, content-type")]
        headers += [(b"accept-post", b"application/sdp"), (b"accept-patch", b"application/trickle-ice-sdpfrag")]
        headers += more
        await self.send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    async def _drain(self) -> None:
        """Read on for a moment: a connection that is closed on a client that still sends loses the answer."""
        if any(name == b"expect" for name, _ in self._scope["headers"]):  # it sends nothing before it is told to
            return
        until = time.monotonic() + DRAIN
        with contextlib.suppress(asyncio.TimeoutError):
            while (left := until - time.monotonic()) > 0:
                message = await asyncio.wait_for(self._receive(), left)
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return

    async def refuse(self, refused: Refused) -> None:
        """Say no, in one line."""
        if self._started:
            return
        headers = dict(refused.headers)
        if refused.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if refused.status in (408, 413) or self.body is not None and self.body.refused is refused:
            headers["Connection"] = "close"
        if refused.status == 413 or (self.body is not None and not self.body.whole and refused.status != 408):
            await self._drain()
        if self._scope["type"] == "websocket":
            await self._receive()
            await self._send({"type": "websocket.close", "code": 1008, "reason": str(refused)[:120]})
            return
        self.body = None
        response = JSONResponse({"error": str(refused)}, refused.status, headers)
        await response(self._scope, self._receive, self.send)
