"""The server's own processes run our code, whatever files lie in the folder that the server was started in."""

from __future__ import annotations

import json
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from speechhead_server.core.children import child_command
from support.paths import ROOT

TRAPS = ("server", "pipelines", "speechhead", "speechhead_server", "json", "numpy", "runpy", "av", "PIL")
"""Names of files in the working folder: ours, Python's and other packages'."""


@pytest.fixture
def trapped(tmp_path, monkeypatch):
    """A working folder full of traps, which this process would look through first, as after `python -m`."""
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the working folder was run')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    return tmp_path


def run(module: str, *arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*child_command(module), *arguments], input=given, capture_output=True, timeout=60)


def test_the_voice_process_is_ours(trapped):
    done = run("speechhead_server.voice.voice_process", given=b"")
    assert done.returncode == 0, done.stderr.decode()
    (length,) = struct.unpack_from(">I", done.stdout)
    assert json.loads(done.stdout[4 : 4 + length])["ready"] is True


def test_the_decoder_is_ours(trapped, tmp_path_factory):
    folder = tmp_path_factory.mktemp("upload")
    Image.new("RGB", (64, 64), (200, 10, 10)).save(folder / "sent.png")
    sent = (folder / "sent.png").read_bytes()
    done = run("speechhead_server.uploads.decode_process", "picture", str(folder), "1e6", given=sent)
    assert done.returncode == 0, done.stderr.decode()
    assert np.load(folder / "picture.npy").shape == (64, 64, 3)


def test_a_checkout_that_is_the_working_folder_serves_all_the_same(monkeypatch):
    monkeypatch.chdir(ROOT)
    ours = [str(ROOT / folder) for folder in (".", "server", "tests")]  # an environment may lie in the checkout as well
    monkeypatch.setattr(sys, "path", ["", *(path for path in sys.path if path not in ours)])
    done = run("speechhead_server.voice.voice_process", given=b"")
    assert done.returncode == 0, done.stderr.decode()
