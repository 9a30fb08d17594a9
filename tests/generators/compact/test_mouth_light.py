"""What portraits tell of the colours in their mouths: none that they do not have."""

from __future__ import annotations

import cv2
import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.generators.compact.mouth_light import LUMA, OVER_LIP, TONES, Tone, light, moustache


def test_a_painted_face_of_few_colours_is_no_print() -> None:
    """Its skin alone is a function of luma; what is lighter than it must not be blue."""
    avatar = Avatar.open("tomas", size=256).resampled(256)
    found = light(avatar.crop, avatar.mesh)
    assert found.grey == 0
    assert found.white[0] > found.white[1] > found.white[2]


def test_tones_go_on_beyond_what_a_print_shows_as_they_are_at_its_ends() -> None:
    luma = np.tile(np.linspace(60, 170, 200, dtype=np.float32), (50, 1))
    picture = np.stack([255 * (luma / 255) ** power for power in (0.7, 1.0, 1.5)], -1).astype(np.float32)
    tone = Tone.of(picture.reshape(-1, 3))
    for beyond, end in ((5, 60), (250, 170)):
        shown, last = tone.at(np.array([beyond, end], np.float32))
        np.testing.assert_allclose(shown / beyond, last / end, atol=0.01)
    within = tone.at(np.array([120], np.float32))[0]
    like = picture[np.abs(picture @ LUMA - 120) < 3].mean(0)
    np.testing.assert_allclose(within / 120, like / (like @ LUMA), atol=0.02)


def test_the_page_around_a_print_does_not_tone_its_mouth() -> None:
    avatar = Avatar.default(256).resampled(256)
    luma = avatar.crop @ LUMA / 255
    print_ = np.round(255 * np.stack([luma**0.8, luma, luma**1.4], -1)).astype(np.uint8)
    page = print_.copy()
    page[:, :20] = page[:, -20:] = 255
    for crop in (print_, page):
        found = light(crop, avatar.mesh)
        red, green, blue = found.tone.at(np.array([250], np.float32))[0]
        assert found.grey == 1 and red > green > 1.02 * blue


def test_a_picture_without_light_has_no_tone() -> None:
    tone = Tone.of(np.zeros((64, 3), np.float32))
    np.testing.assert_array_equal(tone.at(np.array([0, 100], np.float32)), [[0, 0, 0], [100, 100, 100]])


def test_teeth_are_no_lighter_than_what_the_portrait_shows_as_white() -> None:
    avatar = Avatar.default(256)
    dim = (0.6 * avatar.crop).astype(np.uint8)
    found = light(dim, avatar.mesh)
    assert found.most <= (dim @ LUMA).max() < 165
    given = np.repeat(np.linspace(0, 3, 301, dtype=np.float32)[:, None], 3, 1)
    front, lit = found.on_teeth(given) * TONES.front, given * found.white * np.float32(TONES.front / 235)
    luma = front @ LUMA
    assert 0.9 * found.most < luma.max() <= found.most + 0.01 and (np.diff(luma) >= -1e-3).all()
    few = (lit < 0.7 * found.most).all(-1)
    np.testing.assert_allclose(front[few], lit[few], rtol=1e-5)


def test_dark_hair_over_the_lip_is_told_and_a_shaven_lip_is_not() -> None:
    avatar = Avatar.default(256)
    assert moustache(avatar.crop, avatar.mesh) == 0
    bearded = avatar.crop.copy()
    cv2.fillPoly(bearded, [np.round(avatar.mesh[OVER_LIP, :2]).astype(np.int32)], (25, 22, 20))
    assert moustache(bearded, avatar.mesh) == 1
