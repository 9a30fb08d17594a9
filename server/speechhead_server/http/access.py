"""Who a caller is, and where a ticket leads."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from speechhead_server.core.config import ServerSettings, is_loopback
from speechhead_server.core.problems import Refused
from speechhead_server.core.tickets import Caller, Ticket

ADMINISTRATION = ("/admin", "/tickets")
"""Paths for whoever runs the server."""

OPERATION = (*ADMINISTRATION, "/metrics")
"""Paths that no ticket leads to."""

PROXIED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-real-ip", "via")
"""Headers that a proxy adds."""


class Access:
    """The rules of one server.

    Parameters
    ----------
    open_paths : which anybody may ask for
    may_use : whether a session, by its id, is one that a ticket may use
    """

    def __init__(
        self, settings: ServerSettings, open_paths: frozenset[str], may_use: Callable[[str, Ticket], bool]
    ) -> None:
        self._settings, self._open, self._may_use = settings, open_paths, may_use

    def caller(self, path: str, query: bytes, headers: Mapping[str, str], address: str) -> Caller:
        """Who asks for a path.

        Parameters
        ----------
        headers : by name in lower case
        address : of the network

        Raises
        ------
        Refused: 401 without a token that is needed, 403 or 404 where the one given does not lead.
        """
        wanted = self._settings.token
        given = _given(query, headers)
        if not wanted:
            # Each of these can be made up by a stranger or blurred by a proxy; all of them together can not.
            named = is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname or "")
            near = named and is_loopback(address) and not any(name in headers for name in PROXIED)
            caller = Caller(address, operator=near)
        elif hmac.compare_digest(given.encode(), wanted.encode()):
            caller = Caller(address, operator=True)
        elif path in self._open:
            return Caller(address)
        else:
            caller = Caller(address, self._ticket(given))
            self._check(path, caller)
        if _within(path, ADMINISTRATION) and not caller.operator:
            raise Refused(403, f"{path[:60]} is for the operator of this server. Start it with --token-file.")
        return caller

    def _ticket(self, given: str) -> Ticket:
        try:
            return Ticket.opened(given, self._settings.token)
        except LookupError:
            raise Refused(401, "the ticket's time is over. Ask for a new one.") from None
        except ValueError:
            remedy = "Send Authorization: Bearer TOKEN, or ?token=TOKEN."
            raise Refused(401, f"the token is missing or wrong. {remedy}") from None

    def _check(self, path: str, caller: Caller) -> None:
        ticket = caller.ticket
        assert ticket is not None
        if _within(path, OPERATION) or (_within(path, ("/offline",)) and not ticket.offline):
            raise Refused(403, f"the ticket does not lead to {path[:60]}. Ask the operator.")
        parts = [unquote(part) for part in path.split("/") if part]
        if parts[:1] == ["sessions"] and len(parts) > 1 and not self._may_use(parts[1], ticket):
            raise Refused(404, f"session {parts[1][:60]!r} is unknown or has ended. POST /sessions for a new one.")


def _given(query: bytes, headers: Mapping[str, str]) -> str:
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not given:
        given = parse_qs(query.decode("latin-1")).get("token", [""])[0]
    return given.strip()


def _within(path: str, folders: tuple[str, ...]) -> bool:
    path = unquote(path)
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
