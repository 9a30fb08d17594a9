"""A portrait as a square that shows nothing beyond its picture: what is live, and what a browser draws."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from .portrait import Avatar


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
