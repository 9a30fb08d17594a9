"""Cuts and dissolves are found; flashes, pans and heads that move are none."""

import numpy as np

from speechhead.face.cuts import HEIGHT, WIDTH, find_shots, thumbnail


def room(seed, shift=0.0):
    """A picture of a room, uint8 [HEIGHT, WIDTH, 3], seen `shift` pixels further to the right."""
    waves = np.random.default_rng(seed).uniform(0.2, 1.1, (3, 3))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    parts = [np.sin(a * (x + shift) + b * y + 6 * c) for a, b, c in waves]
    return np.clip(120 + 80 * np.stack(parts, -1), 0, 255)


def film(*pictures):
    noise = np.random.default_rng(9).normal(0, 1, (len(pictures), HEIGHT, WIDTH, 3))
    return np.clip(np.stack(pictures) + noise, 0, 255).astype(np.uint8)


def test_a_cut():
    shots = find_shots(film(*[room(1)] * 20, *[room(2)] * 15, *[room(1)] * 10))
    assert shots.starts.tolist() == [0, 20, 35] and not shots.mixed.any()
    assert [shots.of(picture) for picture in (0, 19, 20, 44)] == [0, 0, 1, 2]


def test_a_flash_and_a_pan_are_no_cuts():
    pictures = [room(1)] * 40
    pictures[12] = pictures[13] = np.full_like(room(1), 250)
    assert find_shots(film(*pictures)).starts.tolist() == [0]
    pan = find_shots(film(*(room(1, 0.4 * step) for step in range(60))))
    assert pan.starts.tolist() == [0] and not pan.mixed.any()


def test_a_dissolve_belongs_to_two_shots():
    for length in (10, 24):
        ways = np.clip((np.arange(80) - 30) / length, 0, 1)
        shots = find_shots(film(*(room(1) * (1 - way) + room(2) * way for way in ways)))
        assert len(shots.starts) == 2 and abs(shots.starts[1] - (30 + length / 2)) <= 2
        assert shots.mixed[32 : 30 + length - 1].all()
        assert not shots.mixed[:27].any() and not shots.mixed[30 + length + 4 :].any()


def test_thumbnails_of_any_size():
    assert thumbnail(np.zeros((1080, 1920, 3), np.uint8)).shape == (HEIGHT, WIDTH, 3)
    assert thumbnail(np.full((4, 5, 3), 7, np.uint8)).max() == 7
    assert find_shots(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)).starts.tolist() == [0]


def test_light_that_grows_is_no_dissolve():
    ways = np.clip((np.arange(60) - 20) / 20, 0, 1)
    shots = find_shots(film(*(room(1) * (0.6 + 0.4 * way) for way in ways)))
    assert shots.starts.tolist() == [0] and not shots.mixed.any()


def test_a_smooth_background_that_moves_is_no_dissolve():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for pace in (0.06, 0.12, 0.2):
        slopes = [
            np.stack([125 + 100 * np.sin(0.3 * x + 0.2 * y + pace * at + c) for c in range(3)], -1) for at in range(60)
        ]
        for picture in slopes:
            picture[4:, 11:14] = room(4)[4:, 11:14]
        shots = find_shots(film(*slopes))
        assert shots.starts.tolist() == [0] and not shots.mixed.any()


def test_a_dissolve_of_pictures_that_move_is_found():
    ways = np.clip((np.arange(80) - 30) / 16, 0, 1)
    shots = find_shots(
        film(*(room(1, 0.02 * at) * (1 - way) + room(2, 0.02 * at) * way for at, way in enumerate(ways)))
    )
    assert len(shots.starts) == 2 and shots.mixed[33:44].all() and not shots.mixed[:25].any()
