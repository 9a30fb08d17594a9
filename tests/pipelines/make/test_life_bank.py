"""The bank's maker: which stretches of a clip are kept, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.make import life_bank
from pipelines.make.motion_statistics import smooth
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose, from_mesh
from speechhead.media.writer import VideoWriter
from speechhead.motion.bank import unpack
from speechhead.motion.pose import drawn, turned

T = np.arange(120)


def clip(yaw: np.ndarray, brow: float = 0.0, scale: float = 60.0) -> np.ndarray:
    """Meshes of a clip of a head that turns by `yaw` [T] degrees and raises its brows in time."""
    meshes = np.repeat(MESH_REFERENCE[None], len(yaw), 0)
    meshes[:, [70, 63, 105, 66, 107, 336, 296, 334, 293, 300], 1] -= brow * np.sin(T[: len(yaw), None] / 9)
    poses = [Pose.from_angles(float(a), 0.5 * float(a), 0.3 * float(a), (100, 90, 0), scale) for a in yaw]
    return apply_pose(meshes, poses)


def test_runs_are_long_enough_stretches():
    kept = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)
    assert list(life_bank.runs(kept, 2)) == [slice(0, 2), slice(3, 6)]
    assert list(life_bank.runs(kept, 4)) == []


def test_a_turning_head_is_kept_about_its_middle_and_livelier(tmp_path):
    found = life_bank.stretches(clip(4 + 3 * np.sin(T / 8), brow=0.05), tmp_path / "mute.mp4", False)
    (motion, cues) = found[0]
    assert len(found) == 1 and len(motion) == len(T) and abs(float(np.median(motion[:, 0]))) < 1.5
    assert motion[:, 0].std() > 1.2 * motion[:, 2].std() > 0 and motion[:, 6].std() > 0.005
    assert cues[:, 0].max() == 0 and cues[:, 5].min() == 1


def test_cuts_and_turned_heads_are_left_out(tmp_path):
    cut = 3 * np.sin(T / 8) + np.where(T < 60, 0.0, 15.0)
    parts = life_bank.stretches(clip(cut), tmp_path / "mute.mp4", False)
    assert len(parts) == 2 and all(40 <= len(motion) < 60 for motion, _ in parts)
    assert life_bank.stretches(clip(30 + 3 * np.sin(T / 8)), tmp_path / "mute.mp4", False) == []
    assert life_bank.stretches(clip(0.02 * np.sin(T / 8)), tmp_path / "mute.mp4", False) == []


def test_gains_bring_people_to_a_like_liveliness():
    steps = np.array([0.3, 0.5, 0.5, 0.01, 0.01, 0.001, 0.003, 0.003])
    gain = life_bank.gains(steps, True)
    assert gain[:3] * steps[:3] * 25 == pytest.approx(life_bank.CHOICE.usual_speeds, rel=0.2)
    assert gain[:3].max() <= life_bank.CHOICE.gains[1] and (life_bank.gains(steps, False)[:3] < gain[:3]).all()
    assert (life_bank.gains(0.01 * steps, True)[:3] == life_bank.CHOICE.gains[1]).all()


def test_quick_motion_is_kept_and_trembling_is_not():
    def left(hertz: float) -> float:
        wave = np.sin(2 * np.pi * hertz * np.arange(200) / 25)
        return float(smooth(wave, life_bank.CHOICE.calm_seconds)[50:150].std() / wave[50:150].std())

    assert left(2.0) > 0.9 and left(3.0) > 0.8 and left(11.0) < 0.2


def test_the_face_goes_where_it_was_seen_when_the_bank_is_drawn():
    angles = np.column_stack([6 * np.sin(T / 9), 3 * np.sin(T / 7), 2 * np.sin(T / 5)])
    ways = np.column_stack([90 + 4 * np.sin(T / 11), 80 + 3 * np.cos(T / 13), 0 * T])
    meshes = np.repeat(MESH_REFERENCE[None], len(T), 0)
    seen = apply_pose(meshes, [Pose.from_angles(a[0], a[1], a[2], w, 60.0) for a, w in zip(angles, ways)])
    motion = life_bank.raw_motion(seen)[0]
    base = Pose.from_angles(motion[0, 0], motion[0, 1], motion[0, 2], ways[0], 60.0)
    poses = [turned(base, drawn(row[:3] - motion[0, :3]), row[3:5] - motion[0, 3:5], row[5]) for row in motion]
    middles = [from_mesh(mesh[None])[0, :68, :2].mean(0) for mesh in (*seen, *apply_pose(meshes, poses))]
    assert np.abs(np.subtract(middles[: len(T)], middles[len(T) :]) - (middles[0] - middles[len(T)])).max() < 0.6


def test_one_person_gives_a_share_at_most():
    long = [(np.zeros((300, 8)), np.zeros((300, 6)))] * 3
    assert [len(motion) for motion, _ in life_bank.capped(long, 500)] == [300, 200]
    assert [len(motion) for motion, _ in life_bank.capped(long, 310)] == [300]


def test_sound_is_moved_to_the_lips():
    opening = np.maximum(np.sin(T * 0.9) * np.sin(T * 0.13), 0).astype(np.float32)
    assert life_bank.lag_of(np.roll(opening, 4), opening) == 4
    assert life_bank.lag_of(opening, np.roll(opening, 3)) == -3
    assert life_bank.lag_of(0 * opening, opening) == 0


def test_command_writes_a_bank_that_can_be_read(tmp_path):
    meshes, media = tmp_path / "meshes", tmp_path / "media"
    meshes.mkdir(), media.mkdir()
    yaw = 3 * np.sin(T / 5)
    np.savez(meshes / "a.npz", mesh=clip(yaw))
    for name in ("posed.mp4", "acted.mp4"):
        (media / name).touch()
    with VideoWriter(media / "a.mp4", 64, 64, sample_rate=16000) as writer:
        voice = np.sin(2 * np.pi * 150 * np.arange(len(T) * SAMPLES_PER_FRAME) / 16000).astype(np.float32)
        writer.write_audio(0.3 * voice * (np.arange(len(voice)) % 16000 > 4000))
        for _ in T:
            writer.write(np.zeros((64, 64, 3), np.uint8))
    rows = ["file,split,identity,audio,source", "a.mp4,train,me,True,free", "posed.mp4,train,me,True,some/lipnet"]
    rows += ["acted.mp4,train,MEAD_M001,True,free"]
    (media / "catalog.csv").write_text("\n".join([*rows, "b.mp4,val,you,True,free\n"]))
    words = ["--meshes", meshes, "--media", media, "-o", tmp_path / "life.npz"]
    done = CliRunner().invoke(life_bank.app, [str(word) for word in words])
    assert done.exit_code == 0 and "1 stretches of 1 people" in done.output
    with np.load(tmp_path / "life.npz") as arrays:
        bank = unpack(dict(arrays))
    assert len(bank.motion) == len(T) and bank.cues[:, 0].max() > 0.8
