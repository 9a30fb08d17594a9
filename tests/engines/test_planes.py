"""What a device does with pictures is what the library does with them on the host."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from speechhead.engines.planes import BT601, Laying, as_bytes, i420, resized  # noqa: E402
from speechhead.generators.families.crops import Crop, Pasting  # noqa: E402
from speechhead.generators.families.crops import resized as resized_by_opencv  # noqa: E402
from speechhead.media.image import yuv420  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture
def picture():
    """A picture with edges and noise, 96 x 128."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (128, 96), interpolation=cv2.INTER_CUBIC), np.uint8)


def levels(one, other) -> int:
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())


def test_planes_are_those_of_the_library(picture):
    noise = np.random.default_rng(1).integers(0, 256, picture.shape, np.uint8)
    made = i420(torch.from_numpy(np.stack([picture, noise]))).numpy()
    assert made.shape == (2, 144, 128) and made.dtype == np.uint8
    assert levels(made[0], yuv420(picture)) <= 1 and levels(made[1], yuv420(noise)) <= 1
    live = i420(torch.from_numpy(noise[None]), BT601, averaged=False).numpy()[0]
    assert levels(live, cv2.cvtColor(noise, cv2.COLOR_RGB2YUV_I420)) <= 1


@pytest.mark.parametrize("side", [40, 96, 150])
def test_squares_are_resized_as_by_opencv(picture, side):
    square = np.ascontiguousarray(picture[:, :96])
    made = as_bytes(resized(torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255, side))
    assert levels(made.numpy()[0], resized_by_opencv(square, side)) <= 1


@pytest.mark.parametrize("crop", [Crop(60.0, 50.0, 50), Crop(64.0, 40.0, 51, 17.0), Crop(10.0, 10.0, 60)])
def test_a_crop_is_laid_back_as_on_the_host(picture, crop):
    paste = Pasting(picture, crop)
    frame = crop.cut(picture[::-1].copy(), crop.side)
    laying = Laying(paste.matrix, picture[paste.rows, paste.columns], paste.ramp, CPU)
    made = as_bytes(laying(torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255)).numpy()[0]
    expected = paste(frame)[paste.rows, paste.columns]
    # OpenCV reads turned pictures at places rounded to a 32nd of a pixel.
    assert levels(made, expected) <= (8 if crop.angle else 1) and np.abs(made - expected.astype(float)).mean() < 0.5
