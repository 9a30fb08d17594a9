"""What a viewer needs to draw by itself: the scene of a portrait, and the networks."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse

from speechhead.core import weights
from speechhead_server.live.avatars import Gallery

from .page import WEIGHTS
from .results import refusals

PATHS = frozenset(f"/weights/{name}" for name in WEIGHTS)
"""They are no secret, like the page, and need no token."""

SCENE = "application/vnd.safetensors"
FRESH = "no-cache"
"""Kept by browsers, and asked for again each time by its hash."""


def add_drawing(api: FastAPI, gallery: Gallery) -> None:
    """Join the routes."""

    @api.get(
        "/avatars/{name}/scene",
        tags=["avatars"],
        response_class=Response,
        responses={200: {"content": {SCENE: {}}}, **refusals(404, 409, 422)},
    )
    async def scene(name: str, request: Request, size: int | None = None) -> Response:
        """All that a browser draws the portrait from, in one file (docs/scene.md)."""
        found = await gallery.scene(name, size)
        headers = _tagged(found.hash)
        if _has(request, headers):
            return Response(status_code=304, headers=headers)
        return Response(found.data, media_type=SCENE, headers=headers | {"Content-Encoding": "gzip"})

    def serve(file: str) -> None:
        @api.get(f"/weights/{file}", include_in_schema=False)
        def network(request: Request) -> Response:
            path = weights.path(file)
            headers = _tagged(_hash(path, path.stat().st_mtime_ns))
            if _has(request, headers):
                return Response(status_code=304, headers=headers)
            return FileResponse(path, media_type="application/octet-stream", headers=headers)  # read as it is sent

    for file in WEIGHTS:
        serve(file)


@lru_cache(maxsize=len(WEIGHTS))
def _hash(path: Path, _: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tagged(digest: str) -> dict[str, str]:
    return {"ETag": f'"{digest[:32]}"', "Cache-Control": FRESH}


def _has(request: Request, headers: dict[str, str]) -> bool:
    """Whether the browser has the file that these headers are of."""
    asked = request.headers.get("if-none-match", "")
    return headers["ETag"] in {one.strip().removeprefix("W/") for one in asked.split(",")}
