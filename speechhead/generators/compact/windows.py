"""Windows on the face, fixed to the skull, in which pixels are generated: the mouth and the eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import eased
from speechhead.core.stages import staged
from speechhead.face.landmarks import REFERENCE, Pose, from_mesh, to_pixels

from .meshwarp import (
    EYE_LEFT,
    EYE_RIGHT,
    IRIS_LEFT,
    IRIS_RIGHT,
    LOWER_INNER_LIP,
    OUTER_LIP,
    UPPER_INNER_LIP,
    WARP,
    pixel_grid,
)

SUBNASALE = 33
"""The iBUG point under the nose: it moves with the skull and not with the jaw."""


@dataclass(frozen=True)
class Reach:
    """How far the windows' pixels reach, at run time and in training (`pipelines.train.compact.data`)."""

    fade: int = 6
    """Pixels of a window over which it fades out at its border."""

    lips: int = 3
    """Pixels of the mouth's window: what is painted reaches half as far from the lips, and fades over as much again.

    Further out the networks have learned shading that shows as a smudge on the sharper skin of a large portrait."""

    seam: int = 5
    """Pixels of the mouth's window: what is painted keeps half as far from the opening, and fades in over as much.

    There the lips' own edges stand, sharp, and within them teeth or the dark: what a network paints is a haze on them.
    """


REACH = Reach()


@dataclass(frozen=True)
class Window:
    """A rectangle that follows the head's pose, but not its expression, so that teeth stay put inside it.

    anchor: iBUG point it hangs on, or None for the origin of normalised space (between the eyes)
    offset, half: centre from the anchor and half size (x, y), in outer eye distances
    height, width: pixels of the generated patch
    points: iBUG points whose positions tell the network what to draw
    """

    anchor: int | None
    offset: tuple[float, float]
    half: tuple[float, float]
    height: int
    width: int
    points: tuple[int, ...]

    def centre(self, normalised: Array) -> Array:
        """Centre of the window [3] in the normalised space of the portrait with mesh `normalised` [478, 3]."""
        anchor = np.zeros(3, np.float32) if self.anchor is None else from_mesh(normalised)[self.anchor]
        return (anchor + np.array([*self.offset, 0], np.float32)).astype(np.float32)

    def matrix(self, centre: Array, pose: Pose, size: int) -> Array:
        """Affine map [2, 3] from the window's [-1, 1] square to the crop's [-1, 1] square of `size` pixels."""
        unit = 2 / size
        middle = to_pixels(centre, pose)[:2] * unit - 1
        across = pose.rotation[:2, 0] / np.linalg.norm(pose.rotation[:2, 0])  # roll alone: no foreshortening
        axes = np.stack([across, np.array([-across[1], across[0]], np.float32)], 1) * (pose.scale * unit)
        return np.concatenate([axes * np.array(self.half, np.float32), middle[:, None]], 1).astype(np.float32)

    def grid(self, matrix: Array) -> Array:
        """Crop positions [height, width, 2] of the window's pixels, in [-1, 1]."""
        return np.asarray(pixel_grid(self.height, self.width) @ matrix[:, :2].T + matrix[:, 2], np.float32)

    def pixels(self, mesh: Array, matrix: Array, size: int) -> Array:
        """Where points [n, 2 or 3] in crop pixels lie in the window, [n, 2]: pixel k's middle is at k."""
        inverse = np.linalg.inv(matrix[:, :2])
        position = (mesh[:, :2] * (2 / size) - 1 - matrix[:, 2]) @ inverse.T
        return np.asarray((position + 1) * np.array([self.width / 2, self.height / 2], np.float32) - 0.5)

    def shapes(self, mesh: Array, matrix: Array, pose: Pose, size: int) -> Array:
        """Two masks [2, height, width] in 0..1 that show the network the driving shape.

        Mouth: the opening between the lips, and all within the outer lip. Eyes: the opening between the lids, and
        the irises.

        Parameters
        ----------
        mesh : float32 [478, 3]; posed, in crop pixels
        matrix : of this window (`matrix`); pose, size : as there
        """
        pixels = self.pixels(mesh, matrix, size)
        masks = np.zeros((2, self.height, self.width), np.uint8)
        shift, one = 4, 16
        fixed = np.round(pixels * one).astype(np.int32)
        if self.anchor is None:
            cv2.fillPoly(masks[0], [fixed[EYE_LEFT], fixed[EYE_RIGHT]], 255, cv2.LINE_AA, shift)
            radius = int(WARP.iris_radius / self.half[0] * self.width / 2 * one)
            for iris in (IRIS_LEFT, IRIS_RIGHT):
                cv2.circle(masks[1], tuple(map(int, fixed[iris])), radius, 255, -1, cv2.LINE_AA, shift)
        else:
            cv2.fillPoly(masks[0], [fixed[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]]], 255, cv2.LINE_AA, shift)
            cv2.fillPoly(masks[1], [fixed[OUTER_LIP]], 255, cv2.LINE_AA, shift)
        return masks.astype(np.float32) / np.float32(255)

    def motion(self, source: Array, driving: Array, source_pose: Pose, pose: Pose) -> Array:
        """What moves, as a vector: the window's points and the head's yaw and pitch, source and driving.

        Parameters
        ----------
        source, driving : float32 [70, 3]; normalised landmarks

        Returns
        -------
        float32 [2 * (3 * points + 2)], about unit size
        """
        parts = []
        for landmarks, head in ((driving, pose), (source, source_pose)):
            parts += [
                (landmarks - REFERENCE)[list(self.points)].ravel() * 5,
                np.array(head.angles[:2], np.float32) / 30,
            ]
        return np.concatenate(parts).astype(np.float32)

    @property
    def motion_size(self) -> int:
        """Length of `motion`."""
        return 2 * (3 * len(self.points) + 2)

    def reach(self, shapes: Array) -> Array:
        """Weight [height, width] of what is painted: on the lips and near them, but not between them; all of the eyes.

        shapes: float32 [2, height, width], the driving ones, of `shapes`
        """
        if self.anchor is None:
            return np.ones((self.height, self.width), np.float32)
        return near(shapes[1]) * apart(shapes[0])

    def edge(self) -> Array:
        """Weight [height, width] that falls to 0 at the window's border, where the warped portrait stays."""
        beyond = 1 - np.abs(pixel_grid(self.height, self.width))
        distance = (beyond * np.array([self.width / 2, self.height / 2], np.float32)).min(-1)
        return eased(np.clip(distance / REACH.fade, 0, 1))


