"""A change of a picture in a frame's own planes: in every format, and nowhere else."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from speechhead.media.film import FilmLook
from speechhead.media.tone import HLG, PQ, screen_curve, signals
from speechhead.media.view import PLANAR, as_picture_of, changed_frame, copied_frame, plain_frame


def plane(frame, index):
    part = frame.planes[index]
    kind = np.dtype(np.uint8 if part.line_size < 2 * part.width else "<u2")
    return np.frombuffer(memoryview(part), kind).reshape(-1, part.line_size // kind.itemsize)[
        : part.height, : part.width
    ]


def grey_ramp(layout: str) -> av.VideoFrame:
    """A ramp of light with some colour, 96 x 64."""
    frame, step = av.VideoFrame(96, 64, layout), 1 << (PLANAR[layout][2] - 8)
    plane(frame, 0)[:] = (np.add.outer(np.arange(64), np.arange(96)) / 2 + 60) * step + (step > 1)
    plane(frame, 1)[:], plane(frame, 2)[:] = 110 * step, 150 * step
    return frame


def look_of_kind(layout: str, transfer: int = 1, siting: tuple[float, float] = (0.0, 0.5), **more) -> FilmLook:
    matrix = 9 if transfer != 1 else 1
    full = layout.startswith("yuvj")
    tags = (2 if full else 1, matrix, matrix, transfer)
    return FilmLook(96, 64, layout, matrix, full, tags, more.get("sar", Fraction(1)), siting, more.get("turns", 0))


@pytest.mark.parametrize("layout", PLANAR)
@pytest.mark.parametrize("transfer", [1, HLG, PQ])
def test_what_is_drawn_comes_out_and_the_rest_keeps_its_bits(layout, transfer):
    for siting in ((0.0, 0.5), (0.0, 0.0), (0.5, 0.5)):
        look, frame = look_of_kind(layout, transfer, siting), grey_ramp(layout)
        before = as_picture_of(frame, look)
        after = before.copy()
        after[24:40, 32:64] = np.clip(after[24:40, 32:64].astype(int) + (20, -10, 5), 0, 255)
        new = changed_frame(frame, look, before, after)
        shown = as_picture_of(new, look)[28:36, 40:56].astype(int)
        assert np.abs(shown - after[28:36, 40:56]).mean() < 1.5
        across, down, _ = PLANAR[layout]
        for index in range(3):
            wide, high = (across, down) if index else (1, 1)
            rows, columns = np.nonzero(plane(frame, index) != plane(new, index))
            assert 24 // high - 1 <= rows.min() and rows.max() <= 40 // high
            assert 32 // wide - 1 <= columns.min() and columns.max() <= 64 // wide


def test_nothing_drawn_is_the_same_frame():
    look, frame = look_of_kind("yuv420p"), grey_ramp("yuv420p")
    picture = as_picture_of(frame, look)
    assert changed_frame(frame, look, picture, picture) is frame
    assert changed_frame(frame, look, picture, picture.copy()) is frame


@pytest.mark.parametrize("sar, turns, shape", [(Fraction(4, 3), 0, (64, 128)), (Fraction(1), 1, (96, 64))])
def test_pixels_are_square_and_upright(sar, turns, shape):
    look, frame = look_of_kind("yuv420p", sar=sar, turns=turns), grey_ramp("yuv420p")
    before = as_picture_of(frame, look)
    assert before.shape[:2] == shape
    after = before.copy()
    after[20:40, 20:40] = 200
    shown = as_picture_of(changed_frame(frame, look, before, after), look)
    assert np.abs(shown[24:36, 24:36].astype(int) - 200).mean() < 3
    assert np.array_equal(shown[44:], before[44:]) and np.array_equal(shown[:, 44:], before[:, 44:])


def test_curves_rise_and_have_a_way_back():
    assert screen_curve(1) is None
    for transfer in (HLG, PQ):
        curve = screen_curve(transfer)
        assert (np.diff(curve) >= 0).all() and curve[0] == 0 and curve[-1] > 0.98
        levels = np.arange(0, 250, dtype=np.uint8)
        assert np.abs(np.interp(signals(levels, curve), np.linspace(0, 1, 65536), curve) * 255 - levels).max() < 0.1


def test_other_formats_become_planes_and_cut_frames_keep_theirs():
    rgb = av.VideoFrame.from_ndarray(np.full((64, 96, 3), (200, 60, 30), np.uint8), format="rgb24")
    look = FilmLook(96, 64, "rgb24", 0, False, (2, 0, 1, 1), Fraction(1), (0.0, 0.5))
    frame, plain = plain_frame(rgb, look)
    assert (frame.format.name, plain.layout, plain.matrix) == ("yuv420p", "yuv420p", 1)
    assert np.abs(as_picture_of(frame, plain).astype(int) - (200, 60, 30)).max() < 4
    assert np.abs(as_picture_of(rgb, look).astype(int) - (200, 60, 30)).max() < 2
    cut = copied_frame(grey_ramp("yuv422p10le"), (1, 1, 1, 1), 90, 62)
    assert np.array_equal(plane(cut, 0), plane(grey_ramp("yuv422p10le"), 0)[:62, :90])
