"""WHEP (draft-ietf-wish-whep): an SDP offer for its answer, candidates that come later, and the end."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse

from speechhead.motion.wire import BASIS
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused
from speechhead_server.core.tickets import CALLER, Caller
from speechhead_server.live.session import Session
from speechhead_server.live.sessions import Sessions
from speechhead_server.live.wish import SessionWish
from speechhead_server.rtc.sdp import read_fragment

from .results import refusals

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"

OFFER: dict[str, Any] = {
    "requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string", "pattern": "^v=0"}}}}
}
"""What a route that takes an offer says of its body."""

PIECE = {"type": "string", "pattern": "a=(candidate|ice-ufrag|end-of-candidates)"}

CANDIDATES: dict[str, Any] = {
    "requestBody": {"required": True, "content": {FRAGMENT: {"schema": PIECE}}},
    "parameters": [{"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}],
}
ANSWER: dict[int | str, Any] = {
    201: {"description": "The answer.", "content": {SDP: {"schema": {"type": "string"}}}},
    **refusals(400, 404, 406, 413, 415, 503),
}


def add_whep(api: FastAPI, sessions: Sessions, settings: ServerSettings) -> None:
    """The routes of WHEP: of a session, and alone, where a player's offer makes a session of its own."""

    @api.post(
        "/sessions/{name}/whep",
        status_code=201,
        tags=["whep"],
        responses=ANSWER,
        openapi_extra=OFFER,
        response_class=Response,
    )
    async def whep(name: str, request: Request) -> Response:
        """WHEP: an SDP offer for its answer."""
        offer = await _offer(request)
        return await _view(sessions.get(name), offer, settings, request.scope.get(CALLER))

    @api.post("/whep", status_code=201, tags=["whep"], responses=ANSWER, openapi_extra=OFFER, response_class=Response)
    async def whep_alone(
        request: Request,
        avatar: str | None = None,
        voice: str | None = None,
        size: int | None = None,
        generator: str | None = None,
        background: str | None = None,
        drawn: Literal["server", "viewer"] = "server",
    ) -> Response:
        """WHEP for players: makes a session that ends with its viewer."""
        offer = await _offer(request)
        wanted = SessionWish(avatar, voice, size, generator, background, drawn=drawn)
        made = await sessions.open(wanted, single=True, caller=request.scope.get(CALLER))
        try:
            return await _view(made, offer, settings)
        except BaseException:
            await sessions.discard(made)
            raise

    @api.get("/draw/motion_basis.json", tags=["whep"], response_class=FileResponse)
    async def motion_basis() -> FileResponse:
        """The basis in which motion is told to viewers that draw; the client's modules look for it beside them."""
        return FileResponse(BASIS, media_type="application/json")

    @api.delete("/sessions/{name}/whep/{viewer}", tags=["whep"], responses=refusals(404), response_class=Response)
    async def leave(name: str, viewer: str) -> Response:
        """WHEP: end a viewer."""
        await sessions.end_viewer(sessions.get(name), viewer)
        return Response()

    @api.patch(
        "/sessions/{name}/whep/{viewer}",
        status_code=204,
        tags=["whep"],
        responses=refusals(400, 404, 412, 413, 415, 422, 428),
        openapi_extra=CANDIDATES,
        response_class=Response,
    )
    async def trickle(name: str, viewer: str, request: Request) -> Response:
        """WHEP: candidates that come after the offer, under the answer's ETag. ICE restarts are not supported."""
        _check_type(request, FRAGMENT, "Accept-Patch")
        watcher = sessions.get(name).viewer(viewer)
        matched, text = request.headers.get("if-match", "").strip(), await _text(request)
        if not matched and not read_fragment(text).ufrag:  # some players name the ICE session by its own name alone
            raise Refused(428, "If-Match is missing. Send the ETag of the answer, or a=ice-ufrag.")
        if matched and matched not in ("*", watcher.etag):
            raise Refused(412, f"If-Match {matched[:40]} is not this ICE session's. Send the ETag of the answer.")
        await watcher.trickle(text)
        return Response(status_code=204)


async def _view(session: Session, offer: str, settings: ServerSettings, caller: Caller | None = None) -> Response:
    viewer, answer = await session.view(offer)
    if caller is not None and caller.ticket is not None and caller.ticket.session:  # which the session may outlast
        viewer.until = time.monotonic() + caller.ticket.left
    headers = {"Location": f"/sessions/{session.name}/whep/{viewer.name}", "Session": session.name}
    headers |= {"ETag": viewer.etag, "Accept-Patch": FRAGMENT}
    response = Response(answer, 201, headers, media_type=SDP)
    for link in settings.ice_links:
        response.headers.append("Link", link)
    return response


async def _offer(request: Request) -> str:
    _check_type(request, SDP, "Accept-Post")
    accepted = request.headers.get("accept", "*/*").lower()
    if not any(kind in accepted for kind in (SDP, "application/*", "*/*")):
        raise Refused(406, f"accept {accepted[:60]!r} leaves out {SDP}, which the answer is.")
    return await _text(request)


def _check_type(request: Request, wanted: str, header: str) -> None:
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content != wanted:
        raise Refused(415, f"content type {content[:60]!r} is not taken. Send {wanted}.", headers={header: wanted})


async def _text(request: Request) -> str:
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError:
        raise Refused(400, "the description is not text. Send SDP as the browser made it.") from None