MOUTH = Window(SUBNASALE, (0.0, 0.40), (0.495, 0.44), 64, 72, tuple(range(48, 68)))
EYES = Window(None, (0.0, 0.0), (0.62, 0.248), 32, 80, (*range(36, 48), 68, 69))
WINDOWS = {"mouth": MOUTH, "eyes": EYES}


def painter_file(name: str) -> str:
    """Weights of the network that paints a window, of its name in `WINDOWS`."""
    return f"compact_{name}.onnx"


FRAME_INPUTS = ("warped", "shapes", "motion", "source", "source_shapes", "quarter", "eighth")
"""What the painter of a window takes, in order, after the window's name; all but the first three are the portrait's."""


def painter_names(name: str) -> list[str]:
    """Names of the inputs of the network that paints a window, and of its output."""
    return [*(f"{name}_{part}" for part in FRAME_INPUTS), name]


SOURCE_NAMES = tuple(f"{name}_{part}" for name in WINDOWS for part in FRAME_INPUTS[3:])
"""Names of the inputs and outputs of the network that reads a portrait: what the painters take of it."""


def near(lips: Array) -> Array:
    """Weight [h, w]: 1 on the lips and their surroundings, 0 further off, where the jaw's edge may be in the window.

    lips: float32 [h, w]; the mouth's second mask of `Window.shapes`
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (REACH.lips, REACH.lips))
    return np.asarray(cv2.GaussianBlur(cv2.dilate(lips, kernel), (REACH.lips, REACH.lips), 0), np.float32)


def apart(opening: Array) -> Array:
    """Weight [h, w]: 0 in the opening between the lips and along its rim, 1 further off.

    opening: float32 [h, w]; the mouth's first mask of `Window.shapes`
    """
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (REACH.seam, REACH.seam))
    return np.asarray(1 - cv2.GaussianBlur(cv2.dilate(opening, kernel), (REACH.seam, REACH.seam), 0), np.float32)


@staged("composite")
def lay(frame: NDArray[np.uint8], painted: Array, matrix: Array) -> NDArray[np.uint8]:
    """Lay what is painted [h, w, 4] (what to add, and what to cover before) over a frame [S, S, 3], in place.

    matrix: of the window (`Window.matrix`)
    """
    size, (height, width) = frame.shape[0], painted.shape[:2]
    box = _shown(painted)
    if box is None:
        return frame
    left, top, right, bottom = box
    half = np.array([width / 2, height / 2])
    edges = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) / half - 1
    corners = (edges @ matrix[:, :2].T + matrix[:, 2] + 1) * (size / 2)
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, size)
    if x1 <= x0 or y1 <= y0:
        return frame
    # Pixels of the frame's region to pixels of the patch: window [-1, 1] = inverse (crop [-1, 1] - centre).
    linear = np.diag(half) @ np.linalg.inv(matrix[:, :2]) * (2 / size)
    corner = linear @ (np.array([x0, y0]) + 0.5 - (matrix[:, 2] + 1) * (size / 2)) + half - 0.5 - (left, top)
    covers = painted[..., 3].max() > 1e-3  # the eyes cover nothing
    placed = cv2.warpAffine(
        painted[top:bottom, left:right, : 4 if covers else 3] * np.float32(255),
        np.column_stack([linear, corner]),
        (int(x1 - x0), int(y1 - y0)),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    below: NDArray[Any] = frame[y0:y1, x0:x1]
    if covers:
        left_over = 1 - np.clip(cv2.extractChannel(placed, 3) / np.float32(255), 0, 1)
        below = cv2.multiply(below, cv2.merge([left_over] * 3), dtype=cv2.CV_32F)
        placed = cv2.cvtColor(placed, cv2.COLOR_RGBA2RGB)
    frame[y0:y1, x0:x1] = cv2.add(placed, below, dtype=cv2.CV_8U)  # rounds, and stops at 0 and 255
    return frame


def _shown(painted: Array) -> tuple[int, int, int, int] | None:
    """left, top, right, bottom of what of a patch [h, w, 4] is not 0, with what cubic reading needs around it."""
    size = np.abs(painted)
    rows, columns = (np.flatnonzero(size.max(axis).max(1) > 1e-5) for axis in (1, 0))
    if not len(rows):
        return None
    height, width = size.shape[:2]
    return max(columns[0] - 2, 0), max(rows[0] - 2, 0), min(columns[-1] + 3, width), min(rows[-1] + 3, height)
