"""A portrait prepared for the stage: a square of exactly the video's size that shows nothing beyond the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.media.image import Picture


def fills_picture(avatar: Avatar) -> bool:
    """Whether the rendered crop is the whole picture, so that nothing needs pasting."""
    return avatar.box == (0, 0, avatar.picture.shape[0])


def to_i420(picture: Picture) -> NDArray[np.uint8]:
    """RGB [S, S, 3] to what video encoders eat: planar 4:2:0 [3 S / 2, S], BT.601 as decoders assume for WebRTC."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)


def preview(avatar: Avatar, size: int = 256) -> bytes:
    """A square JPEG of the portrait's face, [size, size]."""
    square = on_stage(avatar, size).picture
    done, data = cv2.imencode(".jpg", cv2.cvtColor(square, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert done
    return bytes(data)
