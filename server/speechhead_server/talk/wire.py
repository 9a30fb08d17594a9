"""HTTP to the services that a conversation uses: answers as they come, until nobody waits for them any more."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import h11

from speechhead.core.errors import ServerError

MOST = 4 * 1024 * 1024
"""Bytes of one answer at most."""

BLOCK = 16 * 1024
"""Bytes that are read at a time."""

PARTS, BEFORE = 50_000, 8
"""Parts of one answer at most, and answers such as "100 Continue" before it."""

TURN = 16
"""Parts after which others get their turn."""

WHOLE = 10
"""Times the seconds of a step that an answer may take in all: one that drips never ends otherwise."""


class ServiceError(ServerError):
    """A service that did not do what it was asked for.

    Parameters
    ----------
    message : one line for the visitor, without the service's address
    kind : for the log: what went wrong, without what was said
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class ServiceAddress:
    """Where a service is. name: what it is called in messages; option: that says where it is."""

    host: str
    port: int
    path: str
    secure: bool
    name: str
    option: str

    @property
    def authority(self) -> str:
        """For the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


def address_of(url: str, endpoint: str, name: str, option: str) -> ServiceAddress:
    """The address of an OpenAI-compatible service.

    Parameters
    ----------
    url : its base, as http://localhost:11434, .../v1, or the whole of it
    endpoint : as /chat/completions

    Raises
    ------
    ServerError for what is no address, or has a secret in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or any(c <= " " for c in url):
        raise ServerError(f"{option} {url[:60]!r} is no address. Write http://localhost:11434/v1, or https://...")
    if parts.username or parts.query:
        raise ServerError(f"{option} holds more than an address. Give the key in SPEECHHEAD_LLM_KEY or _ASR_KEY.")
    path = parts.path.rstrip("/")
    if not path.endswith(endpoint):
        path = f"{path or '/v1'}{endpoint}"
    secure = parts.scheme == "https"
    return ServiceAddress(parts.hostname, port or (443 if secure else 80), path, secure, name, option)


@dataclass
class ServiceAnswer:
    """What a service answers: its status, type, and body as it comes."""

    status: int
    content: str
    chunks: AsyncIterator[bytes]

    async def body(self, most: int = MOST) -> bytes:
        """The whole body, or its first part of `most` bytes."""
        parts, size = [], 0
        async for chunk in self.chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > most:
                break
        return b"".join(parts)[:most]


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextlib.asynccontextmanager
async def post(
    address: ServiceAddress, content: str, body: bytes, key: str, seconds: float, whole: float | None = None
) -> AsyncIterator[ServiceAnswer]:
    """The answer to a POST, while it is read.

    Parameters
    ----------
    content : type of the body
    key : of the service, empty for none
    seconds : that each step may take: to connect, to the answer's head, from one part of it to the next
    whole : seconds that the answer may take in all; `WHOLE` steps if None

    Raises
    ------
    ServiceError if it can not be reached, is too slow, or breaks off.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        try:
            opening = asyncio.open_connection(address.host, address.port, ssl=_trust() if address.secure else None)
            reader, out = await asyncio.wait_for(opening, seconds)
            writer = out
        except (OSError, ssl.SSLError, UnicodeError):
            raise ServiceError(f"{address.name} can not be reached. See {address.option}.", "not reached") from None
        connection = h11.Connection(h11.CLIENT)
        headers = [("Host", address.authority), ("Content-Type", content), ("Content-Length", str(len(body)))]
        headers += [("Accept-Encoding", "identity"), ("Connection", "close"), ("User-Agent", "speechhead")]
        if key:
            headers.append(("Authorization", f"Bearer {key}"))
        request = h11.Request(method="POST", target=address.path, headers=headers)
        sent = [connection.send(event) or b"" for event in (request, h11.Data(body), h11.EndOfMessage())]
        out.write(b"".join(sent))
        await asyncio.wait_for(out.drain(), seconds)
        until = time.monotonic() + (WHOLE * seconds if whole is None else whole)
        events = _events(reader, connection, seconds, until)
        head = await asyncio.wait_for(anext(events), seconds)
        assert isinstance(head, h11.Response)
        types = [value.decode("latin-1") for name, value in head.headers if name == b"content-type"]
        yield ServiceAnswer(head.status_code, types[0].lower() if types else "", _chunks(events))
    except (asyncio.TimeoutError, TimeoutError):
        raise ServiceError(f"{address.name} gave nothing in {seconds:g} s. Try again.", "too slow") from None
    except (h11.RemoteProtocolError, h11.LocalProtocolError, StopAsyncIteration, OSError):
        raise ServiceError(f"{address.name} broke off in the middle. Try again.", "broke off") from None
    finally:
        if writer is not None:
            writer.close()


async def _events(
    reader: asyncio.StreamReader, connection: h11.Connection, seconds: float, until: float
) -> AsyncIterator[h11.Response | h11.Data]:
    """What an answer consists of, up to its end, which comes before `until` of time.monotonic()."""
    size = parts = before = 0
    while True:
        event = connection.next_event()
        parts += 1
        if parts % TURN == 0:
            await asyncio.sleep(0)
        before += isinstance(event, h11.InformationalResponse)
        if parts > PARTS or before > BEFORE:
            raise h11.RemoteProtocolError("too many parts")
        if event is h11.NEED_DATA:
            left = until - time.monotonic()
            if left <= 0:
                raise asyncio.TimeoutError
            data = await asyncio.wait_for(reader.read(BLOCK), min(seconds, left))
            size += len(data)
            if size > MOST:
                raise h11.RemoteProtocolError("too much")
            connection.receive_data(data)
        elif isinstance(event, (h11.Response, h11.Data)):
            yield event
        elif isinstance(event, h11.EndOfMessage):
            return
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise h11.RemoteProtocolError("closed")


async def _chunks(events: AsyncIterator[h11.Response | h11.Data]) -> AsyncIterator[bytes]:
    async for event in events:
        if isinstance(event, h11.Data):
            yield bytes(event.data)


def refusal(address: ServiceAddress, status: int) -> ServiceError:
    """The error for an answer that is no success."""
    what = {
        401: f"refused the key. Set {'SPEECHHEAD_ASR_KEY' if address.option == '--asr' else 'SPEECHHEAD_LLM_KEY'}",
        403: "refuses this use of its key. Ask for the right to it",
        404: f"knows no such path or model. See {address.option} and {address.option}-model",
        413: "finds that too long. Say less at once",
        429: "is busy, or its quota is used up. Wait a moment",
    }
    told = what.get(
        status,
        "failed. Try again in a moment" if status >= 500 else f"refused. See {address.option}, {address.option}-model",
    )
    return ServiceError(f"{address.name} {told} ({status}).", f"status {status}")


def usable(text: str) -> str:
    """A service's text as it can be shown and said: halves of letters and control characters become spaces."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in whole)
