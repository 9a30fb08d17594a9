"""The pictures of the documentation: what they show is chosen by the opening of the mouth, and laid out in rows."""

from __future__ import annotations

import numpy as np

from pipelines.judge import pictures
from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import mouth_opening


class Talking:
    """A speech network whose jaw sinks and rises once."""

    def whole(self, audio, neutral=None):
        count = len(audio) // 640
        motion = np.zeros((count, 70, 3), np.float32)
        down = 0.3 * np.sin(np.pi * np.arange(count) / (count - 1)).astype(np.float32)
        motion[:, [*range(55, 60), *range(65, 68)], 1] = down[:, None]
        return motion


def test_mouths_are_shown_from_the_widest_to_the_smallest_opening():
    avatar = Avatar.open("grace_hopper", 128)
    asked = pictures.spoken(avatar, Talking(), np.full(640 * 40, 0.1, np.float32))
    opening = [float(mouth_opening(face)) for face, _ in asked]
    assert len(opening) == len(pictures.OPEN) and opening == sorted(opening, reverse=True)
    assert opening[-1] < 0.4 * opening[0]


def test_a_mouth_is_cut_out_around_the_lips():
    avatar = Avatar.open("grace_hopper", 256)
    marked = np.zeros((256, 256, 3), np.uint8)
    x, y = np.round(avatar.mesh[13, :2]).astype(int)
    marked[y - 2 : y + 3, x - 2 : x + 3] = 255
    cut = pictures.mouth(marked, avatar)
    assert abs(cut.shape[1] / cut.shape[0] - 10 / 7) < 0.05 and cut.max() == 255


def test_rows_of_pictures_have_their_words():
    black = np.zeros((20, 30, 3), np.uint8)
    white = np.full((20, 30, 3), 255, np.uint8)
    page = pictures.grid([[("before", black), ("", white)], [("now", black), ("", white)]], 60, 40)
    assert page.shape == (80, 120, 3)
    assert page[:16, :53].max() > 200 and (page[:40, 60:] == 255).all() and (page[20:40, :60] == 0).all()
