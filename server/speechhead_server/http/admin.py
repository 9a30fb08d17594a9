"""What whoever runs the server may do: see who is there, end them, make tickets, let nobody new in."""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone
from typing import Any

from fastapi import FastAPI
from pydantic import Field, StrictBool

from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused
from speechhead_server.core.tickets import LONGEST, Ticket
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions

from .control_fields import strict
from .requests import Body, WholeNumber
from .results import Result, refusals

Number: Any = strict(float)


class TicketBody(Body):
    """A ticket to make."""

    seconds: Number = Field(3600.0, ge=1, le=LONGEST)
    session: str = Field("", max_length=100)
    sessions: WholeNumber = Field(1, ge=1, le=1000)
    session_seconds: Number | None = Field(None, gt=0, le=LONGEST)
    offline: StrictBool = False


class TicketResult(Result):
    """A ticket: what its holder sends as a token, and when it ends."""

    ticket: str
    expires: str


class OutletBody(Body):
    """Where a session is sent to."""

    target: str = Field(max_length=1000, json_schema_extra={"pattern": "^(rtmps?://|udp://|/dev/video).+"})


class OutletResult(Result):
    """An address that a session is sent to; of an address only the host is shown."""

    id: str
    target: str
    state: str
    error: str
    seconds: float
    fps: float
    tries: int
    left_out: int


class VisitResult(Result):
    """A session as its operator sees it; ticket: name of the one it was opened with; left: seconds until its end."""

    id: str
    avatar: str
    voice: str
    size: int
    state: str
    opened: str
    uptime: float
    left: float | None
    address: str
    ticket: str | None
    characters: int
    viewers: list[dict[str, Any]]
    outlets: list[OutletResult]


class VisitsResult(Result):
    """All sessions; resting: no new one is let in."""

    resting: bool
    capacity: int
    sessions: list[VisitResult]


class RestBody(Body):
    """Whether new sessions are let in."""

    resting: StrictBool


async def visit(session: Session) -> dict[str, Any]:
    """A session as JSON."""
    stats, caller = await session.stats(), session.terms.caller
    left = None if math.isinf(session.left) else round(max(0.0, session.left), 1)
    shown = {**session.describe(), "opened": session.opened.isoformat(timespec="seconds"), "left": left}
    shown |= {"address": caller.address, "ticket": caller.ticket.name if caller.ticket else None}
    shown |= {name: stats[name] for name in ("state", "uptime", "fps", "late", "draw_ms", "queued", "viewers")}
    shown |= {"outlets": session.outlets.describe()}
    return {**shown, "characters": session.characters}


def add_admin(api: FastAPI, sessions: Sessions, settings: ServerSettings) -> None:
    """The routes of the operator."""

    async def shown() -> dict[str, Any]:
        found = [await visit(session) for session in sessions if not session.closed]
        return {"resting": sessions.resting, "capacity": sessions.studio.capacity, "sessions": found}

    @api.get("/admin/sessions", tags=["administration"], response_model=VisitsResult, responses=refusals(403))
    async def visits() -> dict[str, Any]:
        """Who is there."""
        return await shown()

    @api.patch("/admin/sessions", tags=["administration"], response_model=VisitsResult, responses=refusals(400, 403))
    async def rest(body: RestBody) -> dict[str, Any]:
        """Let no new session in, or let them in again; those that run go on. `/readyz` says 503 meanwhile."""
        sessions.resting = body.resting
        return await shown()

    @api.delete("/admin/sessions/{name}", status_code=204, tags=["administration"], responses=refusals(403, 404))
    async def end(name: str) -> None:
        """End a session; its viewers are told that the operator did."""
        await sessions.end(name, "operator")

    @api.delete(
        "/admin/sessions/{name}/viewers/{viewer}",
        status_code=204,
        tags=["administration"],
        responses=refusals(403, 404),
    )
    async def end_viewer(name: str, viewer: str) -> None:
        """End one viewer, and the session that was made for it alone."""
        await sessions.end_viewer(sessions.get(name), viewer)

    @api.post(
        "/admin/sessions/{name}/outlets",
        status_code=201,
        tags=["administration"],
        response_model=OutletResult,
        responses=refusals(400, 403, 404),
    )
    async def send(name: str, body: OutletBody) -> dict[str, Any]:
        """Send a session to rtmp://, rtmps:// or udp://, or to a virtual camera, /dev/videoN, until it ends."""
        return sessions.get(name).outlets.add(body.target).describe()

    @api.delete(
        "/admin/sessions/{name}/outlets/{outlet}",
        status_code=204,
        tags=["administration"],
        responses=refusals(403, 404),
    )
    async def end_outlet(name: str, outlet: str) -> None:
        """Send it there no more."""
        await sessions.get(name).outlets.end(outlet)

    @api.post(
        "/tickets",
        status_code=201,
        tags=["administration"],
        response_model=TicketResult,
        responses=refusals(400, 403, 404, 409),
    )
    async def ticket(body: TicketBody) -> dict[str, str]:
        """Make a token that ends: for a visitor, or for one session that runs."""
        if not settings.token:
            raise Refused(409, "a server without a token needs no tickets. Start it with --token-file.")
        if body.session:
            sessions.get(body.session)
        made = Ticket(time.time() + body.seconds, body.session, body.sessions, body.session_seconds, bool(body.offline))
        ends = datetime.fromtimestamp(int(made.expires), timezone.utc)
        return {"ticket": made.sealed(settings.token), "expires": ends.isoformat()}
