"""A portrait prepared for the stage: a square of exactly the video's size that shows nothing beyond the picture."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.portrait import Avatar
from speechhead.media.image import Picture


def on_stage(avatar: Avatar, size: int) -> Avatar:
    """The part of a portrait round the face as an avatar whose picture is [size, size, 3] and whose crop is `size`.

    A face near the border of its picture has a crop that reaches over it; the square is moved inside, as
    `Avatar.face` does, and frames are pasted back into it. Everywhere else the frame is the picture.
    """
    height, width = avatar.picture.shape[:2]
    left, top, wanted = avatar.box
    side = min(wanted, height, width)
    x = min(max(left + (wanted - side) // 2, 0), width - side)
    y = min(max(top + (wanted - side) // 2, 0), height - side)
    ratio = size / side
    smaller = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LANCZOS4
    picture = np.asarray(cv2.resize(avatar.picture[y : y + side, x : x + side], (size, size), interpolation=smaller))
    box = (round((left - x) * ratio), round((top - y) * ratio), round(wanted * ratio))
    if wanted == side:
        box = (0, 0, size)
    mesh = avatar.mesh * np.float32(wanted / avatar.size) + np.array([left - x, top - y, 0], np.float32)
    mesh = (mesh * np.float32(ratio)).astype(np.float32)
    fresh = Avatar.cut(np.ascontiguousarray(picture, np.uint8), box, mesh, size)
    return dataclasses.replace(fresh, name=avatar.name, voice=avatar.voice, notes=avatar.notes)


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
