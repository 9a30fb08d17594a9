"""A short text as a picture. Pillow's own font has ASCII alone, OpenCV's, from version 5 on, most letters there are."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.errors import MediaError

WEIGHT = 400
"""Of OpenCV's font: regular."""

NOT_A_LETTER = "\uffff"
"""No font has it: what is drawn for it stands for every letter that is missing."""


def lettering(text: str, size: int) -> NDArray[np.uint8]:
    """A text in white on black, uint8 [H, W], cut to its letters; `size` in pixels.

    Raises
    ------
    MediaError if a letter of it can not be drawn here.
    """
    if text.isascii():
        return _in_pillow(text, size)
    draw = getattr(cv2, "FontFace", None) and _in_opencv
    missing = draw(NOT_A_LETTER, size) if draw else np.zeros(0, np.uint8)
    for letter in dict.fromkeys(text):
        if letter.isspace() or letter.isascii():
            continue
        if draw is None or np.array_equal(draw(letter, size), missing):
            raise MediaError(f"watermark '{text[:40]}': '{letter}' can not be drawn here. Leave it out.")
    return _in_opencv(text, size)


def _in_pillow(text: str, size: int) -> NDArray[np.uint8]:
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    left, top, right, bottom = (round(v) for v in font.getbbox(text))
    patch = Image.new("L", (max(right - left, 1), max(bottom - top, 1)), 0)
    ImageDraw.Draw(patch).text((-left, -top), text, fill=255, font=font)
    return np.asarray(patch)


def _in_opencv(text: str, size: int) -> NDArray[np.uint8]:
    canvas = np.zeros((3 * size, 2 * size * (len(text) + 1), 3), np.uint8)
    face: Any = cv2.FontFace("sans")
    white = (255, 255, 255)
    cv2.putText(canvas, " ".join(text.split()), (size // 2, 2 * size), white, face, size, WEIGHT)
    drawn = canvas[..., 0]
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    if not len(rows):
        return drawn[:1, :1]
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
