"""The rest plate: what a smile does to cheeks and folds, beside their shape, taken back as far as the smile is.

A warp moves a smile's folds with the skin, and a resting mouth between them looks forced. How much of the light and
dark at each place of a face goes with its smile is learned from people who smile and rest in one light
(`pipelines.train.compact.rest`). A portrait is looked at once; what it gets is some light more or less, smooth,
the same to all colours as light is, that moves with the face. A fold is filled at most, never turned into a ridge, and
what is finer than folds, the skin's texture, is not touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.core.smoothstep import eased, smoothstep, smoothstep32
from speechhead.face.landmarks import REFERENCE, Pose, from_mesh
from speechhead.motion.rest import RELAXING, SMILE, explain, rest_face, rest_system

from .skin_layout import DIM, LUMA, SIDE, bands, laid, skin_layout, spread, unwrapped

LIMIT = 0.35
"""Largest change of log luma, either way."""

STRENGTH = (3.0, 3.0, 3.0, 2.0, 0.0)
"""How much of what is learned is drawn, by band: learned from meshes that are not exact, it is too little for folds.
The coarsest is left, as the light on a head changes by more than smiles."""

FILLED = 0.85
"""Largest part of the light or dark in a band that is taken."""

WIDE, OUTWARD = 9, np.array([[-2.5, -1.0], [2.5, -1.0]], np.float32)
"""Width of the widest dimple beside the mouth's corners, and where from the left and the right one they lie; samples of
the layout."""

DEEP = 0.75
"""Smile, weights of its mode, whose dimples are filled."""

DARKEN, SHINES = 0.6, (180.0, 240.0)
"""Part of what is to become darker that does, less where the brightest channel says that it shines and is clipped."""

MOST = 1.0
"""Largest smile, weights of its mode, that is taken out; beyond, few have been seen."""

FADE = 0.02
"""Part of the light below which nothing is drawn."""

LEAST = 0.05
"""Smile, weights of its mode, that is not worth taking out."""

STRONGEST = 0.25
"""Largest light or dark in a band, logarithm of luma, that may be a fold: a beard's or a frame's edge is more."""

SEEN = 0.012
"""Change of log luma that is not seen: portraits whose plate stays below it have none."""

CORNERS, NOSE = [48, 54], 33
"""The mouth's corners, and the point under the nose that stays when they move."""


def smile_amount(face: Array) -> float:
    """How far the mouth's corners are drawn as a smile draws them, weights of its mode, of landmarks [70, 3].

    Only differences between faces of one person tell of a smile: some mouths are wide.
    """
    _, _, modes = rest_system()
    way = modes[SMILE][CORNERS] - modes[SMILE][NOSE]
    place = (face - REFERENCE)[CORNERS] - (face - REFERENCE)[NOSE]
    return float((place * way).sum() / (way * way).sum())


