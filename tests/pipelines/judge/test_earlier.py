"""An earlier revision is run by its own code, wherever it keeps it, and asked as today's generator is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.judge import earlier
from pipelines.judge.performers import Then
from speechhead.core.errors import WeightsError
from speechhead.face.landmarks import Pose

ODD = """
import numpy as np

class Pose:
    def __init__(self, rotation, translation, scale):
        self.scale = scale

class Latents:
    def keypoints(self, faces, canonical):
        return canonical[None]

class Small:
    def __init__(self, size):
        self.size, self._latents = size, Latents()

    def prepare(self, crop, mesh):
        print("what a library says is no answer")
        self.canonical = mesh
        return self

    def render(self, source, normalised, pose):
        if pose.scale < 0:
            raise ValueError("inside out")
        return np.full((self.size, self.size, 3), pose.scale, np.uint8)

def open_generator(name, size, threads=1):
    return Small(size)
"""

SPEECH = """
class Speech2Landmarks:
    @classmethod
    def load(cls, threads=None):
        return cls()

    def whole(self, audio, neutral=None):
        return neutral[None].repeat(len(audio) // 640, 0)
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    (tmp_path / "speechhead" / "attic").mkdir(parents=True)
    for name, text in (("__init__", ""), ("attic/__init__", ""), ("attic/boxes", ODD), ("talk", SPEECH)):
        (tmp_path / "speechhead" / f"{name}.py").write_text(text)
    return tmp_path


def test_names_are_found_wherever_the_revision_keeps_them(old):
    then = Then("compact", old)
    generator = then.generator(16)
    mesh = np.ones((478, 3), np.float32)
    source = generator.prepare(np.zeros((16, 16, 3), np.uint8), mesh)
    face = np.zeros((70, 3), np.float32)
    frame = generator.render(source, face, Pose(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 7.0))
    assert frame.shape == (16, 16, 3) and (frame == 7).all() and frame.dtype == np.uint8
    assert np.array_equal(generator.keypoints(source, face), mesh)
    assert then.speech.whole(np.zeros(1280, np.float32), neutral=face + 3).shape == (2, 70, 3)


def test_what_fails_there_is_one_error_here_and_what_follows_works(old):
    revision = earlier.Revision(old)
    generator = earlier.EarlierGenerator(revision, "compact", 8)
    source = generator.prepare(np.zeros((8, 8, 3), np.uint8), np.zeros((478, 3), np.float32))
    with pytest.raises(WeightsError, match="can not render: ValueError: inside out"):
        generator.render(source, np.zeros((70, 3), np.float32), Pose(np.eye(3), np.zeros(3), -1.0))
    number = source.number
    del source
    assert revision.dropped == [number]
    again = generator.prepare(np.zeros((8, 8, 3), np.uint8), np.zeros((478, 3), np.float32))
    assert again.number == number and revision.dropped == []


def test_a_revision_that_is_not_there_is_named():
    with pytest.raises(WeightsError, match="no-such-revision"), earlier.unpacked("no-such-revision"):
        pass


def test_a_folder_without_the_code_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match="stopped"):
        earlier.EarlierGenerator(earlier.Revision(tmp_path), "compact", 8)
