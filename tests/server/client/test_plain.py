"""Without a graphics unit a browser draws by plain numbers what Python draws."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from support import node
from support.acting import moved
from support.scene_folder import written

from speechhead.avatar.named import SHIPPED
from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.device.generator import CompactOnDevice
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.open import open_generator

SIZE = 192
LEAST = 44.0
"""Peak signal to noise ratio of the two pictures, dB."""

DRAWN = (Path(__file__).parents[2] / "support" / "plain_drawn.js").read_text()


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.square(one.astype(float) - other).mean(), 1e-9)))


def drawn(folder: Path, avatar: Avatar, frames: slice) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Frames of a portrait by OpenCV and by JavaScript, int [n, S, S, 3], and what else JavaScript tells."""
    there = open_generator("compact", SIZE, engine="torch", device="cpu")
    assert isinstance(there, CompactOnDevice)
    here = CompactGenerator.load(SIZE, threads=1)
    avatar = avatar.resampled(SIZE)
    source = there.prepare(avatar.crop, avatar.mesh)
    drives = moved(source.landmarks, source.pose)[frames]
    written(folder, there, source, drives, stages=False)
    found = node.run(DRAWN, folder, files=str(folder))
    pixels = [np.frombuffer(base64.b64decode(one["frame"]), np.uint8).reshape(SIZE, SIZE, 4) for one in found]
    ours = np.stack([here.render(source, *drive) for drive in drives]).astype(int)
    return ours, np.stack(pixels)[..., :3].astype(int), found


@pytest.mark.skipif(node.NODE is None, reason="no node found")
def test_pictures_are_those_of_python(tmp_path: Path) -> None:
    ours, theirs, found = drawn(tmp_path, Avatar.default(SIZE), slice(0, 2))
    assert min(decibels(a, b) for a, b in zip(ours, theirs)) > LEAST
    for one in found:
        assert one["flow"] < 0.02, "mean difference in pixels"
        assert max(one["seen"].values()) < 0.005


@pytest.mark.slow
@pytest.mark.skipif(node.NODE is None, reason="no node found")
@pytest.mark.parametrize("name", ["mara", "eileen_collins"])
def test_a_movement_wavers_no_more(name: str, tmp_path: Path) -> None:
    ours, theirs, _ = drawn(tmp_path, Avatar.from_image(SHIPPED / f"{name}.jpg", size=SIZE), slice(None))
    assert min(decibels(a, b) for a, b in zip(ours, theirs)) > LEAST
    steady = [np.abs(np.diff(frames[3:], 2, axis=0)).mean() for frames in (ours, theirs)]
    assert steady[1] < 1.05 * steady[0]
