"""How far lids close: the measure tells a shut eye from an open one, and finds what is left in the seam."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.judge import lids
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import FaceError
from speechhead.face.landmarks import to_pixels


def test_a_full_blink_of_a_shipped_portrait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "lids.json"
    lids.main(["eileen_collins"], out, 256)
    found = json.loads(out.read_text(encoding="utf-8"))
    row = found["portraits"]["eileen_collins"]
    assert row["shut_seen"] < 0.35 < row["half_seen"] < 0.9
    assert row["iris"] < 3
    assert found["summary"]["count"] == 1
    assert json.loads(capsys.readouterr().out)["shut_over_0.5"] == 0


def test_residue_in_the_seam_is_seen() -> None:
    avatar = Avatar.open("eileen_collins", 256)
    plain = np.full_like(avatar.picture, 150)
    assert lids.residue(plain, avatar) == {"dark": 0, "bright": 0, "hue": 0}
    seam, lid = lids.seams(avatar)
    assert seam.any() and lid.any() and not (seam & lid).any()
    marked = plain.copy()
    marked[seam] = (60, 60, 200)
    found = lids.residue(marked, avatar)
    assert found["dark"] > 50 and found["hue"] > 30


def test_irises_are_looked_at_where_they_are() -> None:
    avatar = Avatar.open("eileen_collins", 256)
    face = lids.closed(avatar, 0.0)
    picture = np.full_like(avatar.picture, 128)
    scale = avatar.box[2] / avatar.size
    for x, y in np.round(to_pixels(face, avatar.pose)[68:, :2] * scale + avatar.box[:2]).astype(int):
        picture[y - 8 : y + 9, x - 8 : x + 9] = (40, 90, 200)
    chroma = lids.irises(picture, avatar, face)
    assert chroma[0] < 110 and chroma[1] > 150


def test_a_name_that_is_no_portrait_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FaceError, match="no portrait could be measured"):
        lids.main(["nobody_at_all"])
    assert "nobody_at_all" in capsys.readouterr().err
