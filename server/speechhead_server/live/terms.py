"""On what terms a session runs: who is on the air, for whom, how long, and how much it may say."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from speechhead_server.core.addresses import network
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused
from speechhead_server.core.tickets import Caller

NOTICE = 30.0
"""Seconds before its end at which a session's viewers are told of it."""


class Role(NamedTuple):
    """Who is on the air: names of the portrait, of the voice where `say` names none, and of what draws."""

    avatar: str
    voice: str
    generator: str


@dataclass(frozen=True)
class Terms:
    """Of one session.

    caller: who opened it
    single: it was made for one viewer and ends with it
    seconds: for which it runs at most, infinite if nothing was said of that
    characters: of text that it says in all, at most; None without a limit
    """

    caller: Caller = Caller()
    single: bool = False
    seconds: float = math.inf
    characters: int | None = None

    def check_text(self, said: int, count: int) -> None:
        """429 for so many characters that go beyond what a session may say; `said` were."""
        if self.characters is not None and said + count > self.characters:
            left = max(0, self.characters - said)
            raise Refused(429, f"the session may say {self.characters} characters, {left} are left. Open another one.")


def terms(settings: ServerSettings, caller: Caller, single: bool, running: Iterable[Terms]) -> Terms:
    """The terms of a new session of this caller beside those that run.

    Raises
    ------
    Refused (429) if the caller has as many as it may have; (403) if its ticket opens none.
    """
    others, ticket = [each.caller for each in running], caller.ticket
    most, here = settings.sessions_per_address, network(caller.address)
    if most is not None and not caller.operator and sum(network(c.address) == here for c in others) >= most:
        raise Refused(429, f"{caller.address} has {most} session{'s' * (most > 1)} already. End one, or wait.", 10)
    limits = [math.inf if settings.session_seconds is None else settings.session_seconds]
    if ticket is not None:
        if ticket.session:
            raise Refused(403, "the ticket is for one session and opens no other. Ask for one of your own.")
        if sum(c.ticket is not None and c.ticket.name == ticket.name for c in others) >= ticket.sessions:
            many = f"{ticket.sessions} session{'s' * (ticket.sessions > 1)}"
            raise Refused(429, f"the ticket is for {many} at a time. End one, or wait.", 10)
        limits += [ticket.left] + ([] if ticket.session_seconds is None else [ticket.session_seconds])
    return Terms(caller, single, min(limits), settings.session_text)
