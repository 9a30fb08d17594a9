"""The report of people apart: what is asked for and seen of ours, baselines beside what is seen of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from pipelines.judge.clips import ClipEntry, FaceTrack, JudgedClip
from pipelines.train.speech import strangers
from speechhead.core.errors import FaceError, MediaError
from speechhead.face.landmarks import REFERENCE
from speechhead.face.tracker import FaceTracker


class Truth(FaceTrack):
    """A track whose normalised landmarks are given."""

    def __init__(self, landmarks: np.ndarray) -> None:
        super().__init__(np.zeros((len(landmarks), 478, 3), np.float32), 1.0)
        object.__setattr__(self, "shown", landmarks)

    @property
    def normalised(self) -> np.ndarray:
        return self.shown


def film(name: str, sound: bool = True) -> JudgedClip:
    rng = np.random.default_rng(len(name))
    wave = np.abs(np.convolve(rng.standard_normal(80), np.ones(6) / 6, "same")).astype(np.float32)
    landmarks = np.repeat(REFERENCE[None], 80, 0).copy()
    landmarks[:, 65:68, 1] += 0.2 * wave[:, None]
    audio = np.repeat(wave, 640) * rng.choice([-1, 1], 80 * 640)
    frames = np.zeros((80, 8, 8, 3), np.uint8)
    entry = ClipEntry(Path(f"{name}.mp4"), name[:1])
    return JudgedClip(entry, frames, audio.astype(np.float32) if sound else None, Truth(landmarks))


def test_rows_have_every_method_beside_one_another() -> None:
    def show(clip: JudgedClip, speech: object) -> tuple[np.ndarray, np.ndarray | None]:
        truth = clip.truth.normalised
        return REFERENCE + 2 * (truth - REFERENCE), None if speech == "blind" else truth

    found = strangers.rows([film("a"), film("aa"), film("bb")], {"before": "blind", "now": "seeing"}, show)
    assert list(found) == ["still", "energy", "before, asked", "now, asked", "now"]
    assert found["now"]["opening"] == pytest.approx(1) and found["now"]["people"] == 2
    assert found["now"]["opening range"] == pytest.approx(1) and found["now, asked"]["opening range"] > 1.5
    assert found["energy"]["opening"] > 0.7 and found["still"]["opening"] == 0
    with pytest.raises(MediaError, match="no clip with sound"):
        strangers.rows([], {"now": "seeing"}, show)


def test_clips_without_sound_are_left_out_and_unusable_ones_named(monkeypatch, tmp_path, capsys) -> None:
    films = {"a1": film("a1", sound=False), "a2": film("a2"), "a3": film("a3")}
    entries = [ClipEntry(Path(f"{name}.mp4"), name[0]) for name in ("a1", "a2", "a3", "b1")]
    monkeypatch.setattr(strangers, "list_clips", lambda folder, split: entries)

    def load(entry: ClipEntry, seconds: float, tracker: FaceTracker) -> JudgedClip:
        if entry.identity == "b":
            raise FaceError("b1.mp4: no face")
        return films[entry.path.stem]

    monkeypatch.setattr(strangers, "load", load)
    chosen = list(strangers.usable(tmp_path, "test", 4, FaceTracker))
    assert [clip.entry.path.stem for clip in chosen] == ["a2", "a3"]
    assert "left out: b1.mp4: no face" in capsys.readouterr().out
