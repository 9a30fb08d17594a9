"""Heads that turn: bins of angle, errors by bin, slopes, the outline's trembling, and what the page says of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines import evaluate
from pipelines.judge import targets, turn_bins, turn_floor, turn_page, turn_sweep
from pipelines.judge.clips import ClipEntry, FaceTrack, JudgedClip
from pipelines.judge.run import EvaluationSettings
from speechhead.avatar.named import SHIPPED
from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.matte import Matte

YAWS = np.linspace(0, 21, 64)
SIDE = 96


@pytest.fixture(scope="module")
def clip() -> JudgedClip:
    """A head that turns steadily from the front to 21 degrees, before noise."""
    poses = [Pose.from_angles(yaw=float(yaw), translation=(48, 42, 0), scale=30) for yaw in YAWS]
    mesh = apply_pose(np.repeat(MESH_REFERENCE[None], len(poses), axis=0), poses)
    frames = np.random.default_rng(0).integers(60, 200, (len(poses), SIDE, SIDE, 3), dtype=np.uint8)
    return JudgedClip(ClipEntry(Path("made.mp4"), "made"), frames, None, FaceTrack(mesh, 1.0))


def test_the_angle_is_of_all_axes_together_and_bins_share_the_frames(clip):
    both = [Pose.from_angles(), Pose.from_angles(yaw=6, roll=8)]
    assert turn_bins.turn(both)[1] == pytest.approx(10, abs=0.1)
    angles = turn_bins.turn(clip.truth.poses)
    np.testing.assert_allclose(angles, YAWS, atol=0.6)
    frames = turn_bins.chosen(angles)
    assert sum(frames[name].sum() for name in turn_bins.BINS) == len(YAWS)
    assert frames["near"].any() and (abs(angles[frames["near"]] - 15) <= 2).all()


def test_errors_are_told_where_they_are_and_at_which_turn(clip):
    frames = clip.frames.copy()
    far = turn_bins.turn(clip.truth.poses) >= 15
    for index in np.flatnonzero(far):
        oval = turn_bins.regions(clip.truth.mesh[index], SIDE)["face"]
        frames[index][oval] += 20
    row = turn_bins.by_turn(frames, clip.truth, clip)
    assert row["turn_15-22_face"] == pytest.approx(20) and row["turn_15-22_rest"] == 0
    assert row["turn_0-6_face"] == row["turn_10-15_face"] == row["turn_15-22_mouth"] == 0
    assert row["turn_yaw_slope"] == pytest.approx(1) and row["turn_pitch_slope"] is None
    half = FaceTrack(apply_pose(np.repeat(MESH_REFERENCE[None], len(YAWS), axis=0), _poses(0.5)), 1.0)
    assert turn_bins.by_turn(frames, half, clip)["turn_yaw_slope"] == pytest.approx(0.5, abs=0.02)
    assert turn_bins.by_turn(frames, half, clip)["turn_15-22_eyes"] > 1


def _poses(share: float) -> list[Pose]:
    return [Pose.from_angles(yaw=share * float(yaw), translation=(48, 42, 0), scale=30) for yaw in YAWS]


def test_a_thinned_clip_keeps_its_source_and_every_bin(clip):
    few = turn_bins.thinned(clip, 5)
    counts = turn_bins.counted(few)
    assert np.array_equal(few.frames[0], clip.frames[0]) and len(few.frames) <= 21
    assert all(counts[name] >= turn_bins.FEWEST for name in turn_bins.BINS)


def test_what_could_be_reached_knows_where_and_how_bright_all_is(clip):
    rng = np.random.default_rng(2)
    wide = cv2.GaussianBlur(rng.integers(0, 256, (SIDE, SIDE + 8, 3)).astype(np.float32), (0, 0), 3) * 3 - 256
    truth = np.clip(wide, 0, 255).astype(np.uint8)
    aside, shown = truth[:, 3 : SIDE + 3], truth[:, :SIDE]

    def off(picture: np.ndarray) -> float:
        return float(np.abs(picture.astype(int) - shown)[16:-16, 16:-16].mean())

    assert off(turn_floor.moved(np.ascontiguousarray(aside), shown, 2.0)) < 0.3 * off(aside)
    darker = np.round(shown * 0.85).astype(np.uint8)
    assert off(turn_floor.lit(darker, shown, 9.0)) < 0.2 * off(darker)
    rows = turn_bins.floor_rows(clip.frames, clip)
    assert rows["moved"]["turn_15-22_face"] < 1 and "turn_15-22_mouth" not in rows["moved_and_lit"]
    assert turn_bins.floor_rows(clip.frames[:9], replace(clip, frames=clip.frames[:9], truth=_first(clip, 9))) == {}
    told = [{"turns": dict.fromkeys(turn_bins.BINS, 9), "turn_floor": rows}]
    assert "| L1, face | moved and lit |" in turn_bins.turn_table(told, turn_bins.METHODS)


def _first(clip: JudgedClip, count: int) -> FaceTrack:
    return FaceTrack(clip.truth.mesh[:count], 1.0)


def test_the_page_compares_the_same_clips_in_every_bin():
    far = dict.fromkeys([*turn_bins.BINS, "near"], 9)
    ours = {f"turn_{name}_{part}": 10.0 for name in far for part in ("face", "hair", "rest", "mouth", "eyes", "all")}
    ours |= {"turn_15-22_face": 14.0, "turn_near_mouth": 1.2, "turn_yaw_slope": 0.99}
    rows = [{"file": "a.mp4", "identity": "a", "frames": 9, "head_range": 9.0, "turns": far}]
    rows[0]["self_reenactment"] = {"ours": ours}
    still = {"ours": {"turn_0-6_face": 1.0}}
    rows.append(rows[0] | {"file": "b.mp4", "turns": far | {"15-22": 2}, "self_reenactment": still})
    document = evaluate.report(evaluate.Measured(rows), EvaluationSettings())
    cells = {line[0]: line[1:] for line in targets.table(document)}
    assert cells["L1 of the face at 15-22 degrees of turn over that below 6"][1:3] == ["1.400", "**no**"]
    assert cells["Mouth landmarks at 15 degrees of turn, px at 256"][1:3] == ["1.200", "yes"]
    document["portrait_summary"] = {"ours": {"all": {"pitch_slope": 0.84}}}
    words = "\n".join(turn_page.turn_parts(document))
    assert "a.mp4" in words and "b.mp4" not in words and "| ours | 0.990 |  |  |" in words
    assert "| L1, face | ours | 10.000 | 10.000 | 10.000 | 14.000 | 10.000 | 1.400 |" in words and "| 0.840 |" in words
    nothing = {"clips": [], "portrait_summary": {}}
    assert turn_page.turn_parts(nothing) == []


def test_an_outline_that_moves_steadily_does_not_wobble():
    def disc(radius: float) -> np.ndarray:
        y, x = np.mgrid[:SIDE, :SIDE] - 48
        return np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)

    centre = np.array([48, 48], np.float32)
    growing = np.stack([turn_sweep.outline(disc(20 + 0.5 * t), centre) for t in range(8)])
    trembling = np.stack([turn_sweep.outline(disc(20 + 0.5 * (t % 2)), centre) for t in range(8)])
    assert growing[3].mean() == pytest.approx(21.5, abs=0.3)
    assert turn_sweep.wobble(growing) < 0.05 < 0.8 < turn_sweep.wobble(trembling)


class Still:
    """A generator whose pictures do not turn."""

    family, size = "still", 96

    def prepare(self, crop, mesh):
        return crop

    def render(self, source, normalised, pose):
        return source


def test_mattes_come_from_what_two_walls_have_in_common():
    avatar = Avatar.open("mara", 96).resampled(96)
    matte = Matte(1)
    alpha = matte(avatar.crop, avatar.mesh).alpha
    (found,) = turn_sweep.mattes(avatar, Still(), matte, [avatar.pose])
    assert np.abs(found - alpha).max() < 0.02
    row = turn_sweep.edge_wobble(avatar, Still(), matte)
    assert row == {"edge_wobble": 0, "edge_worst": 0}


def test_a_portrait_that_does_not_turn_has_no_slope():
    avatar = Avatar.open("mara", 96).resampled(96)
    row = turn_sweep.asked_and_seen(avatar, Still(), FaceTracker(threads=1))
    assert all(abs(row[f"{axis}_slope"]) < 0.02 for axis in turn_bins.AXES)
    assert row["at_15_all"] > 2 * row["at_0_all"]
    found = turn_sweep.medians([row, {"yaw_slope": None}])
    assert found["yaw_slope"] == row["yaw_slope"] and found["edge_wobble"] is None


class Acting:
    """A performer whose pictures do not turn."""

    speech = None

    def generator(self, size):
        return Still()


def test_commands_print_the_tables(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(turn_bins, "load", lambda *_: clip)
    monkeypatch.setattr(turn_bins.ours, "native_size", lambda clip: 96)
    for module in (turn_bins, turn_sweep):
        monkeypatch.setattr(module, "performers", lambda *_: {"ours": Acting()})
    (tmp_path / "a.mp4").touch()
    rows = tmp_path / "rows.json"
    done = CliRunner().invoke(turn_bins.app, [str(tmp_path), "--json", str(rows)])
    assert done.exit_code == 0 and "1 of 1 clips" in done.output and "| L1, face | ours |" in done.output
    assert json.loads(rows.read_text())[0]["turns"]["0-6"] >= turn_bins.FEWEST
    names = tmp_path / "names.txt"
    names.write_text("mara.jpg absent.jpg")
    monkeypatch.setattr(turn_sweep, "SIZE", 96)
    done = CliRunner().invoke(turn_sweep.app, [str(SHIPPED), "--names", str(names), "--json", str(rows)])
    assert done.exit_code == 0 and "absent.jpg" in done.output
    assert list(json.loads(rows.read_text())["ours"]) == ["mara.jpg"] and '"edge_wobble": 0' in done.output
