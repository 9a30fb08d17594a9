"""Portraits outlive a restart where the operator wants that, and no longer than that."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from speechhead_server.live.kept import KeptAvatars
from support.live import one_line, play, session

from speechhead.avatar.named import shipped
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import ServerError
from speechhead.face.landmarks import from_mesh, remove_pose

NAMES = [f"{number:032x}" for number in (1, 2, 3)]


@pytest.fixture
def avatar():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (96, 80, 3), np.uint8)
    mesh = rng.random((478, 3), np.float32) * 64
    (neutral,), (pose,) = remove_pose(from_mesh(mesh)[None])
    return Avatar(picture, (0, 0, 64), picture[:64, :64], mesh, neutral, pose)


def test_a_portrait_lasts_over_a_restart_and_goes_when_it_is_forgotten(tmp_path):
    folder = tmp_path / "kept"
    photo = next(iter(shipped().values())).path
    names = []

    async def upload(client, server):
        files = {"file": ("Somebody of mine.jpg", photo.read_bytes(), "image/jpeg")}
        made = (await client.post("/avatars", files=files)).json()
        names.append(made["id"])
        while made["state"] == "preparing":
            await asyncio.sleep(0.1)
            made = (await client.get(f"/avatars/{made['id']}")).json()
        assert made["state"] == "ready", made

    async def find_again(client, server):
        (name,) = names
        found = (await client.get(f"/avatars/{name}")).json()
        assert (found["name"], found["state"], found["shipped"]) == ("Somebody of mine", "ready", False)
        assert (await client.get(f"/avatars/{name}/picture")).content[:2] == b"\xff\xd8"  # before any session shows it
        assert (await session(client, avatar=name))["avatar"] == name
        assert name not in (await client.get("/avatars")).text
        assert (await client.delete(f"/avatars/{name}")).status_code == 204

    async def gone(client, server):
        one_line(await client.get(f"/avatars/{names[0]}"), 404)

    for scenario in (upload, find_again, gone):
        play(scenario, avatars_folder=str(folder))
    assert list(folder.iterdir()) == [] and folder.stat().st_mode & 0o777 == 0o700


def test_old_foreign_and_damaged_files(tmp_path, avatar, caplog):
    kept = KeptAvatars(str(tmp_path), days=2)
    for name in NAMES:
        kept.keep(name, f"title {name[-1]}", avatar)
    old, damaged, good = (tmp_path / f"{name}.avatar" for name in NAMES)
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    damaged.write_bytes(good.read_bytes()[:200])
    (tmp_path / f"{4:032x}.avatar").mkdir()
    (tmp_path / "me.avatar").write_bytes(good.read_bytes())  # the operator's own affair
    assert [(each.name, each.title) for each in kept.find()] == [(NAMES[2], "title 3")]
    assert not old.exists() and damaged.exists() and good.stat().st_mode & 0o777 == 0o600
    assert NAMES[1] in caplog.text and "title" not in caplog.text
    assert list(KeptAvatars("", 2).find()) == []


def test_a_disk_that_takes_nothing_is_told_and_stops_nobody(tmp_path, avatar, caplog, monkeypatch):
    kept = KeptAvatars(str(tmp_path), days=2)
    kept.keep(NAMES[0], "title", avatar)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    monkeypatch.setattr(Path, "unlink", full)
    kept.keep(NAMES[1], "title", avatar)
    kept.forget(NAMES[0])
    assert caplog.text.count("No space left on device") == 2 and "could not be removed" in caplog.text
    assert [each.name for each in kept.find()] == [NAMES[0]]


def test_a_folder_that_is_none_is_refused_at_the_start(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ServerError, match="Choose another"):
        KeptAvatars(str(tmp_path / "file"), 1)


def test_a_named_portrait_that_was_removed_is_unknown(monkeypatch):
    from speechhead_server.live import avatars

    there = avatars.named_portraits()
    known = {**there, "joe": there["mara"]}
    monkeypatch.setattr(avatars, "named_portraits", lambda: known)

    async def use(client, server):
        assert (await client.get("/avatars/joe")).status_code == 200
        del known["joe"]
        assert (await client.get("/avatars/joe")).status_code == 404
        assert "joe" not in [entry["id"] for entry in (await client.get("/avatars")).json()["avatars"]]
        assert (await client.post("/sessions", json={"avatar": "joe"})).status_code == 404

    play(use)
