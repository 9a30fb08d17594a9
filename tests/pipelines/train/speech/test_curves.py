"""Learning curves: the law that is fitted, who trains and who is judged, and the command on made-up people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from typer.testing import CliRunner

from pipelines.train.config import ConfigError
from pipelines.train.speech import curve_report, curves
from pipelines.train.speech.curve_report import Record, table
from pipelines.train.speech.data import SpeechClip
from pipelines.train.speech.saturation import Saturation, bootstrapped, fit, interval, means
from speechhead.face.landmarks import REFERENCE

SIZES = np.array([8.0, 16.0, 32.0, 64.0])


def person(name: str, seed: int) -> tuple[list[SpeechClip], dict[str, np.ndarray]]:
    """Two clips of a mouth that opens with one of eight features, in noise of its own."""
    rng, clips, features = np.random.default_rng(seed), [], {}
    for stem in (f"{name}_1", f"{name}_2"):
        seen = rng.normal(0, 1, (60, 2, 8)).astype(np.float32)
        landmarks = np.repeat(REFERENCE[None], 60, 0).copy()
        landmarks[:, 65:68, 1] += 0.1 * (seen[:, :, 1].mean(1) + rng.normal(0, 0.5, 60))[:, None].astype(np.float32)
        landmarks[:, 7:10, 1] += 0.1 * seen[:, :, 2].mean(1)[:, None]
        clips.append(SpeechClip(stem, name, "train", "", landmarks, REFERENCE, np.zeros(7, np.float32)))
        features[stem] = seen
    return clips, features


def test_the_law_is_found_again() -> None:
    law = Saturation(0.8, 0.9, 0.5)
    found = fit(SIZES, law.at(SIZES))
    assert found.ceiling == pytest.approx(0.8, abs=1e-6) and found.pace == pytest.approx(0.5)
    assert found.needed(0.75) == pytest.approx((0.9 / 0.05) ** 2) and found.needed(0.8) == float("inf")
    assert fit(SIZES, law.at(SIZES)[::-1]).needed(0.7) == float("inf")  # what falls never gets there
    steep = fit(SIZES, 0.2 * np.log2(SIZES) / 3)
    assert steep.ceiling <= 1


def test_the_bootstrap_holds_what_made_the_scores() -> None:
    rng, law = np.random.default_rng(1), Saturation(0.7, 1.0, 0.8)
    own, noise = rng.normal(0, 0.1, (1, 40, 1)), rng.normal(0, 0.02, (3, 40, 4))
    scores = law.at(SIZES) + own + noise
    scores[0, 3, 0] = np.nan  # not judged in one draw
    low, high = interval([one.ceiling for one in bootstrapped(SIZES, scores, 60)])
    assert low < 0.7 < high and high - low < 0.3
    others = np.nanmean(np.delete(scores, 5, 1), axis=0).mean(0)
    scores[:, 5, 1] = np.nan  # judged at other sizes alone: left out of all
    assert np.allclose(means(scores), others)


@pytest.mark.parametrize("count", [1, 8, 16, 32, 38, 50])
def test_everybody_is_left_out(count: int) -> None:
    people = [str(k) for k in range(51)]
    sets = curves.circle(people, count)
    assert all(len(set(one)) == count for one in sets)
    assert set().union(*(set(people) - set(one) for one in sets)) == set(people)


def test_people_who_leave_nobody_to_judge_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 of 2 people can not train"):
        curves.circle(["a", "b"], 2)


def test_a_share_is_taken_of_what_counts() -> None:
    clips, _ = person("a", 0)
    rng = np.random.default_rng(0)
    for seconds, share, frames in ((60.0, 1.0, 120), (60.0, 0.5, 60), (2.0, 0.5, 25), (60.0, 0.01, 10)):
        pieces = curves.pieces_of(clips, seconds, share, rng)
        assert sum(len(piece.taken.landmarks) for piece in pieces) == frames
        assert all(piece.first % 2 == 0 for piece in pieces)


def test_the_command_learns_once_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {f"p{k:02d}": person(f"p{k:02d}", k) for k in range(8)}
    features = {stem: seen for _, own in made.values() for stem, seen in own.items()}
    monkeypatch.setattr(curves, "usable_clips", lambda *_: {name: own for name, (own, _) in made.items()})
    monkeypatch.setattr(curves, "features_of", lambda _, stem: features[stem])
    monkeypatch.setattr(curves, "SIZES", (2, 4))
    monkeypatch.setattr(curves, "SHARES", (0.25, 0.5))
    monkeypatch.setattr(curves, "PENALTIES", (0.003,))
    monkeypatch.setattr(curve_report, "ROUNDS", 20)
    target = tmp_path / "curves.png"
    arguments = ["--media", str(tmp_path), "--data", str(tmp_path), "--draws", "1", "--picture", str(target)]
    first = CliRunner().invoke(curves.app, arguments)
    assert first.exit_code == 0, first.output
    assert "| linear map, people (5 s each) | 2 | 4 | 6 |" in first.output and "| chin |" in first.output
    kept = (tmp_path / "curves_linear.jsonl").read_text()
    assert CliRunner().invoke(curves.app, arguments).output == first.output
    assert (tmp_path / "curves_linear.jsonl").read_text() == kept  # nothing is learned twice
    assert np.asarray(Image.open(target).convert("L")).std() > 5


def test_of_settings_the_best_counts_at_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_report, "ROUNDS", 5)
    records = [
        Record("linear map", setting, 0, people, 1.0, 0, 9.0, {"a": {"opening": score, "chin": 0.1, "closures": 0.5,
        "opening best": score}}) for people in (8, 16, 32) for setting, score in (("0.1", 0.3), ("0.3", 0.01 * people))
    ]  # fmt: skip
    found = curve_report.curves(records)
    assert found[0].measure == "opening" and np.allclose(found[0].scores, (0.3, 0.3, 0.32))
    assert "| opening | 0.300 | 0.300 | 0.320 |" in table(found)
