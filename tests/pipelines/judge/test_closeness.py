"""Closeness to real faces: each measure on faces made here, means over people, tables, targets, and the command."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines import evaluate
from pipelines.judge import beats, closeness, closeness_report, markdown, speaking, targets
from pipelines.judge.clips import FaceTrack
from pipelines.judge.run import EvaluationSettings
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_68, Pose, apply_pose

FRAMES = 100
BROWS = list(MESH_TO_68[17:27])
T = np.arange(FRAMES, dtype=np.float32)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Beats of sounds have tests of their own, and librosa takes seconds to compile."""
    monkeypatch.setattr(beats, "librosa", lambda: None)


def track(yaw=0.0 * T, brow=0.0 * T, x=0.0 * T) -> FaceTrack:
    meshes = np.repeat(MESH_REFERENCE[None], FRAMES, axis=0)
    meshes[:, BROWS, 1] -= brow[:, None]
    poses = [Pose.from_angles(yaw=float(a), translation=(100 + 50 * float(b), 90, 0), scale=50) for a, b in zip(yaw, x)]
    return FaceTrack(apply_pose(meshes, poses), 1.0)


def test_a_head_that_turns_has_its_spread_speed_and_travel():
    row = closeness.head_measures(track(yaw=np.where(T % 50 < 25, T % 50, 50 - T % 50) * 0.4))
    assert row["yaw_std"] == pytest.approx(2.89, rel=0.03) and row["pitch_std"] < 0.05
    assert row["yaw_speed"] == pytest.approx(0.4 * 25, rel=0.02)
    moved = closeness.head_measures(track(x=0.4 * np.sin(T / 8)))
    assert moved["travel"] == pytest.approx(0.8, rel=0.05) and moved["head_turn"] < 0.05
    assert moved["head_travel"] == pytest.approx(0.08, rel=0.1)


def test_brows_lips_and_silence():
    silence = np.zeros(FRAMES * SAMPLES_PER_FRAME, np.float32)
    raised = track(brow=0.1 * (T % 2))
    row = closeness.measures(raised, silence, np.zeros(FRAMES, bool))
    assert row["brows"] == pytest.approx(0.1, rel=0.02) and row["lip_dynamics"] < 1e-3
    assert row["lip_sync"] is None and row["silent_lips"] == pytest.approx(0, abs=1e-4)
    opening = np.abs(np.sin(T / 3))
    speech = (T < 60) | (T > 64)
    assert closeness.silent_lips(opening, speech) is None  # too short a silence
    assert closeness.silent_lips(np.where(T < 50, 1.0, T % 2), T < 50) == pytest.approx(0.5)
    sound = np.repeat(opening, SAMPLES_PER_FRAME) * np.where(np.arange(FRAMES * SAMPLES_PER_FRAME) % 2, 1, -1)
    loud = closeness.loudness(sound.astype(np.float32), FRAMES)
    assert closeness.lip_sync(opening, loud, speech) < 0.06 < closeness.lip_sync(1 - opening, loud, speech)


def test_eyes_that_blink_are_counted_with_their_depth():
    opening = np.ones(FRAMES)
    opening[40:44] = 0.2
    normalised = np.repeat(MESH_REFERENCE[None], FRAMES, axis=0)
    meshes = normalised[:, np.r_[MESH_TO_68, 468, 473]].copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        middle = (meshes[:, upper] + meshes[:, lower]) / 2
        for point in (upper, lower):
            meshes[:, point] = middle + opening[:, None] * (meshes[:, point] - middle)
    row = closeness.eye_measures(meshes)
    assert row["blinks"] == pytest.approx(60 * 25 / FRAMES) and row["blink_lowest"] == pytest.approx(0.2, abs=0.02)
    assert closeness.eye_measures(normalised[:, np.r_[MESH_TO_68, 468, 473]])["blink_lowest"] is None


def test_background_flicker_is_over_the_truths():
    truth = np.zeros((10, 8, 8, 3), np.uint8)
    truth[::2] = 10
    ours = truth // 2
    everywhere = np.ones((8, 8), bool)
    assert closeness.background_flicker(ours, truth, everywhere) == pytest.approx(0.5)
    assert closeness.background_flicker(ours, truth, ~everywhere) is None


def life(person: str, real: float, ours: float) -> dict:
    names = [part for parts in closeness.SCORES.values() for part in parts]
    own = {"real": dict.fromkeys(names, real), "ours": dict.fromkeys(names, ours)}
    return {"identity": person, "frames": 50, "life": own}


