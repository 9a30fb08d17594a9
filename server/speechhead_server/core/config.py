"""What an operator may set: one frozen record from the command line and the environment."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from speechhead.core.errors import ServerError

SIZES = (512, 384, 256)
"""Sides of the square picture that the server tries at start-up, the largest first."""

ENVIRONMENT = "SPEECHHEAD_"
"""Prefix of the variables that stand in for options: SPEECHHEAD_TOKEN for --token."""

SECRETS = ("token", "turn_password")
"""Settings that may also be the content of a file: --token-file, or SPEECHHEAD_TOKEN_FILE."""

log = logging.getLogger("speechhead.server")


@dataclass(frozen=True)
class ServerSettings:
    """How the server runs.

    host, port: where HTTP listens. size: side of the picture; measured at start-up if None.
    token: that every request must carry; none is needed if empty. origins: of pages besides the server's own that may
        use it, such as https://example.org; `*` lets every page.
    stun, turn: URLs for both ends of a connection; turn_user, turn_password: of the TURN server.
    udp_ports: first and last UDP port for media; any if None. public_ip: announced instead of this machine's own
        addresses, for a container or a host behind one-to-one NAT.
    max_sessions: as many as were measured to run in real time if None. max_viewers: per session.
    text_limit: characters; upload_limit, audio_limit: bytes; audio_seconds: of an uploaded sound;
    queue_limit: utterances that wait in a session; pcm_seconds: live sound that may wait. queue_seconds, queue_bytes:
        sound of any kind that may wait in a session; total_queue_bytes: in all of them.
    rate, burst: requests per second and address, and how many at once.
    idle_timeout: seconds after which a session without a viewer ends. body_timeout: for a request's body.
    socket_timeout: seconds without a message after which a live PCM socket is closed.
    uploads: portraits kept, the oldest go first. workers: frames drawn at a time; the cores if None.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    size: int | None = None
    token: str = field(default="", repr=False)
    origins: tuple[str, ...] = ()
    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    turn_user: str = ""
    turn_password: str = field(default="", repr=False)
    udp_ports: tuple[int, int] | None = None
    public_ip: str = ""
    max_sessions: int | None = None
    max_viewers: int = 4
    text_limit: int = 2000
    upload_limit: int = 10 * 1024 * 1024
    audio_limit: int = 25 * 1024 * 1024
    audio_seconds: float = 600.0
    queue_limit: int = 20
    queue_seconds: float = 900.0
    queue_bytes: int = 128 * 1024 * 1024
    total_queue_bytes: int = 512 * 1024 * 1024
    pcm_seconds: float = 30.0
    rate: float = 30.0
    burst: int = 100
    idle_timeout: float = 60.0
    body_timeout: float = 30.0
    socket_timeout: float = 60.0
    uploads: int = 32
    workers: int | None = None

    def __post_init__(self) -> None:
        from speechhead.face.crop import check_size

        if self.size is not None:
            check_size(self.size)
        if not 0 <= self.port <= 65535:
            raise ServerError(f"port {self.port} does not exist. Give 1 to 65535.")
        for url in (*self.stun, *self.turn):
            if url.partition(":")[0] not in ("stun", "stuns", "turn", "turns"):
                raise ServerError(f"ICE server {url!r} is no address. Write stun:host:3478 or turn:host:3478.")
        if self.turn and not (self.turn_user and self.turn_password):
            raise ServerError("a TURN server needs --turn-user and --turn-password.")
        if self.udp_ports is not None and not 1024 <= self.udp_ports[0] <= self.udp_ports[1] <= 65535:
            raise ServerError(f"UDP ports {self.udp_ports} are no range. Write 50000-50100, within 1024 to 65535.")
        if self.public_ip:
            try:
                ipaddress.ip_address(self.public_ip)
            except ValueError:
                raise ServerError(f"public IP {self.public_ip!r} is not an address. Write 203.0.113.7.") from None
        limits = "text_limit", "upload_limit", "audio_limit", "queue_limit", "queue_seconds", "queue_bytes"
        for name in (*limits, "total_queue_bytes", "max_viewers", "rate", "burst"):
            if getattr(self, name) <= 0:
                raise ServerError(f"{name} {getattr(self, name)} allows nothing. Give a positive number.")
        if self.max_sessions is not None and self.max_sessions < 1:
            raise ServerError(f"max_sessions {self.max_sessions} allows nothing. Give at least 1.")

    @property
    def ice_servers(self) -> list[dict[str, Any]]:
        """STUN and TURN servers as RTCPeerConnection takes them, here and in the browser."""
        servers: list[dict[str, Any]] = [{"urls": [url]} for url in self.stun]
        if self.turn:
            servers.append({"urls": list(self.turn), "username": self.turn_user, "credential": self.turn_password})
        return servers

    @property
    def local_only(self) -> bool:
        """Whether HTTP is for this machine only."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def from_environment(given: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> ServerSettings:
    """Settings from the options that were given, then from SPEECHHEAD_* variables, then the defaults.

    Parameters
    ----------
    given : by field; None stands for not given; lists and port ranges may be strings ("a,b", "50000-50100");
        token_file and turn_password_file name files that hold these secrets

    Raises
    ------
    ServerError for a value that is not usable.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for known in dataclasses.fields(ServerSettings):
        value = _secret(known.name, given, environment) if known.name in SECRETS else given.get(known.name)
        if value is None:
            value = environment.get(ENVIRONMENT + known.name.upper())
        if value is not None and value != "":
            values[known.name] = _read(known.name, str(known.type), value)
    return ServerSettings(**values)


def _secret(name: str, given: Mapping[str, Any], environment: Mapping[str, str]) -> str | None:
    """A secret from its option or from a file; None where it can only be in its own variable."""
    option, variable = f"--{name.replace('_', '-')}", ENVIRONMENT + name.upper()
    value, file = given.get(name), given.get(f"{name}_file")
    if value and file:
        raise ServerError(f"{option} and {option}-file are both given. Leave out {option}.")
    if value:
        log.warning("%s is seen by everybody on this machine (ps). Use %s-file FILE, or %s.", option, option, variable)
        return str(value)
    if not file and not environment.get(variable):
        file = environment.get(f"{variable}_FILE")
    return _content(file, option) if file else None


def _content(file: str | os.PathLike[str], option: str) -> str:
    """The one line of a file that holds a secret."""
    try:
        content = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not text").lower()
        raise ServerError(f"{file}: can not be read ({reason}). Give {option}-file a file with one line.") from None
    if not content or len(content.splitlines()) > 1:
        held = "several lines" if content else "nothing"
        raise ServerError(f"{file}: holds {held}. Give {option}-file a file with one line.")
    return content


def _read(name: str, kind: str, value: Any) -> Any:
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    try:
        if name == "udp_ports":
            first, _, last = value.partition("-")
            return int(first), int(last or first)
        if kind.startswith("tuple"):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if kind.startswith("int"):
            return int(value)
        if kind.startswith("float"):
            return float(value)
    except ValueError:
        raise ServerError(f"{name} {value!r} is not a number. Give one, or a range as in 50000-50100.") from None
    return value
