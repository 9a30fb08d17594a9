"""The sheet of turned portraits and the film of driven clips: who is in them, what is asked, and how small they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from pipelines.data.held_out import held_out
from pipelines.judge import gallery, turn_film, turns
from pipelines.judge.clips import ClipEntry, FaceTrack, JudgedClip
from speechhead.avatar.named import SHIPPED
from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose
from speechhead.media.reader import VideoReader
from speechhead.motion.pose import drawn


def test_a_dozen_portraits_that_may_be_shown_and_judge_nothing():
    entries = gallery.listed(turns.LISTED)
    assert len({entry.file for entry in entries}) == 12
    assert all("public domain" in entry.licence or "MIT" in entry.licence for entry in entries)
    assert not any(held_out(entry.file) for entry in entries)
    shown = "; ".join(entry.shows for entry in entries)
    for kind in ("long hair", "spectacles", "hat", "beard", "dark skin", "earring", "collar", "turned"):
        assert kind in shown


class Turning:
    """A generator that returns the portrait and remembers where the head should be."""

    family, size = "turning", 64

    def prepare(self, crop, mesh):
        self.poses = []
        return crop

    def render(self, source, normalised, pose):
        self.poses.append(pose)
        return source


def test_every_angle_is_asked_away_from_the_portraits_own():
    avatar, generator = Avatar.open("reuben_robie", 64), Turning()
    pictures = turns.poses(avatar, generator)
    assert len(pictures) == 1 + len(turns.ANGLES)
    for pose, angles in zip(generator.poses, turns.ANGLES, strict=True):
        np.testing.assert_allclose(pose.angles, np.add(avatar.pose.angles, drawn(angles)), atol=0.1)
    assert turns.title((0.0, 0.0, -15.0)) == "roll -15"
    assert {abs(yaw) for yaw, _, _ in turns.ANGLES} >= {20.0, 10.0}


def test_the_sheet_has_a_line_for_each_portrait(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "SIZE", 64)
    monkeypatch.setattr(turns, "open_generator", lambda *_, **__: Turning())
    names = tmp_path / "names.csv"
    names.write_text("file\nreuben_robie.jpg\nabsent.jpg\n")
    out, full = tmp_path / "turns.webp", tmp_path / "full"
    done = CliRunner().invoke(turns.app, [str(SHIPPED), str(out), "--names", str(names), "--full", str(full)])
    assert done.exit_code == 0 and "left out" in done.output and "1 portraits" in done.output
    with Image.open(out) as page, Image.open(full / "reuben_robie.png") as strip:
        assert page.size == (turns.TILE * 11, turns.TILE + gallery.TITLE) and strip.size == (64 * 11, 64)


@pytest.fixture
def clip() -> JudgedClip:
    """A head that looks ahead, turns by 18 degrees, and comes back."""
    yaws = np.interp(np.arange(50), (10, 20, 30, 40), (0, 18, 18, 0))
    poses = [Pose.from_angles(yaw=float(yaw), translation=(32, 28, 0), scale=20) for yaw in yaws]
    mesh = apply_pose(np.repeat(MESH_REFERENCE[None], 50, axis=0), poses)
    frames = np.zeros((50, 64, 80, 3), np.uint8) + np.arange(50, dtype=np.uint8)[:, None, None, None]
    return JudgedClip(ClipEntry(Path("made.mp4"), "made"), frames, None, FaceTrack(mesh, 1.0))


def test_the_stretch_shown_is_the_one_with_the_largest_turn_after_the_source(clip):
    part, mean = turn_film.stretch(clip, 0.4)
    assert part.frames[0, 0, 0, 0] == 0 and list(part.frames[1:, 0, 0, 0]) == list(range(20, 30))
    assert mean == pytest.approx(18, abs=0.5) and len(part.truth.mesh) == 11
    assert turn_film.most_turned([0, 90, 30, 30], 2) == (1, 22.0)
    assert turn_film.most_turned([5.0, 7.0], 9) == (0, 6.0)


def test_the_film_has_truth_and_ours_of_every_clip_and_keeps_to_its_bytes(clip, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 80, 3), dtype=np.uint8)
    pairs = [(clip.frames[:12], noise), (clip.frames[:6], noise[:6]), (clip.frames[:12], noise)]
    assert turn_film.frame(pairs, 9, 32).shape == (64, 128, 3)
    held = turn_film.frame(pairs, 9, 32)[:32, 64:]
    assert np.array_equal(held, turn_film.frame(pairs, 5, 32)[:32, 64:])
    path = turn_film.write(tmp_path / "turns.mp4", pairs)
    full = path.stat().st_size
    assert len(list(VideoReader(path).frames(0, None))) == 12
    assert turn_film.write(path, pairs, full - 1).stat().st_size < full
