"""Temporary files: what is kept comes back, and a folder without room is one line that says how to get some."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from speechhead.core.errors import MediaError
from speechhead.render.scratch import POINTS, Scratch


def test_meshes_come_back():
    scratch, meshes = Scratch(), np.random.default_rng(0).random((3, POINTS, 3), np.float32)
    starts = [scratch.keep_mesh(mesh) for mesh in meshes]
    found = scratch.meshes(np.array([starts[2], -1, starts[0]]))
    assert (found[[0, 2]] == meshes[[2, 0]]).all() and np.isnan(found[1]).all()
    scratch.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no disk that is always full")
def test_a_full_disk_is_one_line(monkeypatch):
    full = open("/dev/full", "r+b")  # noqa: SIM115  # closed by the scratch
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    scratch = Scratch()
    with pytest.raises(MediaError, match=r": disk full. Free some space. Set TMPDIR to a folder with room.$") as caught:
        scratch.append(b"something")
    assert "\n" not in str(caught.value)
    scratch.close()


def test_without_any_folder_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(MediaError, match="gone: no such file or directory. Set TMPDIR"):
        Scratch()
