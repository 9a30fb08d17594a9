"""Cuts and dissolves are found where they are; movement and light are neither."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.films import scene, takes

from pipelines.data.footage.cuts import CutDetector


def found(pictures) -> list[tuple[int, int]]:
    detector = CutDetector()
    return [(i, cut) for i, cut in enumerate(map(detector.push, pictures)) if cut is not None]


@pytest.fixture(scope="module")
def shots() -> tuple[list[np.ndarray], list[np.ndarray]]:
    return list(takes(20, left=40)), list(takes(20, left=180, tint=1, seed=1))


def test_a_cut_is_found_at_its_frame(shots):
    first, second = shots
    assert found(first + second + first) == [(20, 0), (40, 0)]


def test_movement_and_light_are_no_cuts(shots):
    still = scene([])
    pan = [np.roll(still, 6 * t, axis=1)[:, 60:] for t in range(40)]
    flash = [*shots[0][:10], cv2.convertScaleAbs(shots[0][10], alpha=1.3, beta=20), *shots[0][11:]]
    assert found(pan) == [] and found(flash) == []


def test_a_dissolve_names_the_pictures_between(shots):
    first, second = shots
    mixed = [cv2.addWeighted(first[-1], 1 - w, second[0], w, 0) for w in np.linspace(0, 1, 18)[1:-1]]
    cuts = found(first + mixed + second)
    assert cuts and all(retract > 0 and 22 <= at <= 46 for at, retract in cuts)
