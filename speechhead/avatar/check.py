"""What of a picture will not work, and why, before it is used: the advice of `speechhead check`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import ImageError
from speechhead.face.landmarks import Pose, from_mesh, mouth_opening, remove_pose, to_normalised
from speechhead.face.tracker import FaceTracker
from speechhead.media.image import Picture, read_picture

from .face import find_face
from .portrait import Avatar

EYES = (33, 133, 362, 263)
"""Mesh points of the eyes' corners."""


@dataclass(frozen=True)
class Advice:
    """From where on a picture gets a word of advice."""

    small: float = 100.0
    """Outer eye distance in pixels below which a face has little detail: a video of 512 px shows it enlarged by 1.4."""
    yaw: float = 15.0
    """Degrees of turn to a side from which the far cheek is guessed."""
    pitch: float = 15.0
    """Degrees of looking up or down."""
    open: float = 0.03
    """Opening of the lips, outer eye distances: they are shut where the portrait rests."""
    soft: float = 45.0
    """Variance of the Laplacian of a face scaled to 128 px between the outer eye corners and to a mean luma of 128:
    below it is blurred."""
    dark: float = 50.0
    """Median luma of the face below which it is dark."""
    uneven: float = 0.45
    """Difference of luma between the halves of a face, as a part of its mean: light from one side only."""


ADVICE = Advice()


@dataclass(frozen=True)
class Report:
    """What was found of a portrait.

    eyes: outer eye distance, pixels; yaw, pitch, roll: degrees; opening: of the lips, outer eye distances; sharpness,
    luma, uneven: as in `Advice`; lines: what a user should know, best read in order; empty where all is well
    """

    eyes: float
    yaw: float
    pitch: float
    roll: float
    opening: float
    sharpness: float
    luma: float
    uneven: float
    lines: tuple[str, ...]


def check(path: str | Path, face: int | None = None) -> Report:
    """Look at a picture as `Avatar.from_image` does, and say what will not come out well.

    Raises
    ------
    FaceError or ImageError, in one line, where it can not speak at all.
    """
    if Avatar.is_saved(path):
        raise ImageError(f"{path}: is a prepared avatar. Check the picture that it was made from.")
    picture, notes = read_picture(path)
    found = find_face(picture, FaceTracker(), face, str(path))
    mesh = found.face.mesh
    _, poses = remove_pose(from_mesh(mesh)[None])
    pose = poses[0]
    opening = float(mouth_opening(from_mesh(to_normalised(mesh, pose))[None])[0])
    sharpness, luma, uneven = _light(found.picture, mesh, pose)
    yaw, pitch, roll = pose.angles
    said = (
        (pose.scale < ADVICE.small, f"the eyes are {pose.scale:.0f} px apart: a larger picture shows more detail"),
        (abs(yaw) > ADVICE.yaw, f"the head is turned {abs(yaw):.0f} degrees: from the front, both cheeks are seen"),
        (abs(pitch) > ADVICE.pitch, f"the head nods by {abs(pitch):.0f} degrees: eyes level with the camera are best"),
        (opening > ADVICE.open, "the lips are open: a closed mouth rests better, and teeth are drawn anew"),
        (sharpness < ADVICE.soft, "the face is blurred: a sharp picture gives a sharp video"),
        (luma < ADVICE.dark, "the face is dark: light from the front helps"),
        (uneven > ADVICE.uneven, "the light comes from one side: what turns into the shadow will not get darker"),
    )  # fmt: skip
    lines = notes + found.notes + tuple(f"{path}: {line}." for holds, line in said if holds)
    return Report(float(pose.scale), yaw, pitch, roll, opening, sharpness, luma, uneven, lines)


def _light(picture: Picture, mesh: Array, pose: Pose) -> tuple[float, float, float]:
    """Sharpness, median luma and one-sidedness of a face; see `Advice`."""
    (x0, y0), (x1, y1) = mesh[:468, :2].min(0), mesh[:468, :2].max(0)
    height, width = picture.shape[:2]
    left, top = max(int(x0), 0), max(int(y0), 0)
    face = picture[top : max(min(int(y1), height), top + 2), left : max(min(int(x1), width), left + 2)]
    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY)
    factor = 128 / pose.scale
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    grey = cv2.resize(
        grey, (max(8, round(factor * grey.shape[1])), max(8, round(factor * grey.shape[0]))), interpolation=how
    )
    even = grey.astype(np.float32) * (128 / max(float(grey.mean()), 1.0))
    laplacian = cv2.Laplacian(even, cv2.CV_32F)
    middle = grey.shape[1] // 2
    inner = grey[grey.shape[0] // 4 : 3 * grey.shape[0] // 4].astype(np.float32)
    halves = float(inner[:, :middle].mean()), float(inner[:, middle:].mean())
    uneven = abs(halves[0] - halves[1]) / max(sum(halves) / 2, 1.0)
    return float(laplacian.var()), float(np.median(grey)), uneven
