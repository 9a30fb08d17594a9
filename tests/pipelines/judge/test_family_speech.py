"""Lips are judged by what a tracker sees: those that follow are told from those that do not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from support.fakes import FakeGenerator, FakeSpeech, speech_like
from support.small_families import installed
from typer.testing import CliRunner

from pipelines.judge import family_speech
from pipelines.judge.clips import ClipEntry, FaceTrack, JudgedClip
from pipelines.judge.family_speech import LipFigures, LipJudge
from pipelines.judge.ours import Rendered
from speechhead.avatar.portrait import Avatar
from speechhead.core import weights
from speechhead.face.landmarks import mouth_opening
from speechhead.generators.driven import DrivenGenerator
from speechhead.motion.surroundings import Surroundings

FRAMES = 40


class Shown(FakeGenerator):
    """Keeps the opening that it is asked for in the first pixel; `deaf`, it draws none."""

    surroundings = Surroundings(past=1, sound=1)

    def __init__(self, deaf: bool = False) -> None:
        super().__init__(family_speech.SIZE)
        self.deaf = deaf

    def render(self, source: Any, normalised: np.ndarray, pose: Any) -> np.ndarray:
        assert normalised.shape == (70 + self.surroundings.rows, 3)
        frame = source.copy()
        frame[100, 100] = 0 if self.deaf else np.clip(500 * mouth_opening(normalised[None, :70])[0], 0, 255)
        return frame


class Whole(FakeSpeech):
    """Speaks recordings."""

    def whole(self, audio: np.ndarray, emotion: Any = None, neutral: Any = None) -> np.ndarray:
        stream = self.stream()
        return np.concatenate([stream.push(audio), stream.flush()])


class Seer:
    """Sees the mesh that it was given, its mouth as open as the pixel says."""

    def __init__(self, mesh: np.ndarray, at: tuple[int, int]) -> None:
        self.mesh, self.at = mesh, at

    def track(self, frames: Any) -> Any:
        for frame in frames:
            mesh = self.mesh.copy()
            mesh[[14, 87, 317], 1] += float(frame[self.at][0]) / 4
            yield SimpleNamespace(mesh=mesh)


@pytest.fixture(scope="module")
def clip(portrait: np.ndarray) -> JudgedClip:
    """A still picture whose sound opens the mouth as the stand-in for the speech network hears it."""
    avatar = Avatar.from_image(portrait, 256).resampled(256)
    sound = speech_like(FRAMES / 25)
    motion = Whole().whole(sound)
    mesh = np.repeat(avatar.mesh[None], FRAMES, 0)
    mesh[:, [14, 87, 317], 1] += 60 * (motion[:, 66, 1] - motion[:, 62, 1])[:, None]
    return JudgedClip(ClipEntry(Path("clip.mp4"), "one"), np.stack([avatar.crop] * FRAMES), sound, FaceTrack(mesh, 1.0))


def judge(clip: JudgedClip, generator: Shown) -> tuple[LipFigures, dict[str, np.ndarray]]:
    avatar = Avatar.from_face(clip.frames[0], clip.truth.mesh[0], family_speech.SIZE, shrink=False)
    left, top, side = avatar.box
    at = round(top + 100.5 * side / 256), round(left + 100.5 * side / 256)
    return LipJudge(generator, Whole(), Seer(clip.truth.mesh[0], at)).judge(clip)


def test_lips_that_follow_are_told_from_lips_that_do_not(clip: JudgedClip) -> None:
    follows, videos = judge(clip, Shown())
    assert follows.speech > 0.8 and follows.landmarks > 0.8 and follows.asked > 0.8
    assert follows.still == 0 and abs(follows.shifted) < 0.6 and follows.faces == 1
    deaf, _ = judge(clip, Shown(deaf=True))
    assert deaf.speech == 0 and deaf.landmarks == 0 and deaf.amplitude < 0.1
    mean = LipFigures.mean([follows, deaf])
    assert mean.speech == pytest.approx(follows.speech / 2) and "r 0." in mean.line("mean of 2")
    sheet = family_speech.sheet(clip, videos)
    assert sheet.shape == (6 * 192, family_speech.ACROSS * 192, 3)


def test_keypoints_on_the_lips_part_as_the_latents_say(
    clip: JudgedClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path))
    installed("fomm", tmp_path, past=1)
    judge = LipJudge(
        DrivenGenerator.load("fomm", family_speech.SIZE), Whole(), Seer(clip.truth.mesh[0], (0, 0)), (2, 3)
    )
    rendered = Rendered(clip, judge.generator, family_speech.SIZE)
    still = np.repeat(clip.truth.normalised[:1], 3, 0)
    moved = still + np.float32(0.1) * np.arange(3, dtype=np.float32)[:, None, None]
    poses = [clip.truth.poses[0]] * 3
    own = rendered.source.motion["value"][0, :, :2].numpy()
    assert judge.parted(rendered, still, poses) == pytest.approx(
        float((own[3] - own[2]) @ poses[0].rotation[:2, 1]), abs=1e-4
    )
    assert np.ptp(judge.parted(rendered, moved, poses)) > 1e-4


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    call = ["--generator", str(tmp_path / "none.safetensors"), "--clips", str(tmp_path)]
    result = CliRunner().invoke(family_speech.app, call)
    assert result.exit_code != 0 and "no such weight file" in result.output and "Traceback" not in result.output
