"""A film's people get the words that they are meant to get, and nobody else does."""

from __future__ import annotations

import json
from contextlib import closing

import numpy as np
import pytest
from support.fakes import FakeGenerator, FakeSpeech, speech_like
from support.films import face, scene

from speechhead.core.controls import Controls
from speechhead.core.errors import ControlError, FaceError
from speechhead.core.options import RenderOptions
from speechhead.render.dub import choose, expected_opening, look, prepared, summary, write_report
from speechhead.render.lip_track import LipTrack
from speechhead.render.patch import Patch
from speechhead.render.scratch import Scratch
from speechhead.render.steady import SteadyMesh

FPS = 20.0


@pytest.fixture(scope="module")
def pictures():
    """Two people in a room, of whom the smaller speaks; then, after a cut, the larger one alone."""
    both = [scene([(face(64), 0, 20), (face(48, 0.1 * (number % 4 < 2)), 320, 60)]) for number in range(14)]
    return both + [scene([(face(64), 130, 10)], tint=1)] * 10


@pytest.fixture(scope="module")
def survey(pictures):
    with closing(look(iter(pictures), FPS, "film.mp4")) as seen:
        yield seen


def test_shots_and_people(survey):
    assert survey.count == 24 and survey.shots.starts.tolist() == [0, 14]
    assert [(take.first, take.last, take.person) for take in survey.takes] == [(0, 13, 0), (0, 13, 1), (14, 23, 0)]
    assert survey.people == 2
    small = survey.takes[1]
    assert small.fact("side")[0] < survey.takes[0].fact("side")[0] and small.starts and small.ends
    crop, mesh = small.shut[0].open(survey.scratch)
    assert crop.shape[0] == crop.shape[1] and 0 < mesh[13, 1] < len(crop)


@pytest.mark.parametrize("generator", ["compact", FakeGenerator(128)])
def test_only_the_one_who_is_chosen_changes(survey, pictures, generator, tmp_path):
    cast = choose(survey, 2, "film.mp4")
    options = RenderOptions(generator=generator, speech2landmarks=FakeSpeech())
    dub = prepared(survey, cast, lambda: [speech_like(1.0)], options, Controls())
    edited = dub.edit(pictures[6], 6, 0.3)
    changed = np.abs(edited.astype(int) - pictures[6]).max(-1) > 0
    assert changed.any() and not changed[:, :320].any() and not changed[:120].any()
    assert dub.edit(pictures[20], 20, 0.9) is pictures[20]  # gone, and nobody else speaks
    assert summary(survey, cast) == "10 of 24 frames stay as they are: who speaks is not seen in 10."
    write_report(tmp_path / "report.json", "film.mp4", survey, cast)
    left = json.loads((tmp_path / "report.json").read_text())["left"]
    assert [(one["first"], one["last"], one["person"]) for one in left] == [(14, 23, None)]


def test_whoever_is_seen_most_and_who_is_not_there(survey, caplog):
    cast = choose(survey, None, "film.mp4")
    assert cast.people == [0] and cast.drawn(24).all() and "2 people found" in caplog.text
    assert choose(survey, "largest", "film.mp4").people == [0]
    with pytest.raises(FaceError, match="--face 3, but the video shows 2 people"):
        choose(survey, 3, "film.mp4")
    with pytest.raises(ControlError, match="no sound that tells who speaks"):
        choose(survey, "speaking", "film.mp4")


def test_the_one_who_speaks_and_the_report(survey, tmp_path):
    expected = np.interp(np.arange(40) / 25, np.arange(14) / FPS, 0.1 * (np.arange(14) % 4 < 2)).astype(np.float32)
    cast = choose(survey, "speaking", "film.mp4", lambda: expected)
    assert cast.people == [1]
    write_report(tmp_path / "report.json", "film.mp4", survey, cast)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["speaks"] == [2] and report["drawn"] == 14 and len(report["shots"]) == 2
    assert {one["reason"] for one in report["left"]} == {"listens"}
    with pytest.raises(FaceError, match="nobody's lips fit its sound"):
        choose(survey, "speaking", "film.mp4", lambda: np.zeros(40, np.float32))
    options = RenderOptions(speech2landmarks=FakeSpeech())
    assert np.ptp(expected_opening(survey, [speech_like(1.0)], options)) > 0.01


def test_patches_lie_within_the_picture():
    picture = np.full((20, 30, 3), 100, np.uint8)
    patch = Patch(-4, 15, np.full((10, 10, 3), 200, np.uint8), np.full((10, 10), 0.5, np.float32))
    patch.onto(picture)
    assert (picture[15:, :6] == 150).all() and (picture[:15] == 100).all() and (picture[:, 6:] == 100).all()
    assert Patch(40, 0, patch.pixels, patch.weight).within(30, 20) is None


def test_a_track_between_and_beyond_its_frames():
    with closing(Scratch()) as scratch:
        track = LipTrack(scratch)
        for rows in (0, 1, 3):  # as many as come at a time
            track.add(
                len(track) + np.arange(rows, dtype=np.float32)[:, None, None] + np.zeros((rows, 70, 3), np.float32)
            )
        assert len(track) == 4
        assert [float(track.at(at)[69, 2]) for at in (-1, 0.5, 1.5, 9)] == [0.0, 0.5, 1.5, 3.0]


def test_speech_moves_lips_alike_in_pieces_of_any_size(survey):
    options, sound = RenderOptions(speech2landmarks=FakeSpeech()), speech_like(1.0)
    pieces = [sound[:100], sound[100:9000], sound[9000:]]
    assert np.array_equal(expected_opening(survey, [sound], options), expected_opening(survey, pieces, options))


def test_of_many_takes_few_are_held(survey, pictures, monkeypatch):
    monkeypatch.setattr("speechhead.render.dub.ROLES", 1)
    options = RenderOptions(generator=FakeGenerator(128), speech2landmarks=FakeSpeech())
    opened = []
    monkeypatch.setattr("speechhead.render.dub.SteadyMesh", lambda *of: opened.append(of) or SteadyMesh(*of))
    dub = prepared(survey, choose(survey, 1, "film.mp4"), lambda: [speech_like(1.0)], options, Controls())
    for index in (3, 4, 16, 17, 5):  # back to the first shot, as in a film that plays to and fro
        dub.edit(pictures[index], index, 0.1)
    assert len(opened) == 3
