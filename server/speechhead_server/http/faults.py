"""What a request that fails is answered: a status and one line, whatever went wrong."""

from __future__ import annotations

import logging
import os
import traceback
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from speechhead.core.disk import disk_full
from speechhead.core.errors import SpeechheadError
from speechhead_server.core.problems import GONE, Refused, for_log, no_room, one_line

from .guard import FAILED

log = logging.getLogger("speechhead.server")


def add_faults(api: FastAPI) -> None:
    """Let an application answer what its routes raise."""
    api.add_exception_handler(SpeechheadError, _refused)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(RequestValidationError, _not_valid)
    api.add_exception_handler(ClientDisconnect, _gone)
    api.add_exception_handler(OSError, _system)
    api.add_exception_handler(Exception, _failed)


async def _gone(request: Request, _: Exception) -> JSONResponse:
    return await _refused(request, Refused(408, GONE))


async def _system(request: Request, error: Exception) -> JSONResponse:
    return await (_refused(request, no_room()) if disk_full(error) else _failed(request, error))


async def _refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Refused):
        return JSONResponse({"error": one_line(error)}, 422)
    return JSONResponse({"error": one_line(error)}, error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, dict(error.headers or {})
    if status in (404, 405):  # the client's files take every path, so what they say of one that is no file is not meant
        allowed = _methods(request)
        status = 405 if allowed else 404
        headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    what = {404: f"there is nothing at {request.url.path[:100]}. See /docs."}
    what[405] = f"{request.method} is not possible here, {headers.get('Allow')} is. See /docs."
    return JSONResponse({"error": what.get(status) or one_line(Exception(error.detail))}, status, headers)


def _methods(request: Request) -> set[str]:
    """What may be asked at a path, by other methods than the request's own."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches({**request.scope, "method": "?"})[0] is Match.PARTIAL:
            found |= route.methods or set()
    return found | ({"HEAD"} if "GET" in found else set()) | ({"OPTIONS"} if found else set())


async def _not_valid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    status = 400 if first["type"].startswith("json") else 422
    return JSONResponse({"error": f"{where[:80]}: {one_line(Exception(first['msg']))}."}, status)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    trace = error if os.environ.get("SPEECHHEAD_DEBUG") else None
    route = getattr(request.scope.get("route"), "path", "?")  # as it is written here, without what a client put into it
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in place)
    log.error("%s %s: %s%s", request.method, route, for_log(error), where, exc_info=trace)
    return JSONResponse({"error": FAILED}, 500)
