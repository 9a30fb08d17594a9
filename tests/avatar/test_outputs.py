"""No result is written onto a file that it is made from, whatever either of them is called."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from PIL import Image

from speechhead import Avatar
from speechhead.api import animate, render, say
from speechhead.avatar.outputs import check_target
from speechhead.cli import main as cli
from speechhead.core.errors import ImageError, MediaError, WeightsError
from speechhead.generators.checkpoints.published import import_checkpoint

CONTENT = b"what can not be had again"
"""Of every input: no picture, sound or video, so that whoever decodes it first has another complaint."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with a file `in.mp4` and weights imported as `own`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for path in (tmp_path / "in.mp4", tmp_path / "home" / "own.safetensors"):
        path.write_bytes(CONTENT)
    return tmp_path


def hard(link, path):
    os.link(path, link)


def soft(link, path):
    os.symlink(path, link)


WAYS = {
    "same": ("in.mp4", None),
    "relative": ("./sub/../in.mp4", None),
    "absolute": (None, None),
    "symlink": ("out.mp4", soft),
    "hard link": ("out.mp4", hard),
}

COMMANDS = {
    "say's sound": ["say", "in.mp4"],
    "say's portrait": ["say", "Hello.", "--portrait", "in.mp4"],
    "say's voice": ["say", "Hello.", "--voice", "in.mp4"],
    "render's source": ["render", "--source", "in.mp4", "--audio", "none.wav"],
    "render's sound": ["render", "--source", "grace_hopper", "--audio", "in.mp4"],
    "animate's source": ["animate", "--source", "in.mp4", "--driver", "none.mp4"],
    "animate's driver": ["animate", "--source", "grace_hopper", "--driver", "in.mp4"],
    "animate's weights": ["animate", "--source", "none.png", "--driver", "x.mp4", "--weights", "in.mp4"],
}


def run(monkeypatch, capsys, *arguments):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "argv", ["speechhead", *map(str, arguments)])
    try:
        with pytest.raises(SystemExit) as done:
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    return done.value.code, *capsys.readouterr()


def refused(result, folder):
    code, out, err = result
    assert code == 2 and out == "" and err.count("\n") == 1 and "same file as the input" in err, err
    assert (folder / "in.mp4").read_bytes() == CONTENT
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_is_an_input_is_refused(folder, monkeypatch, capsys, command, way):
    (folder / "sub").mkdir()
    name, link = WAYS[way]
    output = folder / "in.mp4" if name is None else name
    if link:
        link(output, folder / "in.mp4")
    refused(run(monkeypatch, capsys, *COMMANDS[command], "-o", output), folder)


def test_python_refuses_it_too(folder):
    for call in (
        lambda: say("in.mp4", "in.mp4"),
        lambda: say(Path("in.mp4"), folder / "in.mp4"),
        lambda: render("in.mp4", "none.wav", "in.mp4"),
        lambda: animate("in.mp4", "none.mp4", "in.mp4"),
    ):
        with pytest.raises(MediaError, match="same file as the input"):
            call()
    assert (folder / "in.mp4").read_bytes() == CONTENT


def test_the_default_output_is_no_exception(folder, monkeypatch, capsys):
    (folder / "render.mp4").write_bytes(CONTENT)
    result = run(monkeypatch, capsys, "render", "--source", "render.mp4", "--audio", "none.wav")
    refused(result, folder)
    assert (folder / "render.mp4").read_bytes() == CONTENT


def test_names_that_stand_for_files(folder, monkeypatch):
    portrait = folder / "portrait.jpg"
    portrait.write_bytes(CONTENT)
    entry = type("Entry", (), {"path": portrait})
    monkeypatch.setattr("speechhead.avatar.outputs.named_portraits", lambda: {"somebody": entry})
    for number, (name, path) in enumerate([("somebody", portrait), ("own", folder / "home" / "own.safetensors")]):
        output = folder / f"{number}.mp4"
        os.symlink(path, output)
        with pytest.raises(MediaError, match=f"the input '{name}'"):
            check_target(output, None, name)


def test_capital_letters_count_where_the_file_system_says_so(folder):
    if not (folder / "IN.MP4").exists():
        (folder / "IN.MP4").write_bytes(b"another")
        assert check_target("IN.MP4", "in.mp4") == Path("IN.MP4")
        return
    with pytest.raises(MediaError, match="same file"):
        check_target("IN.MP4", "in.mp4")


def test_other_outputs_are_let_through(folder):
    (folder / "old.mp4").write_bytes(b"an older result")
    for output in ("old.mp4", "new.mp4"):
        assert check_target(output, "in.mp4", None, "Hello. " * 200, "grace_hopper", "none\0", object()) == Path(output)


def test_weights_are_not_imported_onto_their_checkpoint(folder):
    pytest.importorskip("torch")
    for config in (None, "in.mp4"):
        (folder / "other.pth").write_bytes(CONTENT)
        given = "other.pth" if config else "in.mp4"
        with pytest.raises(WeightsError, match="same file as the input"):
            import_checkpoint(given, "fomm", "in.mp4", config)
    assert (folder / "in.mp4").read_bytes() == CONTENT


def test_an_avatar_replaces_avatars_and_nothing_else(folder, portrait):
    Image.fromarray(portrait).save("me.png")
    before = Path("me.png").read_bytes()
    avatar = Avatar.from_image("me.png", 128)
    with pytest.raises(ImageError, match="is no avatar"):
        avatar.save("me.png")
    assert Path("me.png").read_bytes() == before
    for _ in range(2):
        assert Avatar.load(avatar.save("me.avatar")).size == 128
