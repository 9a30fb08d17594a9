"""Regions of a picture: they cover it once, and a copy of the source has no error where nothing moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.judge.regions import measure, regions
from speechhead.avatar.portrait import Avatar


def test_regions_cover_the_picture_once() -> None:
    avatar = Avatar.default(256)
    masks = regions(avatar.mesh, 256)
    assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()
    nose, corner = avatar.mesh[1, :2].astype(int), (2, 2)
    assert masks["face"][nose[1], nose[0]] and masks["body and background"][corner]


def test_a_clip_that_stands_still_has_no_error(tmp_path: Path) -> None:
    avatar = Avatar.default(256)
    np.save(tmp_path / "still.npy", np.stack([avatar.crop] * 11))
    np.savez(tmp_path / "still.npz", mesh=np.stack([avatar.mesh] * 11), index=np.arange(11))
    for ours, warp, copy, share in measure(tmp_path, "still").values():
        assert copy == 0 and warp < 0.5 and ours < 4 and 0 < share < 1