@dataclass(frozen=True)
class RestPlate:
    """What takes a smile out of one portrait.

    light: float32 [H, H], grey levels to add over the crop at rest; smile, rest: `smile_amount` of the portrait and of
    its rest face; vertices: int [n] of the mesh that go around it
    """

    light: Array
    smile: float
    rest: float
    vertices: NDArray[np.int64]

    @classmethod
    def of(cls, light: Array, smile: float, rest: float) -> RestPlate:
        """The plate of such light; its vertices are the same for everybody."""
        return cls(light, smile, rest, _around(skin_layout().reach))

    def amount(self, driving: Array) -> float:
        """How much of the smile is gone, 0..1, where landmarks [70, 3] drive: none of it where they smile as much."""
        gone = (self.smile - smile_amount(driving)) / (self.smile - self.rest)
        return float(eased(min(max(gone, 0.0), 1.0)))

    def draw(self, frame: NDArray[np.uint8], flow: Array, mesh: Array, amount: float) -> NDArray[np.uint8]:
        """Take a part of the smile out of a frame, in place.

        Parameters
        ----------
        frame : uint8 [S, S, 3]; flow : float32 [N, N, 2], through which it was read from the portrait
        mesh : float32 [478, 3], driving, in pixels of the frame
        amount : 0..1, of `amount`
        """
        if amount < FADE:
            return frame
        size, cells = frame.shape[0], flow.shape[0]
        around = mesh[self.vertices, :2] * (cells / size)
        x0, y0 = np.clip(np.floor(around.min(0)).astype(int) - 1, 0, cells - 2).tolist()
        x1, y1 = np.clip(np.ceil(around.max(0)).astype(int) + 1, (x0 + 2, y0 + 2), cells).tolist()
        left, top, right, bottom = (round(edge * size / cells) for edge in (x0, y0, x1, y1))
        if right <= left or bottom <= top:
            return frame
        light = self._moved(flow, (x0, y0, x1, y1)) * np.float32(amount)
        light = cv2.resize(light, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        region = frame[top:bottom, left:right]
        region[:] = cv2.add(region, cv2.merge([light] * 3), dtype=cv2.CV_8U)
        return frame

    def _moved(self, flow: Array, box: tuple[int, int, int, int]) -> Array:
        """The light as the flow moves it, in a box of the flow's cells, at twice its density."""
        x0, y0, x1, y1 = box
        height, width = 2 * (y1 - y0), 2 * (x1 - x0)
        part = cv2.resize(np.ascontiguousarray(flow[y0:y1, x0:x1]), (width, height), interpolation=cv2.INTER_LINEAR)
        half = len(self.light) / 2
        step = len(self.light) / (2 * flow.shape[0])
        columns = (np.arange(2 * x0, 2 * x1) + 0.5) * step - 0.5
        rows = (np.arange(2 * y0, 2 * y1) + 0.5) * step - 0.5
        x = part[..., 0] * np.float32(half) + columns.astype(np.float32)
        y = part[..., 1] * np.float32(half) + rows.astype(np.float32)[:, None]
        return np.asarray(cv2.remap(self.light, x, y, cv2.INTER_LINEAR), np.float32)


class RestPlates:
    """Makes the rest plates of portraits.

    Parameters
    ----------
    file : npz of `mean` and `share`, float16 [5, N, N / 2]: by band and place of the left half of the layout, what a
        smile of weight 1 that goes adds to log luma, and which part of the portrait's own it adds
    """

    def __init__(self, file: str = "rest_plate.npz") -> None:
        with weights.arrays(file) as maps:
            self._mean, self._share = (_both_halves(maps[name].astype(np.float32)) for name in ("mean", "share"))

    def change(self, picture: NDArray[np.uint8], smile: float) -> Array:
        """What is added to log luma [N, N] of a face in the layout, uint8 [N, N, 3], to take out so much of a smile."""
        seen = bands(picture)
        clipped = np.clip(seen, -STRONGEST, STRONGEST)
        learned = np.array(STRENGTH, np.float32)[:, None, None] * (self._mean + self._share * clipped)
        taken = np.float32(smile) * learned[:-1]
        most = -FILLED * clipped[:-1]
        folds = np.clip(taken, np.minimum(most, 0), np.maximum(most, 0)).sum(0)
        near, pits = dimples(picture)
        filled = np.minimum(folds + min(smile / DEEP, 1.0) * near * pits, FILLED * pits)
        return np.asarray(np.maximum(folds, filled), np.float32)

    def prepare(self, crop: NDArray[np.uint8], mesh: Array, canonical: Array, pose: Pose) -> RestPlate | None:
        """The plate of a portrait; None of one that does not smile.

        Parameters
        ----------
        crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels
        canonical : the same in normalised space; pose : of the portrait, in crop pixels
        """
        own = from_mesh(canonical)
        beyond_doubt = smoothstep(float(explain(own)[1][SMILE]), *RELAXING.smile_seen)
        smile, rest = smile_amount(own), smile_amount(rest_face(own))
        taken = beyond_doubt * min(smile - rest, MOST)
        if taken <= LEAST:
            return None
        layout = skin_layout()
        seen = unwrapped(crop, mesh, float(pose.scale))
        change = limited(spread(self.change(seen, taken), 1.0, layout.skin), seen) * layout.reach
        if np.abs(change).max() < SEEN:
            return None
        luma = spread(seen.astype(np.float32) @ LUMA, 1.0, layout.skin)
        return RestPlate.of(laid(np.expm1(change) * luma, mesh, crop.shape[0] // 2), smile, rest)


def dimples(picture: NDArray[np.uint8]) -> tuple[Array, Array]:
    """How near the mouth's corners is, and how much darker than its surroundings in log luma, what is dark and small in
    a face uint8 [N, N, 3] of the layout: [N, N] each."""
    layout = skin_layout()
    light = np.log(picture.astype(np.float32) @ LUMA + np.float32(DIM))
    light = cv2.GaussianBlur(np.where(layout.skin > 0, light, spread(light, 1.6, layout.skin)), (0, 0), 0.6)
    pits = cv2.morphologyEx(light, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDE, WIDE))) - light
    here = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1)
    away = np.linalg.norm(here[:, :, None] - (layout.places[[61, 291]] + OUTWARD), axis=-1).min(-1)
    return smoothstep32(away, 9, 2), np.asarray(pits, np.float32)


def limited(change: Array, picture: NDArray[np.uint8]) -> Array:
    """A change of log luma [N, N] of a picture uint8 [N, N, 3] within bounds: what shines white would turn grey."""
    shine = cv2.GaussianBlur(picture.max(-1).astype(np.float32), (0, 0), 1.0)
    darker = DARKEN * (1 - smoothstep32(shine, *SHINES))
    return np.asarray(LIMIT * np.tanh(np.where(change < 0, darker, np.float32(1)) * change / LIMIT), np.float32)


def _both_halves(left: Array) -> Array:
    """A map [..., N / 2] of the left half of a face for all of it [..., N]."""
    return np.concatenate([left, left[..., ::-1]], -1)


def _around(reach: Array) -> NDArray[np.int64]:
    """Vertices of all triangles of which some is within reach."""
    return np.unique(skin_layout().corners[reach > 0])
