"""Bright lines between closed lips, and folds at rest, measured on the portraits that ship."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.judge import rest, seam
from speechhead.audio.io import save_wav
from speechhead.avatar.named import shipped


@pytest.fixture
def portraits(tmp_path: Path) -> Path:
    """A closed mouth, a smile, and no picture at all; with a list of their names."""
    folder = tmp_path / "portraits"
    folder.mkdir()
    for name in ("mara", "eileen_collins"):
        shutil.copy(shipped()[name].path, folder)
    (folder / "junk.jpg").write_bytes(b"no picture")
    (tmp_path / "names.txt").write_text("mara.jpg\neileen_collins.jpg\njunk.jpg\n")
    return folder


def test_closed_lips_have_no_bright_line(portraits: Path, tmp_path: Path) -> None:
    time = np.arange(16000) / 16000
    words = 0.2 * np.sin(2 * np.pi * 160 * time) * (np.sin(2 * np.pi * 2 * time) > 0)
    save_wav(tmp_path / "words.wav", words.astype(np.float32))
    arguments = [str(portraits), str(tmp_path / "words.wav"), "--size", "256", "--json", str(tmp_path / "rows.json")]
    done = CliRunner().invoke(seam.app, arguments)
    assert done.exit_code == 0, done.output
    assert "junk.jpg" in done.output
    told = json.loads((tmp_path / "rows.json").read_text())
    rows = {row["name"]: row for row in told["portraits"]}
    assert set(rows) == {"mara.jpg", "eileen_collins.jpg"}
    assert rows["mara.jpg"]["own"] is not None and rows["eileen_collins.jpg"]["own"] is None  # she smiles
    assert all(row["worst"] < 1.0 for row in rows.values())
    assert told["summary"]["portraits"] == 2 and told["summary"]["closed_lips"] == 1


def test_a_smile_leaves_less_of_its_folds(portraits: Path, tmp_path: Path) -> None:
    arguments = [str(portraits), "--names", str(tmp_path / "names.txt"), "--size", "256"]
    done = CliRunner().invoke(rest.app, [*arguments, "--json", str(tmp_path / "rest.json")])
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "rest.json").read_text())
    assert set(rows) == {"eileen_collins.jpg"}  # mara does not smile, and has no plate
    assert rows["eileen_collins.jpg"]["contrast_after"] <= rows["eileen_collins.jpg"]["contrast_before"]
    assert "mean of 1" in done.output
