"""`speechhead serve`: build the server, say where it is, run it until it is told to end."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from inspect import Parameter
from typing import Any

from speechhead.cli.records import as_parameter, file_parameter, with_parameters
from speechhead.core.errors import ServerError
from speechhead.core.records import entries
from speechhead.media.credentials import FileSigner
from speechhead_server.core.config import SECRETS, ServerSettings, from_environment, is_loopback
from speechhead_server.core.logs import begin_logs
from speechhead_server.core.redaction import private_logs

SWITCH = 0.002
"""Seconds after which a thread yields the interpreter: packets must not wait the usual 5 ms for a picture."""

log = logging.getLogger("speechhead.server")


def serve(settings: ServerSettings) -> None:
    """Run a server until SIGINT or SIGTERM.

    Raises
    ------
    ServerError if a package is missing or the address can't be used; WeightsError or DeviceError for a generator that
    can not be opened here, before anything listens.
    """
    try:
        from speechhead_server.rtc.targets import check_targets

        from .app import Server
        from .running import served
    except ImportError as error:
        raise ServerError(f"the server needs {error.name}. pip install 'speechhead[server]'.") from error
    check_targets(settings.push)
    if settings.c2pa:
        FileSigner(*settings.c2pa)
    begin_logs(settings.log_format)
    logging.getLogger("speechhead").handlers = []  # those of the command line, which would say all of it again
    logging.getLogger("aioice").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    sys.setswitchinterval(SWITCH)
    listen(settings.host, settings.port).close()  # an address that is taken is said before networks are opened
    server = Server(settings)
    listener = listen(settings.host, settings.port)
    running = served(server.app, settings.host, settings.port, server, settings.drain_seconds)
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    port = listener.getsockname()[1]
    note = f"http://{shown}:{port}/ with {', '.join(settings.generators)} at {server.studio.size} px"
    note += f", {server.studio.capacity} session(s) at a time"
    log.info("speechhead: %s%s.", note, "" if settings.token or is_loopback(settings.host) else "; open to everybody")
    if not settings.token and not is_loopback(settings.host):
        log.warning("anybody who reaches %s may use this server. Give --token-file to change that.", settings.host)
    with (
        listener,
        private_logs([getattr(settings, name) for name in SECRETS]),
        contextlib.suppress(KeyboardInterrupt, SystemExit),  # the signal that ended it, raised again by uvicorn
    ):
        running.run([listener])
    if running.failed:
        raise ServerError("the server did not start; its reason is above.")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; ServerError where that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ServerError(
            f"{host}:{port}: can not listen ({reason.lower()}). Choose another --host or --port."
        ) from None


def _options() -> list[Parameter]:
    """The settings as options of the command line, each None where it is not given."""
    parameters = []
    for entry in entries(ServerSettings):
        if entry.option.command:
            parameters.append(as_parameter(entry, None))
        if entry.option.secret:
            parameters.append(file_parameter(entry))
    return parameters


def command(**given: Any) -> None:
    """Serve live avatars to browsers over WebRTC; see server/PROTOCOL.md. Options may be SPEECHHEAD_* variables."""
    serve(from_environment({name: None if value == [] else value for name, value in given.items()}))


with_parameters(command, _options())
