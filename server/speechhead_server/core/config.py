"""What an operator may set: one frozen record from the command line and the environment."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from speechhead.core.errors import DeviceError, ImageError, ServerError
from speechhead.core.options import ENGINES, GRAPHS, PRECISIONS, check_device, files_of_c2pa
from speechhead.core.options import SIZES as CROP_SIZES
from speechhead.core.records import check, entries, option

from .addresses import check_ice, check_origin, check_secret, quoted
from .relay import relay_credentials

SIZES = (512, 384, 256)
"""Sides of the square picture that the server tries at start-up, the largest first."""

ENVIRONMENT = "SPEECHHEAD_"
"""Prefix of the variables that stand in for options: SPEECHHEAD_TOKEN for --token."""

DAY = 86400.0
"""Seconds that something may wait at most."""

setting = partial(option, error=ServerError)
"""A setting that is an option of the command line, too."""

hidden = partial(setting, command=False)
"""A setting for which there is a variable alone."""

log = logging.getLogger("speechhead.server")


@dataclass(frozen=True)
class ServerSettings:
    """How the server runs; every field is checked on construction.

    Raises
    ------
    ServerError or ImageError naming the setting, the value and the remedy.
    """

    host: str = setting("127.0.0.1", help="Address to listen at")
    port: int = setting(8080, help="TCP port", low=0, high=65535, whole=True)
    size: int | None = option(
        None,
        help="Side of the picture",
        unit="pixels",
        low=CROP_SIZES[0],
        high=CROP_SIZES[1],
        even=True,
        unset="the largest that this machine draws in real time",
        error=ImageError,
    )
    generators: tuple[str, ...] = setting(
        ("compact",),
        help="Generator that sessions may have: compact, a family or a name from `weights list`",
        note="may be repeated, the first is the default",
        flag="--generator",
        metavar="NAME",
        unset="compact",
    )
    engine: str = option("auto", help="What runs the networks", choices=ENGINES, metavar="NAME", error=DeviceError)
    device: str = option("auto", help="Where they run: auto, cpu or cuda", metavar="NAME", error=DeviceError)
    precision: str = hidden("auto", help="Numbers in which a family draws", choices=PRECISIONS, error=DeviceError)
    graph: str = hidden("auto", help="How a family's networks are launched", choices=GRAPHS, error=DeviceError)
    token: str = setting(
        "", help="Secret that every request must carry", note="seen in ps, so better --token-file", secret=True
    )
    origins: tuple[str, ...] = setting(
        (),
        help="Page that may use the server, as https://example.org; may be repeated, * is every page",
        flag="--origin",
    )
    stun: tuple[str, ...] = setting((), help="STUN server, as stun:host:3478; may be repeated")
    turn: tuple[str, ...] = setting((), help="TURN server, as turn:host:3478; may be repeated")
    turn_user: str = setting("", help="User of the TURN server")
    turn_password: str = setting("", help="Password of the TURN server", note="seen in ps", secret=True)
    turn_secret: str = setting(
        "",
        help="Secret shared with the TURN server, of which credentials that end are made",
        note="seen in ps",
        secret=True,
    )
    udp_ports: tuple[int, int] | None = setting(
        None, help="Ports for media, as 50000-50100", unset="any", metavar="A-B", kind=str
    )
    public_ip: str = setting("", help="Address to announce, behind one-to-one NAT")
    max_sessions: int | None = setting(
        None, help="Sessions at a time", positive=True, whole=True, unset="what the machine holds"
    )
    push: tuple[str, ...] = setting(
        (),
        help="Send a session that is always on to rtmp://..., udp://... or a virtual camera, /dev/video10",
        note="may be repeated; an address with a key is seen in ps, so better SPEECHHEAD_PUSH",
    )
    watermark: str = setting(
        "", help="Text to draw into the corner of every live picture", metavar="TEXT", unset="none"
    )
    c2pa: tuple[str, ...] = setting(
        (),
        help="Sign offline videos by C2PA: PEM files of a certificate with its chain and of its key",
        kind=tuple[Path, Path],
        metavar="CERT KEY",
        unset="not signed",
    )
    log_format: str = setting("text", help="How the log is written", choices=("text", "json"))
    avatars_folder: str = setting(
        "", help="Folder in which portraits of visitors outlive a restart", flag="--avatars", unset="they are forgotten"
    )
    avatar_days: float = hidden(30.0, help="How long a portrait is kept there", unit="days", positive=True)
    session_seconds: float | None = setting(
        None, help="How long a session lasts at most", unit="seconds", positive=True, flag="--longest"
    )
    sessions_per_address: int | None = setting(None, help="Sessions of an address at a time", positive=True, whole=True)
    session_text: int | None = hidden(
        None, help="Text that a session says in all", unit="characters", positive=True, whole=True
    )
    turn_seconds: float = hidden(
        3600.0, help="How long credentials made of the TURN secret last", unit="seconds", low=60, high=86400
    )
    llm: str = setting(
        "",
        help="Who answers visitors: address of a service with OpenAI's interface for chats, or echo",
        note="its key is SPEECHHEAD_LLM_KEY; no conversations if not given",
        metavar="URL|echo",
    )
    llm_model: str = setting("default", help="Name of the model there")
    llm_key: str = hidden("", help="Key of that service", secret=True)
    llm_prompt: str = hidden("", help="What the model is told of itself", unset="a friendly person in a video call")
    llm_timeout: float = hidden(30.0, help="Silence of such a service", unit="seconds", positive=True)
    llm_turns: int = hidden(20, help="Turns of a visitor that the model is told of", positive=True, whole=True)
    llm_characters: int = hidden(12_000, help="Text of a conversation that it is told of, and of one answer",
                                 unit="characters", positive=True, whole=True)  # fmt: skip
    asr: str = setting(
        "",
        help="Who writes down what visitors say: address of a service with OpenAI's interface, local, or a folder",
        note="local is Whisper on this machine; its key is SPEECHHEAD_ASR_KEY",
        metavar="URL|local",
    )
    asr_model: str = setting("whisper-1", help="Name of the model there")
    asr_key: str = hidden("", help="Key of that service", unset="that of --llm, where it is the same service",
                          secret=True)  # fmt: skip
    max_viewers: int = hidden(4, help="Viewers of a session", positive=True)
    text_limit: int = hidden(100_000, help="Text that waits in a session", unit="characters", positive=True)
    upload_limit: int = hidden(10 * 1024 * 1024, help="Size of a portrait", unit="bytes", positive=True)
    audio_limit: int = hidden(25 * 1024 * 1024, help="Size of a sound file", unit="bytes", positive=True)
    audio_seconds: float = hidden(600.0, help="Length of a sound file", unit="seconds", positive=True)
    queue_limit: int = hidden(20, help="Utterances that wait in a session", positive=True)
    queue_seconds: float = hidden(900.0, help="Sound that waits in a session", unit="seconds", positive=True)
    queue_bytes: int = hidden(128 * 1024 * 1024, help="Sound that waits in a session", unit="bytes", positive=True)
    total_queue_bytes: int = hidden(
        512 * 1024 * 1024, help="Sound that waits in all sessions", unit="bytes", positive=True
    )
    pcm_seconds: float = hidden(30.0, help="Live sound that waits", unit="seconds", positive=True)
    rate: float = hidden(30.0, help="Requests of an address", unit="per second", positive=True)
    burst: int = hidden(100, help="Requests of an address at once", positive=True)
    idle_timeout: float = hidden(60.0, help="Life of a session without a viewer", unit="seconds", low=0, high=DAY)
    body_timeout: float = hidden(30.0, help="Wait for a request's body", unit="seconds", positive=True)
    socket_timeout: float = hidden(60.0, help="Wait for a message on a live PCM socket", unit="seconds", positive=True)
    uploads: int = hidden(32, help="Portraits kept, the oldest go first", positive=True)
    drain_seconds: float = hidden(30.0, help="Wait at the end for what is being said", unit="seconds", low=0, high=DAY)
    offline_jobs: int = hidden(1, help="Offline videos made at a time", note="0 for none", low=0, high=64, whole=True)
    offline_queue: int = hidden(8, help="Offline videos that wait", positive=True)
    offline_per_address: int = hidden(2, help="Offline videos of an address that wait or are made", positive=True)
    offline_limit: int = hidden(
        200 * 1024 * 1024, help="Size of the files of an offline video", unit="bytes", positive=True
    )
    offline_text: int = hidden(5000, help="Length of an offline video's text", unit="characters", positive=True)
    offline_seconds: float = hidden(600.0, help="Length of an offline video's files", unit="seconds", positive=True)
    offline_timeout: float = hidden(3600.0, help="Work on an offline video", unit="seconds", positive=True)
    offline_upload: float = hidden(600.0, help="Wait for the files of an offline video", unit="seconds", positive=True)
    offline_minutes: float = hidden(60.0, help="How long an offline video is kept", unit="minutes", positive=True)
    offline_kept: int = hidden(16, help="Offline videos kept, the oldest go first", positive=True)
    workers: int | None = hidden(None, help="Frames drawn at a time", low=1, high=1024, whole=True, unset="the cores")

    def __post_init__(self) -> None:
        check(self)
        check_device(self.device)
        if not self.generators or not all(self.generators) or len(set(self.generators)) < len(self.generators):
            named = ", ".join(self.generators) or "none"
            raise ServerError(f"generators {named}: give each --generator once, and one at least.")
        for name in (*SECRETS, "turn_user"):
            check_secret(name, getattr(self, name))
        for origin in self.origins:
            check_origin(origin)
        for kind in ("stun", "turn"):
            for url in getattr(self, kind):
                check_ice(url, kind)
        if self.turn and not self.turn_secret and not (self.turn_user and self.turn_password):
            raise ServerError("a TURN server needs --turn-secret-file, or --turn-user and --turn-password-file.")
        files_of_c2pa(self.c2pa or None)
        if self.udp_ports is not None and not 1024 <= self.udp_ports[0] <= self.udp_ports[1] <= 65535:
            raise ServerError(f"UDP ports {self.udp_ports} are no range. Write 50000-50100, within 1024 to 65535.")
        if self.public_ip:
            try:
                ipaddress.ip_address(self.public_ip)
            except ValueError:
                raise ServerError(f"public IP {self.public_ip!r} is not an address. Write 203.0.113.7.") from None

    @property
    def ice_servers(self) -> list[dict[str, Any]]:
        """STUN and TURN servers as RTCPeerConnection takes them, here and in the browser; for whoever asks now."""
        servers: list[dict[str, Any]] = [{"urls": [url]} for url in self.stun]
        if self.turn and self.turn_secret:
            servers.append({"urls": list(self.turn), **relay_credentials(self.turn_secret, self.turn_seconds)})
        elif self.turn:
            servers.append({"urls": list(self.turn), "username": self.turn_user, "credential": self.turn_password})
        return servers

    @property
    def ice_links(self) -> list[str]:
        """The same as values of the header Link, as WHEP has them."""
        links = []
        for server in self.ice_servers:
            user = f"; username={quoted(server['username'])}" if "username" in server else ""
            secret = f'; credential={quoted(server["credential"])}; credential-type="password"' if user else ""
            links += [f'<{url}>; rel="ice-server"{user}{secret}' for url in server["urls"]]
        return links

    @property
    def local_only(self) -> bool:
        """Whether HTTP is for this machine only."""
        return is_loopback(self.host)


SECRETS = tuple(entry.name for entry in entries(ServerSettings) if entry.option.secret)
"""Settings that may also be the content of a file: --token-file, or SPEECHHEAD_TOKEN_FILE."""


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
