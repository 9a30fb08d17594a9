"""Addresses: what an operator writes of other machines and of secrets, checked early, and whose a visitor's is."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from speechhead.core.errors import ServerError

PORTS = {"http": 80, "https": 443}
"""Which browsers leave out of an origin."""

ICE = re.compile(
    r"(?:stuns?|turns?):(?:\[[0-9a-f:.]+\]|[^\s?:/\[\]@]+)(?::(\d{1,5}))?(?:\?transport=(?:udp|tcp))?", re.I
)

VISIBLE = re.compile(r"[!-~]*")
"""Signs that a header carries as they are."""


def check_origin(origin: str) -> None:
    """Whether a page could be of this origin, written as browsers send it; * is every page.

    Raises
    ------
    ServerError naming it and how it is written.
    """
    if origin == "*":
        return
    parts, port = _split(origin)
    if not parts or not re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme) or not parts.hostname:
        raise ServerError(f"origin {origin[:80]!r} is no page's. Write https://example.org, or * for every page.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port is None or port == PORTS.get(parts.scheme) else f":{port}"
    usual = f"{parts.scheme}://{host}{shown}"
    if origin != usual:
        raise ServerError(f"origin {origin[:80]!r} is not as browsers send it. Write {usual[:80]}.")


def check_ice(url: str, kind: str) -> None:
    """Whether a STUN or TURN server can be at an address; kind: stun or turn.

    Raises
    ------
    ServerError naming it and the remedy.
    """
    found = ICE.fullmatch(url) if url.isascii() and url.partition(":")[0].lower() in (kind, f"{kind}s") else None
    if found is None or not 0 < int(found[1] or 1) < 65536:
        raise ServerError(f"{kind.upper()} server {url[:80]!r} is no address. Write {kind}:host:3478.")


def check_rooms(url: str, option: str) -> None:
    """Whether a LiveKit server can be at an address.

    Raises
    ------
    ServerError naming it and the remedy.
    """
    parts, _ = _split(url)
    if not parts or parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname or parts.username:
        shown = re.sub("//[^/]*@", "//...@", url)[:80]  # a password may be in it
        raise ServerError(f"{option} {shown!r} is no address of a LiveKit server. Write wss://host, or ws://host:7880.")


def check_secret(name: str, value: str) -> None:
    """Whether a secret reaches the other side as it is; it is never shown.

    name : of the setting

    Raises
    ------
    ServerError naming what is wrong with it and the remedy.
    """
    if not VISIBLE.fullmatch(value):
        what = "a line break" if "\n" in value or "\r" in value else "a space or another sign that headers do not carry"
        raise ServerError(f"{name.replace('_', ' ')} holds {what}. Give visible ASCII, as openssl rand -hex 16 prints.")


def quoted(value: str) -> str:
    """A value as a parameter of a header (RFC 9110, quoted-string)."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _split(url: str) -> tuple[SplitResult | None, int | None]:
    """The parts of an address and its port; None for what is none."""
    if not VISIBLE.fullmatch(url):
        return None, None
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        return None, None


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """What one caller may have all addresses of: its address, of IPv6 the first half."""
    try:
        known = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(known.ipv4_mapped or ipaddress.IPv6Network((int(known) >> 64 << 64, 64)))
