"""The person of a portrait without what is behind, frame by frame: transparent, or before another background."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.errors import ControlError, ImageError
from speechhead.generators.compact.backdrop import fill
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.matte import Matte, behind
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture, load_image

FAINT = np.float32(0.2)
"""Share of the person from which on its colour is told from the background's: below, the division makes noise of it."""


class Cutout:
    """Cuts the person out of frames.

    A frame is the person over the portrait's own background: F = a P + (1 - a) B, with `a` moved along. So before
    another background N it is F + (1 - a) (N - B), exactly, and alone it is P = B + (F - B) / a: no rim of the old
    background stays at hair and shoulders. Outside the face crop, where nothing moves, the matte is that of the whole
    portrait.

    Parameters
    ----------
    crop : side of the face crop that is shown, None for the whole portrait
    background : a colour, or a picture's path, that is to be behind; None for transparency

    Raises
    ------
    ControlError for another generator than the compact one, which has no matte.
    """

    def __init__(self, avatar: Avatar, generator: Generator, crop: int | None, background: str | None) -> None:
        if not isinstance(generator, CompactGenerator):
            raise ControlError(f"generator {generator.family} has no matte of the person. Use compact for that.")
        self._avatar, self._crop = avatar, crop
        source: Source = avatar.source(generator)
        alpha, wall = whole_matte(avatar)
        self._mattes = replace(avatar, picture=_three(alpha))
        self._wall = self._placed(replace(avatar, picture=wall), source.layers.background).astype(np.float32)
        self._backdrop = None if background is None else backdrop(background, self._wall.shape[:2]).astype(np.float32)

    def cut(self, frame: Picture, matte: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A face crop [S, S, 3] and its matte [S, S] as the whole frame: [H, W, 4], not premultiplied, or [H, W, 3]."""
        whole = self._placed(self._avatar, frame).astype(np.float32)
        alpha = self._placed(self._mattes, _three(matte))[..., :1]
        share = alpha.astype(np.float32) / 255
        if self._backdrop is not None:
            return _levels(whole + (1 - share) * (self._backdrop - self._wall))
        person = self._wall + (whole - self._wall) / np.maximum(share, FAINT)
        return np.concatenate([_levels(np.where(alpha > 0, person, 0)), alpha], 2)

    def _placed(self, avatar: Avatar, frame: Picture) -> Picture:
        return avatar.face(frame, self._crop) if self._crop else avatar.paste(frame)


def before(avatar: Avatar, background: str) -> Avatar:
    """A portrait whose person is before another background, a colour or a picture's path, for any generator.

    Raises
    ------
    ImageError if the background is neither.
    """
    alpha, wall = whole_matte(avatar)
    share = 1 - alpha[..., None].astype(np.float32) / 255
    behind_it = backdrop(background, wall.shape[:2]).astype(np.float32)
    picture = _levels(avatar.picture.astype(np.float32) + share * (behind_it - wall))
    fresh = Avatar.cut(picture, avatar.box, avatar.mesh, avatar.size)
    return replace(fresh, name=avatar.name, voice=avatar.voice, notes=avatar.notes)


def whole_matte(avatar: Avatar) -> tuple[NDArray[np.uint8], Picture]:
    """How much of each pixel of the portrait is the person, uint8 [H, W], and the picture [H, W, 3] behind it."""
    picture = avatar.picture
    height, width = picture.shape[:2]
    side = max(height, width)
    top, left = side - height, (side - width) // 2
    pads = (top, 0), (left, side - width - left), (0, 0)
    square = np.ascontiguousarray(np.pad(picture, pads, "edge"))
    corner = np.array([avatar.box[0] + left, avatar.box[1] + top, 0], np.float32)
    mesh: Array = avatar.mesh * np.float32(avatar.box[2] / avatar.size) + corner
    alpha = Matte().alpha(square, mesh)
    inner = slice(top, top + height), slice(left, left + width)
    wall = fill(square, behind(square, alpha))
    return np.asarray(np.round(alpha[inner] * 255), np.uint8), np.ascontiguousarray(wall[inner])


def backdrop(background: str, shape: tuple[int, int]) -> Picture:
    """A colour, or a picture scaled to cover and cut in its middle, as [H, W, 3].

    Raises
    ------
    ImageError if it is neither.
    """
    height, width = shape
    if not Path(background).is_file():
        try:
            colour: tuple[Any, ...] = ImageColor.getrgb(background)
            if max(colour) > 255:
                raise ValueError
        except ValueError:
            wanted = "Give a colour (#rrggbb or its name) or a picture's path"
            raise ImageError(f"background {background[:80]!r} is no colour, and no file. {wanted}.") from None
        plain: Picture = np.full((height, width, 3), colour[:3], np.uint8)
        return plain
    picture = load_image(background)
    factor = max(height / picture.shape[0], width / picture.shape[1])
    size = max(width, round(picture.shape[1] * factor)), max(height, round(picture.shape[0] * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    covering = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    inner: Picture = covering[top : top + height, left : left + width]
    return inner


def _three(plane: NDArray[np.uint8]) -> Picture:
    """A plane as a picture of three equal channels, which `Avatar` pastes."""
    return np.ascontiguousarray(np.repeat(plane[..., None], 3, 2))


def _levels(picture: Array) -> NDArray[np.uint8]:
    return np.asarray(np.round(picture.clip(0, 255)), np.uint8)
