"""Made covers lie where they say, and the network learns from them."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.covers import COVERS, LIPS, beard, hidden, polygon
from pipelines.train.mouth_cover import KINDS, Fit, close, fit, variants
from speechhead.face.covered import cover_odds
from speechhead.face.tracker import FaceTracker


@pytest.fixture(scope="module")
def face(portrait):
    return close(portrait, FaceTracker(threads=1).locate(portrait).mesh)


def test_hidden_is_the_part_of_the_lips(face):
    picture, mesh = face
    lips = polygon(picture.shape, mesh[list(LIPS), :2])
    assert hidden(lips, mesh) > 0.9 and hidden(0 * lips, mesh) == 0
    left = lips * (np.arange(picture.shape[1]) < mesh[13, 0])
    assert hidden(left, mesh) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("name", COVERS)
def test_a_cover_changes_what_its_opacity_says_and_nothing_else(face, name):
    picture, mesh = face
    parts = []
    for seed in range(3):
        made, opacity = COVERS[name](picture, mesh, [picture], np.random.default_rng(seed))
        assert made.shape == picture.shape and made.dtype == np.uint8
        assert (made[opacity == 0] == picture[opacity == 0]).all() and 0 <= opacity.min() <= opacity.max() <= 1.001
        parts.append(hidden(opacity, mesh))
    assert np.median(parts) > 0.6
    again = COVERS[name](picture, mesh, [picture], np.random.default_rng(2))[0]
    assert (again == made).all()


def test_a_beard_leaves_eyes_and_brow(face):
    picture, mesh = face
    made, _ = beard(picture, mesh, [], np.random.default_rng(0))
    above = int(mesh[[33, 263], 1].max())
    assert (made[:above] == picture[:above]).all() and (made != picture).any()


def test_every_kind_in_turn(face):
    kinds = [kind for _, _, kind, _ in variants(*face, [face[0]], len(KINDS), np.random.default_rng(0))]
    assert tuple(kinds) == KINDS


def test_the_network_learns_what_can_be_learnt():
    random = np.random.default_rng(0)
    features = random.normal(0, 1, (600, 12)).astype(np.float32)
    covered = (features[:, 0] + features[:, 1] > 0.5).astype(np.float32)
    network = fit(features, covered, np.ones(600, np.float32), Fit(epochs=200))
    odds = np.array([cover_odds(row, network) for row in features])
    assert ((odds > 0) == (covered > 0)).mean() > 0.9
    again = fit(features, covered, np.ones(600, np.float32), Fit(epochs=200))
    assert all((network[name] == again[name]).all() for name in network)
