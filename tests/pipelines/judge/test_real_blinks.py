"""Real blinks beside ours: the shut frame is found, one for each person, and a folder without any is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.judge import lids, real_blinks
from pipelines.judge.real_blinks import blinks
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import FaceError
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a portrait that blinks at frame 12."""
    path = tmp_path_factory.mktemp("clips")
    avatar, tracker = Avatar.open("eileen_collins", 256), FaceTracker()
    still, shut = lids.blink(avatar, open_generator("compact", avatar.size), (0.0, 1.0))
    frames = np.stack([still] * 12 + [shut] + [still] * 7)
    meshes = [tracker.locate(picture).mesh for picture in (still, shut)]
    for name in ("someone_01", "someone_02"):
        np.save(path / f"{name}.npy", frames)
        np.savez(path / f"{name}.npz", mesh=np.stack([meshes[0]] * 12 + [meshes[1]] + [meshes[0]] * 7))
    return path


def test_the_most_shut_frame_of_each_person_is_found(folder: Path) -> None:
    found = list(blinks(folder))
    assert [person for person, _, _ in found] == ["someone"]
    assert np.abs(found[0][1].astype(int) - found[0][2]).max() > 60


def test_ours_is_measured_beside_the_truth(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real_blinks.main(folder)
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 1
    assert found["shut_seen"] < 0.35 and found["real_seen"] < 0.35 and found["shut_gap"] < 0.25


def test_a_folder_without_blinks_is_told(tmp_path: Path) -> None:
    with pytest.raises(FaceError, match="no blink could be measured"):
        real_blinks.main(tmp_path)
