"""The bank's maker: which stretches of a clip are kept, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.data.footage.landmarks import landmark_arrays
from pipelines.make import life_bank
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose
from speechhead.media.writer import VideoWriter
from speechhead.motion.bank import unpack

T = np.arange(120)


def clip(yaw: np.ndarray, brow: float = 0.0, scale: float = 60.0) -> dict[str, np.ndarray]:
    """Arrays of a tracked clip of a head that turns by `yaw` [T] degrees and raises its brows in time."""
    meshes = np.repeat(MESH_REFERENCE[None], len(yaw), 0)
    meshes[:, [70, 63, 105, 66, 107, 336, 296, 334, 293, 300], 1] -= brow * np.sin(T[: len(yaw), None] / 9)
    poses = [Pose.from_angles(float(a), 0.5 * float(a), 0.3 * float(a), (100, 90, 0), scale) for a in yaw]
    return landmark_arrays(apply_pose(meshes, poses)) | {"index": np.arange(len(yaw))}


def test_runs_are_long_enough_stretches():
    kept = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)
    assert list(life_bank.runs(kept, 2)) == [slice(0, 2), slice(3, 6)]
    assert list(life_bank.runs(kept, 4)) == []


def test_a_turning_head_is_kept_about_its_middle_and_livelier(tmp_path):
    found = life_bank.stretches(clip(4 + 3 * np.sin(T / 8), brow=0.05), tmp_path / "mute.mp4", False)
    (motion, cues) = found[0]
    assert len(found) == 1 and len(motion) == len(T) and abs(float(np.median(motion[:, 0]))) < 1.5
    assert motion[:, 0].std() > 1.3 * motion[:, 2].std() > 0 and motion[:, 6].std() > 0.005
    assert cues[:, 0].max() == 0 and cues[:, 5].min() == 1


def test_cuts_and_turned_heads_are_left_out(tmp_path):
    cut = 3 * np.sin(T / 8) + np.where(T < 60, 0.0, 15.0)
    parts = life_bank.stretches(clip(cut), tmp_path / "mute.mp4", False)
    assert len(parts) == 2 and all(40 <= len(motion) < 60 for motion, _ in parts)
    assert life_bank.stretches(clip(30 + 3 * np.sin(T / 8)), tmp_path / "mute.mp4", False) == []
    assert life_bank.stretches(clip(0.02 * np.sin(T / 8)), tmp_path / "mute.mp4", False) == []


def test_gains_bring_people_to_a_like_liveliness():
    steps = np.array([0.2, 0.2, 0.1, 0.01, 0.01, 0.001, 0.002, 0.002])
    gain = life_bank.gains(steps, True)
    assert gain[0] == pytest.approx(1.6) and gain[1] * steps[1] * 25 == pytest.approx(7.9)
    assert gain[:3].max() <= life_bank.CHOICE.gains[1] and (life_bank.gains(steps, False)[:3] < gain[:3]).all()
    assert (life_bank.gains(0.01 * steps, True)[:3] == life_bank.CHOICE.gains[1]).all()


def test_sound_is_moved_to_the_lips():
    opening = np.maximum(np.sin(T * 0.9) * np.sin(T * 0.13), 0).astype(np.float32)
    assert life_bank.lag_of(np.roll(opening, 4), opening) == 4
    assert life_bank.lag_of(opening, np.roll(opening, 3)) == -3
    assert life_bank.lag_of(0 * opening, opening) == 0


def test_command_writes_a_bank_that_can_be_read(tmp_path):
    landmarks, media = tmp_path / "landmarks", tmp_path / "media"
    landmarks.mkdir(), media.mkdir()
    yaw = 3 * np.sin(T / 5)
    np.savez(landmarks / "a.npz", **clip(yaw))
    np.savez(landmarks / "posed.npz", **clip(yaw))
    with VideoWriter(media / "a.mp4", 64, 64, sample_rate=16000) as writer:
        voice = np.sin(2 * np.pi * 150 * np.arange(len(T) * SAMPLES_PER_FRAME) / 16000).astype(np.float32)
        writer.write_audio(0.3 * voice * (np.arange(len(voice)) % 16000 > 4000))
        for _ in T:
            writer.write(np.zeros((64, 64, 3), np.uint8))
    rows = ["file,split,identity,audio,source", "a.mp4,train,me,True,free", "posed.mp4,train,me,True,some/lipnet"]
    (media / "catalog.csv").write_text("\n".join([*rows, "b.mp4,val,you,True,free\n"]))
    words = ["--landmarks", landmarks, "--media", media, "-o", tmp_path / "life.npz"]
    done = CliRunner().invoke(life_bank.app, [str(word) for word in words])
    assert done.exit_code == 0 and "1 stretches of 1 people" in done.output
    with np.load(tmp_path / "life.npz") as arrays:
        bank = unpack(dict(arrays))
    assert len(bank.motion) == len(T) and bank.cues[:, 0].max() > 0.8
    assert CliRunner().invoke(life_bank.app, [str(word) for word in [*words, "--media", media]]).exit_code == 2
