"""Colours that training changes at random: light, film, old prints, and irises of other hues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT, IRIS_LEFT, IRIS_RIGHT, WARP

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Chances:
    """How often what is changed, as shares of all samples."""

    grey: float = 0.16
    """Black and white."""

    toned: float = 0.12
    """Prints of one tone, as in sepia: colours that are a function of the luma."""

    iris: float = 0.4
    """Irises of another hue, so that it is read from the portrait and not from a face's other colours."""

    side: float = 0.3
    """Light from a side."""


CHANCES = Chances()

HIGHLIGHT = (120.0, 200.0)
"""Luma of an eye between which a pixel is less and less iris: reflected lamps keep their colour."""


def recolour(random: np.random.Generator) -> NDArray[np.float32]:
    """A random colour change as (gain [3], gamma [3], saturation): light, film, black and white, prints, paintings."""
    kind = random.random()
    saturation = 0.0 if kind < CHANCES.grey + CHANCES.toned else random.uniform(0.6, 1.3)
    gain = random.uniform(0.75, 1.15) * random.uniform(0.9, 1.1, 3)
    gamma = np.full(3, np.exp(random.uniform(-0.3, 0.3)))
    if kind < CHANCES.grey:
        gain[:] = gain.mean()
    elif kind < CHANCES.grey + CHANCES.toned:
        tone = random.uniform(0, 0.35)  # brown; now and then blue
        gamma = gamma * np.exp(np.array([-tone, 0, tone]) * (1 if random.random() < 0.8 else -1))
    return np.array([*gain, *gamma, saturation], np.float32)


def apply_colour(image: NDArray[np.uint8], colour: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colour change on an RGB picture: saturation, then gamma and gain by a table."""
    mixed = cv2.transform(image, (1 - colour[6]) * np.tile(LUMA, (3, 1)) + colour[6] * np.eye(3, dtype=np.float32))
    levels = (np.arange(256, dtype=np.float32) / 255)[:, None] ** colour[3:6] * colour[:3]
    table = (np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.LUT(mixed, table[None]), np.uint8)


def side_light(random: np.random.Generator) -> NDArray[np.float32] | None:
    """A random light from a side as (x, y): how much lighter the picture's right and lower borders are; None mostly."""
    return random.uniform(-0.35, 0.35, 2).astype(np.float32) if random.random() < CHANCES.side else None


def light_from(image: NDArray[np.uint8], side: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A square picture [S, S, 3] in a light from a side, of `side_light`."""
    across = np.linspace(-1, 1, image.shape[0], dtype=np.float32)
    gain = 1 + side[0] * across[None] + side[1] * across[:, None]
    return np.asarray(cv2.multiply(image, cv2.merge([gain] * 3), dtype=cv2.CV_8U), np.uint8)


def other_iris(random: np.random.Generator) -> NDArray[np.float32] | None:
    """A random colour of irises as (gain [3], share of it): mostly None, which leaves them as they are."""
    if random.random() >= CHANCES.iris:
        return None
    hue, depth = random.uniform(0, 2 * np.pi), random.uniform(0.05, 0.45)
    tint = 1 + depth * np.cos(hue - np.array([0, 2, 4]) * np.pi / 3)
    gain = random.uniform(0.8, 1.9) * tint / float(tint @ LUMA)
    return np.array([*gain, random.uniform(0.7, 1.0)], np.float32)


def with_iris(image: NDArray[np.uint8], mesh: Array, pose: Pose, iris: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture [S, S, 3] whose irises, seen between the lids of its mesh [478, 3], have the colour of `other_iris`."""
    out = image.copy()
    radius = WARP.iris_radius * float(pose.scale)
    for loop, centre in ((EYE_LEFT, IRIS_LEFT), (EYE_RIGHT, IRIS_RIGHT)):
        corner = np.round(mesh[centre, :2] - radius).astype(int) - 2
        x0, y0 = np.clip(corner, 0, image.shape[0]).tolist()
        x1, y1 = np.clip(corner + round(2 * radius) + 5, 0, image.shape[0]).tolist()
        if x1 - x0 < 3 or y1 - y0 < 3:
            continue
        region = out[y0:y1, x0:x1].astype(np.float32)
        masks = np.zeros((2, y1 - y0, x1 - x0), np.uint8)
        fixed = np.round((mesh[[*loop, centre], :2] - (x0 + 0.5, y0 + 0.5)) * 16).astype(np.int32)
        cv2.fillPoly(masks[0], [fixed[:-1]], 255, cv2.LINE_AA, 4)
        cv2.circle(masks[1], tuple(map(int, fixed[-1])), round(radius * 16), 255, -1, cv2.LINE_AA, 4)
        mask: NDArray[Any] = cv2.blur(np.minimum(*masks), (3, 3)).astype(np.float32) / 255
        luma = region @ LUMA
        mask *= iris[3] * np.clip((HIGHLIGHT[1] - luma) / (HIGHLIGHT[1] - HIGHLIGHT[0]), 0, 1)
        region += mask[..., None] * (luma[..., None] * iris[:3] - region)
        out[y0:y1, x0:x1] = np.clip(np.round(region), 0, 255).astype(np.uint8)
    return out
