"""Irises: the measure tells a hue that is kept from one that is lost, and hue in a grey picture from none."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.judge import irises, lids
from pipelines.judge.irises import colour, measure, poses, windows
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError
from speechhead.face.landmarks import Pose
from speechhead.generators.open import open_generator


class Tinting:
    """A generator that gives its frames a tint."""

    def __init__(self, avatar: Avatar, tint: int) -> None:
        self.size, self.crop, self.tint, self.family = avatar.size, avatar.crop, tint, "tinting"

    def prepare(self, crop: NDArray[np.uint8], mesh: Array) -> NDArray[np.uint8]:
        return crop

    def render(self, source: NDArray[np.uint8], normalised: Array, pose: Pose) -> NDArray[np.uint8]:
        frame = self.crop.astype(int)
        frame[..., 2] += self.tint
        return np.asarray(np.clip(frame, 0, 255), np.uint8)


def grey(avatar: Avatar) -> Avatar:
    plain = np.asarray(cv2.cvtColor(avatar.picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return Avatar.from_image(np.repeat(plain[..., None], 3, 2), 256)


def test_irises_of_a_shipped_portrait_keep_their_hue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "irises.json"
    irises.main(["eileen_collins"], out, 256)
    row = json.loads(out.read_text(encoding="utf-8"))["portraits"]["eileen_collins"]
    assert row["iris_hue"] < 4 and row["iris_hue_worst"] < 10
    assert json.loads(capsys.readouterr().out)["count"] == 1


def test_a_grey_portrait_stays_grey() -> None:
    avatar = grey(Avatar.open("eileen_collins", 256))
    assert measure(avatar, open_generator("compact", avatar.size))["grey_eyes"] <= 2


def test_a_tint_is_seen() -> None:
    avatar = grey(Avatar.open("eileen_collins", 256))
    found = measure(avatar, Tinting(avatar, 60))
    assert found["grey_eyes"] > 15 and found["iris_hue"] > 10


def test_irises_are_cut_off_by_the_lids() -> None:
    avatar = Avatar.open("eileen_collins", 256)
    wide, shut = (sum(m.sum() for m in irises.irises(avatar, lids.closed(avatar, c))) for c in (0.0, 1.0))
    assert wide > 4 * int(shut)
    assert len(poses(avatar)) == len(irises.CLOSURES) + len(irises.GAZES)
    around = windows(avatar)
    assert all(around[mask].all() for mask in irises.irises(avatar, avatar.neutral))
    assert colour(np.full_like(avatar.picture, 77), around).tolist() == [77, 128, 128]


def test_a_name_that_is_no_portrait_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FaceError, match="no portrait could be measured"):
        irises.main(["nobody_at_all"])
    assert "nobody_at_all" in capsys.readouterr().err
