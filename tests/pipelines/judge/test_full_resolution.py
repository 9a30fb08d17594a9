"""Portraits at full size from small pictures, measured beside plain enlarging."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from support.small_families import small  # noqa: E402

from pipelines.judge import full_resolution as judge  # noqa: E402
from speechhead.avatar.named import shipped  # noqa: E402
from speechhead.generators.checkpoints.stored import save_family  # noqa: E402
from speechhead.generators.families.full_resolution import FullLayers  # noqa: E402
from speechhead.media.writer import VideoWriter  # noqa: E402


def shot(ours, own):
    """A vertical joint between a dark and a light layer."""
    layers = [torch.full((1, 3, 64, 64), value) for value in (0.4, 0.6)]
    return judge.FullSizeShot("a", "b", ours, ours, ours, ours, FullLayers(*layers, own), 16)


def test_a_step_at_the_joint_is_a_seam_and_an_unseen_joint_is_none():
    ramp = ((torch.arange(64) - 24) / 16).clamp(0, 1)[None, None, None].expand(1, 1, 64, 64)
    grey = np.full((64, 64, 3), 128, np.uint8)
    stepped = grey.copy()
    stepped[:, 32:] = 160
    assert judge.seam(shot(grey, ramp)) == 0
    assert judge.seam(shot(stepped, ramp)) > 1
    assert judge.seam(shot(stepped, torch.ones(1, 1, 64, 64))) == 0  # no joint, so none of it is one


def test_portraits_are_sharper_and_nearer_than_enlarged_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(judge, "MOVES", {"rest": judge.MOVES["rest"], "open": judge.MOVES["open"]})
    shutil.copy(shipped()["benjamin_hilliard"].path, tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    judge.main(tmp_path, network=48, size=160, output=tmp_path / "out.json", sheet=tmp_path / "sheet.png")
    judge.main(tmp_path / "a.jpg", network=48, size=160, picture=tmp_path / "page.jpg")
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text())["summary"]
    assert "left out: b.jpg" in printed and "rest: skin ours" in printed and (tmp_path / "sheet.png").is_file()
    with judge.Image.open(tmp_path / "page.jpg") as page:
        assert page.size[0] == 3 * page.size[1] // 2
    assert found["pictures"] == 2
    for move in ("rest", "open"):
        assert found[f"{move}: skin ours"] > 0.8 > 0.4 > found[f"{move}: skin plain"]
        assert found[f"{move}: error ours"] < 0.5 * found[f"{move}: error plain"]
        assert found[f"{move}: seam"] < 0.1


def test_a_clip_drives_its_own_first_frame_through_a_family(tmp_path, capsys):
    portrait = judge.Avatar.open("benjamin_hilliard", 256).picture
    height, width = (n // 2 * 2 for n in portrait.shape[:2])
    with VideoWriter(tmp_path / "clip.mp4", width, height, 5, None) as writer:
        for _ in range(4):
            writer.write(np.ascontiguousarray(portrait[:height, :width]))
    weights = save_family(small("fomm"), tmp_path / "weights" / "fomm.safetensors")
    judge.main(tmp_path, generator=str(weights), size=192, output=tmp_path / "weights" / "out.json")
    rows = json.loads((tmp_path / "weights" / "out.json").read_text())["rows"]
    assert len(rows) == len(judge.FRAMES) and rows[0]["network"] == 64 and rows[0]["size"] == 192
    assert rows[0]["error"]["ours"] < rows[0]["error"]["plain"]