def test_closeness_is_of_means_over_people_and_stands_in_the_report():
    rows = [life("a", 1.0, 1.2), life("a", 1.0, 1.2), life("b", 3.0, 2.0), {"identity": "c", "skipped": "no face"}]
    found = closeness.summary(rows)
    assert (found["people"], found["clips"], found["seconds"]) == (2, 3, 6)
    assert found["closeness"]["brows"] == pytest.approx(1 - 0.4 / 2)
    assert found["each"]["head"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["others"]["head"] == pytest.approx((0 + 1 / 3) / 2)
    assert found["known"]["head"] == 2 and found["interval"]["brows"] == pytest.approx([2 / 3, 0.8])
    assert closeness.summary(rows[:2])["interval"]["brows"] is None
    assert closeness.score(1.0, 3.0) == 0 and closeness.score(None, 1.0) is None
    assert closeness.summary(rows[3:]) == {}
    document = evaluate.report(evaluate.Measured([], people={"test": rows[:3]}), EvaluationSettings())
    assert list(document["life"]) == ["test"] and len(document["people"]) == 3
    table = {cells[0]: cells[1:] for cells in targets.table(document)}
    assert table["Brows, closeness to real"] == [">= 0.8", "0.800", "yes", "test 0.800"]
    page = markdown.page(document, "command")
    assert "### test: 2 people, 3 clips, 6 seconds" in page and speaking.rule() in page
    assert "| brows | 0.800 | 2 | 0.67-0.80 |" in page
    assert closeness_report.life_parts({}) == []


def test_speech_frames_are_those_with_sound(monkeypatch):
    sound = np.zeros(FRAMES * SAMPLES_PER_FRAME, np.float32)
    sound[: 50 * SAMPLES_PER_FRAME] = 0.1 * np.sin(np.arange(50 * SAMPLES_PER_FRAME) * 0.1)
    monkeypatch.setattr(speaking, "_network", lambda: None)
    assert speaking.speech_frames(sound, FRAMES).tolist() == [True] * 50 + [False] * 50
    assert not speaking.speech_frames(0 * sound, FRAMES).any() and "35 dB" in speaking.rule()

    class Heard:
        def run(self, _, inputs):
            return [(np.abs(inputs["input"][:, 64:]).max(1) > 0.01).astype(np.float32)]

    monkeypatch.setattr(speaking, "_network", Heard)
    assert speaking.rule() == "silero-vad"
    assert abs(int(speaking.speech_frames(sound, FRAMES).sum()) - 50) <= 1


@pytest.mark.skipif(find_spec("silero_vad") is None, reason="silero-vad is not installed")
def test_silero_takes_a_tone_for_no_speech():
    tone = 0.3 * np.sin(np.arange(32000) * 0.2).astype(np.float32)
    assert not speaking.speech_frames(tone, 50).any()


def test_command_on_a_real_clip(tmp_path, shared):
    shutil.copy(shared / "media" / "GRID_spk_of_sbwe5n_e3b251.mp4", tmp_path / "person.mp4")
    words = [tmp_path, "--limit-seconds", 1.2, "--size", 96]
    done = CliRunner().invoke(closeness_report.app, [str(word) for word in words])
    assert done.exit_code == 0 and "1 people, 1 clips, 1 seconds" in done.output
    assert "| background flicker | 1.000 | 0." in done.output
    done = CliRunner().invoke(closeness_report.app, [str(Path(tmp_path) / "absent")])
    assert done.exit_code == 2


def test_further_people_are_clips_of_a_split(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "catalog.csv").write_text("file,identity,split\na.mp4,me,test\n")
    monkeypatch.setattr(evaluate, "evaluate", lambda entries, settings, workers: iter([life("me", 1.0, 1.0)]))
    options = evaluate.EvaluateOptions(tmp_path, tmp_path / "o.json", people=[f"{tmp_path}:test"], workers=1)
    found = evaluate.people_rows(options, EvaluationSettings())
    assert list(found) == [f"{tmp_path}:test"] and len(found[f"{tmp_path}:test"]) == 1
    with pytest.raises(SpeechheadError, match="no clips of split val"):
        evaluate.people_rows(
            evaluate.EvaluateOptions(tmp_path, tmp_path / "o", people=[f"{tmp_path}:val"]), EvaluationSettings()
        )
