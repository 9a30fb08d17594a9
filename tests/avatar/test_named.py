"""Portraits with names: shipped ones, and those that a user adds."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from speechhead import Avatar
from speechhead.avatar import named
from speechhead.cli.main import app
from speechhead.core.errors import FaceError, ImageError
from speechhead.tts import voices

RUN = CliRunner()


def test_every_shipped_portrait_has_a_voice_of_the_base_install_as_well() -> None:
    base = {voice.name for voice in voices() if voice.engine == "piper"}
    for entry in named.shipped().values():
        assert entry.path.is_file() and entry.licence and entry.credit
        assert len(entry.voices) == 2 and entry.fallback_voice in base


def test_an_added_portrait_speaks_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path))
    picture = named.shipped()["mara"].path
    done = RUN.invoke(app, ["avatars", "add", str(picture), "--name", "me", "--voice", "joe"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "avatars" / "me.jpg").read_bytes() == picture.read_bytes()
    avatar = Avatar.open("me", 256)
    assert (avatar.name, avatar.voice) == ("me", ("joe",))
    assert "me" in RUN.invoke(app, ["avatars"]).output
    assert sorted(file.name for file in (tmp_path / "avatars").iterdir()) == ["me.jpg", "me.json"]
    for name in ("mara", "you", ""):
        with pytest.raises(ImageError):
            named.remove(name)
    assert RUN.invoke(app, ["avatars", "remove", "me"]).exit_code == 0
    assert not list((tmp_path / "avatars").iterdir()) and "me" not in named.added()
    for name in ("mara", "../me", ""):
        with pytest.raises(ImageError):
            named.add(picture, name)


def test_a_copy_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path))

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ImageError, match="disk full"):
        named.add(named.shipped()["mara"].path, "me")
    assert not list((tmp_path / "avatars").iterdir())


def test_what_is_no_portrait_is_not_added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path / "home"))
    (tmp_path / "wall.jpg").write_bytes(b"no picture")
    done = RUN.invoke(app, ["avatars", "add", str(tmp_path / "wall.jpg")])
    assert isinstance(done.exception, ImageError | FaceError)
    assert not (tmp_path / "home").exists()


def test_unreadable_entries_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path))
    folder = tmp_path / "avatars"
    folder.mkdir()
    (folder / "cut.json").write_text("{")
    (folder / "gone.json").write_text(json.dumps({"name": "gone", "file": "gone.jpg", "voice": ""} | LEGAL))
    (folder / "up.json").write_text(json.dumps({"name": "up", "file": "../up.jpg", "voice": ""} | LEGAL))
    (tmp_path / "up.jpg").write_bytes(b"x")
    (folder / "odd.json").write_text(json.dumps({"name": ["odd"], "file": 3, "voice": ""} | LEGAL))
    assert named.added() == {}
    assert list(named.named_portraits()) == list(named.shipped())
    assert sorted(named.faults()) == ["cut", "gone", "odd", "up"]
    named.remove("up")
    assert sorted(named.faults()) == ["cut", "gone", "odd"] and (tmp_path / "up.jpg").is_file()
    with pytest.raises(ImageError, match=r"cut\.json: is damaged"):
        Avatar.open("cut")
    assert "gone.json: is damaged, or its picture is gone" in RUN.invoke(app, ["avatars"]).output


def test_a_damaged_portrait_is_removed_with_its_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path))
    for name in ("me", "me2"):
        named.add(named.shipped()["mara"].path, name)
    (tmp_path / "avatars" / "me.json").write_text("{")
    named.remove("me")
    assert sorted(file.stem for file in (tmp_path / "avatars").iterdir()) == ["me2", "me2"]


def test_a_name_that_is_not_usable_is_told_at_once(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["avatars", "add", str(tmp_path / "a:b.jpg")])  # no such picture, either
    assert isinstance(done.exception, ImageError) and "name 'a:b'" in str(done.exception)
    named.check_name("Zoë")


def test_a_portrait_is_replaced_with_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path))
    picture = tmp_path / "me.png"
    picture.write_bytes(b"x")
    named.add(named.shipped()["mara"].path, "me")
    named.add(picture, "me")
    assert "me: the portrait of that name is replaced." in caplog.text
    assert sorted(file.name for file in (tmp_path / "avatars").iterdir()) == ["me.json", "me.png"]


LEGAL = {"licence": "mine", "credit": ""}
