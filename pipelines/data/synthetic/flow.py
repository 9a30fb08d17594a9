"""Exact flow between two drawn frames of one portrait."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array

from .head import SKIN
from .portrait import Rig
from .raster import Buffer
from .render import FINE, Frame
from .texture import fine_pixels

_DEPTH = 1.5
"""Pixels that a point may lie behind what the source shows and still be the same surface."""


def backward_flow(rig: Rig, source: Frame, driver: Frame) -> tuple[Array, NDArray[np.bool_]]:
    """Where in `source` each pixel of `driver` comes from.

    Skin comes from the mesh and is exact. What surrounds the head is followed through both pictures' outlines, which
    is exact up to the inversion of one of them. Inside the mouth and the eyes, and at soft edges, nothing is visible.

    Returns
    -------
    flow : float32 [H, W, 2], pixel positions in the source (x, y); visible : bool [H, W]
    """
    height, width = driver.opacity.shape
    triangles = rig.head.triangles[rig.shell]
    # At a whole pixel's centre: the driver drawn once more, without oversampling.
    here = Buffer(height, width).draw(driver.vertices, triangles)
    there = Buffer(height * FINE, width * FINE).draw(fine_pixels(source.vertices, FINE), triangles)
    skin = np.where(here.index >= 0, rig.head.part[rig.shell][here.index], -1) == SKIN
    places = here.interpolate(source.vertices, triangles)
    fine = np.ascontiguousarray(places[..., :2] * FINE + (FINE - 1) / 2)
    depth = cv2.remap(
        np.where(np.isfinite(there.depth), there.depth, 1e6) / FINE,
        fine[..., :1],
        fine[..., 1:],
        cv2.INTER_NEAREST,
        borderValue=-1e6,
    )
    seen = skin & (places[..., 2] < depth + _DEPTH) & (driver.opacity > 0.98)
    seen &= cv2.erode(skin.astype(np.uint8), np.ones((3, 3))) > 0
    around = driver.surround.places(source.surround, height, width)
    flow = np.where((driver.opacity > 0.5)[..., None], places[..., :2], around)
    inside = ((flow >= 0) & (flow <= [width - 1, height - 1])).all(-1)
    return flow.astype(np.float32), inside & seen
