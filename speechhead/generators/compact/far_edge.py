"""The outline of a face before what is around it, as fine as the picture: where a turn hides a cheek's far side.

A flow that jumps from the face to its surroundings does so between two of its coarse places, and what is read between
them are teeth of a saw. Along the outline both are read, and laid one over the other by an outline drawn finely.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.stages import staged

from .matte import Layers
from .meshwarp import silhouette

JUMP = 0.5
"""Places of the flows by which a face and its surroundings have to be apart where the outline is drawn finely."""


@dataclass(frozen=True)
class PersonFields:
    """What a person is read through.

    face, around : float32 [N, N, 2], backward flows in [-1, 1] units; inside : float32 [N, N], how much of a
    place is face; points : float32 [n, 2], the face in pixels, whose hull that is
    """

    face: Array
    around: Array
    inside: Array
    points: Array

    @property
    def flow(self) -> Array:
        """The two as one flow [N, N, 2]."""
        return np.asarray(self.around + self.inside[..., None] * (self.face - self.around), np.float32)


@staged("warps")
def edged(picture: NDArray[np.uint8], layers: Layers, fields: PersonFields) -> NDArray[np.uint8]:
    """A picture uint8 [S, S, 3] of layers moved by `fields.flow`, in place, with a fine outline of the face."""
    size = len(picture)
    rows, columns = _pixels(_band(fields), size)
    if not rows.size:
        return picture
    cover = silhouette(fields.points, size)[rows, columns, None]
    behind, front = (_person(layers, flow, columns, rows) for flow in (fields.around, fields.face))
    both = behind + cover * (front - behind)
    seen = both[..., :3] + (1 - both[..., 3:]) * layers.background[rows, columns]
    picture[rows, columns] = np.clip(np.round(seen), 0, 255).astype(np.uint8)
    return picture


def _band(fields: PersonFields) -> NDArray[np.bool_]:
    """Places [N, N] beside which the flows change, where they are apart."""
    ring = np.ones((3, 3), np.uint8)
    edge = cv2.dilate(fields.inside, ring) > cv2.erode(fields.inside, ring)
    apart = np.abs(fields.face[edge] - fields.around[edge]).max(-1) * np.float32(len(edge) / 2) > JUMP
    there = np.zeros(edge.shape, np.uint8)
    there[edge] = apart
    return edge & (cv2.dilate(there, ring) > 0)


def _pixels(band: NDArray[np.bool_], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns [k, n] of the pixels of k places of a picture of `size`; some are there twice."""
    count = len(band)
    first, wide = np.arange(count) * size // count, -(-size // count)
    within = [part.ravel() for part in np.indices((wide, wide))]
    return tuple(np.minimum(first[at][:, None] + more, size - 1) for at, more in zip(np.nonzero(band), within))


def _person(layers: Layers, flow: Array, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Array:
    """The person's layer [k, n, 4] read through a coarse flow at pixels [k, n] of the picture."""
    size, count = len(layers.background), np.float32(len(flow))
    x, y = columns.astype(np.float32), rows.astype(np.float32)
    cells = [(part + np.float32(0.5)) * (count / size) - np.float32(0.5) for part in (x, y)]
    fine = cv2.remap(flow, cells[0], cells[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    half, density = np.float32(size / 2), np.float32(layers.density)
    x, y = ((part + half * fine[..., axis]) * density for axis, part in enumerate((x, y)))
    return np.asarray(cv2.remap(layers.person, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
