"""Films are compared by what their files say, and by their bytes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from support.rich_films import Kind, filmed, rich_film
from typer.testing import CliRunner

from pipelines.judge.film_table import app, described, same_packets
from speechhead.core.film_options import FilmOptions


def test_a_dub_and_its_source(tmp_path):
    source = rich_film(tmp_path / "film.mkv", Kind("yuv420p10le", sar=Fraction(4, 3)))
    result = filmed(source, tmp_path / "new.mkv", 1, FilmOptions(since=0.5, keep_audio=True))
    lines = described(source)
    assert lines["picture"] == "h264, yuv420p10le, 96x64" and lines["shape of pixels"] == "4:3"
    assert lines["colour"] == "BT.709/BT.709/BT.709, 16-235" and lines["chroma at"] == "left"
    assert lines["sound 1"] == "aac, 44100 Hz, stereo, eng, default" and lines["words 1"] == "srt, deu"
    pictures, timed, equal = same_packets(source, result)
    assert (pictures, timed) == (50, 50) and equal == pytest.approx(20, abs=5)
    shown = CliRunner().invoke(app, [str(source), str(result)])
    assert "| title | A rich film | A rich film |" in shown.output and "50 of 50 |" in shown.output
    assert CliRunner().invoke(app, [str(tmp_path / "none.mp4"), str(result)]).exit_code == 2
