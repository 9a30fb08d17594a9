"""The sheet of a dubbed film: what it is made of, and its figures."""

import numpy as np
import pytest
from support.films import face, scene

from pipelines.judge.dubbing import ALONE, HEIGHT, TOGETHER, WIDTH, compose, correlation, figures, followed, sheet
from speechhead.media.writer import VideoWriter


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with VideoWriter(path, 256, 256, 25, None) as writer:
        for number in range(TOGETHER + ALONE):
            writer.write(scene([(face(80, 0.1 * (number % 3)), 20, 0)])[:256, :256])
    return path


def test_a_film_of_two_and_a_cut(clip):
    film = compose(clip, clip)
    assert len(film) == TOGETHER + ALONE and film[0].shape == (HEIGHT, WIDTH, 3)
    assert np.abs(film[TOGETHER].astype(int) - film[TOGETHER - 1]).mean() > 20


def test_a_lag_is_found():
    wave = np.sin(np.arange(60) * 0.9).astype(np.float32)
    late = np.concatenate([np.zeros(2, np.float32), wave])[:60]
    assert correlation(late, wave, 2) > 0.99 > correlation(late, wave, 0)


def test_figures_of_a_film_that_stays_as_it_is(clip, capsys):
    part = compose(clip, clip)[:TOGETHER]
    faces = followed(part)
    opening = np.linspace(0, 0.1, len(faces)).astype(np.float32)
    figures(part, part, faces, faces, opening)
    printed = capsys.readouterr().out
    assert "at most 0.000" in printed and "the one who listens, levels: 0.00" in printed
    long, many = part + part[:2], faces + faces[:2]
    assert sheet(long, long, many).shape[0] * 3 == sheet(long, long, many).shape[1]
