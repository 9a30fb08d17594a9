"""Which picture of a film is shown when, and in which parts it is written."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from speechhead.render.timeline import Part, at_rate, parts, timeline

BASE = Fraction(1, 100)
TIMES, LENGTHS = np.array([0, 4, 8, 30, 34]), np.array([4, 4, 22, 4, 4])


@pytest.mark.parametrize(
    "way, seconds, source, at",
    [
        ("bounce", 0.6, [0, 1, 2, 3, 4, 4, 3, 2], [0, 4, 8, 30, 34, 38, 42, 46]),
        ("loop", 0.5, [0, 1, 2, 3, 4, 0, 1, 2], [0, 4, 8, 30, 34, 38, 42, 46]),
        ("hold", 0.5, [0, 1, 2, 3, 4, 4, 4, 4], [0, 4, 8, 30, 34, 38, 42, 46]),
        ("cut", 9, [0, 1, 2, 3, 4], [0, 4, 8, 30, 34]),
        ("keep", 0.1, [0, 1, 2, 3, 4], [0, 4, 8, 30, 34]),
        ("bounce", 0.09, [0, 1, 2], [0, 4, 8]),
        ("bounce", 0.001, [0], [0]),
    ],
)
def test_uneven_times_are_kept_and_mirrored(way, seconds, source, at):
    line = timeline(TIMES, LENGTHS, BASE, seconds, way)
    assert line.source.tolist() == source and line.at.tolist() == at
    assert (line.at[1:] == (line.at + line.lengths)[:-1]).all()


def test_a_constant_rate_shows_what_is_there_in_the_middle_of_each_picture():
    line = at_rate(timeline(TIMES, LENGTHS, BASE, None, "keep"), 10)
    assert line.source.tolist() == [1, 2, 2, 4] and line.at.tolist() == [0, 1, 2, 3] and line.base == Fraction(1, 10)


def test_parts_run_in_one_direction_and_groups_are_copied_whole():
    times = np.arange(40)
    line = timeline(times, np.ones(40, int), Fraction(1, 25), 3, "bounce")
    edited = np.zeros(len(line), bool)
    edited[12] = True
    found = parts(line, edited, [0, 10, 20, 30, 40], 1.0)
    assert found == [Part(0, 10, True), Part(10, 20, False), Part(20, 40, True), Part(40, 75, False)]
    whole = parts(line, edited, None, 1.0)
    assert [(part.first, part.last) for part in whole] == [(0, 40), (40, 75)]
    short = timeline(times, np.ones(40, int), Fraction(1, 25), 1, "bounce")
    assert parts(short, np.zeros(25, bool), [0, 10, 20, 30, 40], 1.0) == [Part(0, 20, True), Part(20, 25, False)]
    long = parts(timeline(times, np.ones(40, int), Fraction(1), None, "keep"), np.ones(40, bool), None, 8.0)
    assert [part.last - part.first for part in long] == [8, 8, 8, 16]
