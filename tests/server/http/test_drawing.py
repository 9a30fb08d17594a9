"""Scenes and networks over HTTP: gzipped once, told apart by their hash, and no token for what is no secret."""

from __future__ import annotations

import asyncio
import gzip
import hashlib

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from support.live import make, one_line, running

from speechhead.core import weights
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.scene.file import SceneFile

SIZE = 96


def test_scenes_and_networks():
    async def visit():
        server = make(generator=CompactGenerator, size=SIZE, token="secret")
        async with running(server) as client:
            one_line(await client.get("/avatars/mara/scene"), 401)
            network = await client.get("/weights/landmarks2latents_compact.onnx")
            assert network.content == weights.path("landmarks2latents_compact.onnx").read_bytes()
            same = {"If-None-Match": f'W/"other", {network.headers["etag"]}'}
            assert (await client.get("/weights/landmarks2latents_compact.onnx", headers=same)).status_code == 304
            assert (await client.get("/weights/head.npz")).status_code in (401, 404)

            client.headers["Authorization"] = "Bearer secret"
            first, second = await asyncio.gather(*(client.get("/avatars/mara/scene") for _ in range(2)))
            assert first.content == second.content and first.headers["content-encoding"] == "gzip"
            scene = SceneFile(first.content)
            assert (scene.told["size"], scene.array("rest").shape) == (SIZE, (70, 3))
            assert hashlib.sha256(first.content).hexdigest().startswith(first.headers["etag"].strip('"'))
            same = {"If-None-Match": first.headers["etag"]}
            assert (await client.get(f"/avatars/mara/scene?size={SIZE}", headers=same)).status_code == 304
            kept = server.gallery.get("mara").scenes
            assert list(kept) == [SIZE] and gzip.decompress(kept[SIZE].data) == first.content
            assert f"Choose {SIZE}" in one_line(await client.get("/avatars/mara/scene?size=64"), 422)
            one_line(await client.get("/avatars/nobody/scene"), 404)

    asyncio.run(visit())


def test_where_compact_is_not_served_there_are_no_scenes():
    async def visit():
        async with running(make(generators=("mine",))) as client:
            assert "--generator compact" in one_line(await client.get("/avatars/mara/scene"), 404)

    asyncio.run(visit())
