"""Detail of skin and hair at 512 px: what rendering keeps of a large portrait's sharpness."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.named import shipped
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.controls import Controls
from speechhead.core.errors import SpeechheadError
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT, OUTER_LIP, OVAL
from speechhead.generators.open import open_generator
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion

Mask = NDArray[np.bool_]

SIZE = 512
"""Largest side of the face crop."""
HEAD = 1.3
"""Size of the head with its hair in units of the face's oval."""
STILL = Controls(head="retained", idle=False, blink_rate=0.0, look_away=0.0)


def regions(mesh: Array, side: int) -> dict[str, Mask]:
    """Masks [side, side] of `skin` (the face without eyes and mouth) and `hair` (around it, above the mouth).

    mesh: float32 [478, 3] in pixels of the crop.
    """
    points = mesh[:, :2]
    oval, centre = points[OVAL], points[OVAL].mean(0)

    def filled(polygon: NDArray[Any]) -> Mask:
        canvas = np.zeros((side, side), np.uint8)
        cv2.fillPoly(canvas, [np.round(polygon).astype(np.int32)], 1)
        return canvas.astype(bool)

    def grown(loop: list[int], by: float) -> Mask:
        middle = points[loop].mean(0)
        return filled(cv2.convexHull(np.asarray(middle + (points[loop] - middle) * by, np.float32))[:, 0])

    # The window in which the mouth is painted and what fades into it: twice the lips' height.
    skin = filled(centre + (oval - centre) * 0.95) & ~grown(OUTER_LIP, 1.8)
    for eye in (EYE_LEFT, EYE_RIGHT):
        skin &= ~grown(eye, 1.8)
    hair = filled(centre + (oval - centre) * HEAD) & ~filled(centre + (oval - centre) * 1.05)
    hair[round(float(points[OUTER_LIP, 1].min())) :] = False
    return {"skin": skin, "hair": hair}


def sharpness(picture: Picture, mask: Mask) -> float:
    """Variance of the Laplacian of the luma under a mask."""
    laplacian = cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
    return float(laplacian[mask].var()) if mask.any() else 0.0


def voice(seconds: float) -> Array:
    """Sound [n] at 16 kHz that moves a head as speech does: a buzz of 120 Hz in syllables, and pauses."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    syllables = np.maximum(np.sin(2 * np.pi * 3.7 * time), 0) * (np.sin(2 * np.pi * 0.4 * time) > -0.6)
    return (0.3 * syllables * np.sign(np.sin(2 * np.pi * 120 * time))).astype(np.float32)


def measure(path: Path, generator: str = "compact", tracker: FaceTracker | None = None) -> dict[str, Any]:
    """Sharpness of rendered frames over that of the photo at the same size, head at rest and in motion.

    A crop of 512 pixels if the portrait has as many; else at the portrait's own resolution, where its detail too
    reaches down to the pixel: what a warp keeps is a question of pixels.

    Returns
    -------
    dict: `portrait`, `size` of the crop, `skin` and `hair` at rest, `skin_moving` and `hair_moving` as the mean over
    frames of generated head motion.
    """
    tracker = tracker or FaceTracker(threads=1)
    avatar = Avatar.from_image(path, SIZE, tracker=tracker)
    network = open_generator(generator, avatar.size)
    source = avatar.source(network)
    reference = {name: sharpness(avatar.crop, mask) for name, mask in regions(avatar.mesh, avatar.size).items()}

    def ratios(frame: Picture) -> dict[str, float]:
        seen = tracker.locate(frame, None, path.name).mesh
        masks = regions(seen, avatar.size)
        return {name: sharpness(frame, mask) / max(reference[name], 1e-6) for name, mask in masks.items()}

    row: dict[str, Any] = {"portrait": path.stem, "size": avatar.size}
    face, pose = Motion(avatar.neutral, avatar.pose, STILL).step(np.zeros((1, 70, 3), np.float32), np.zeros(640))
    row |= ratios(network.render(source, face[0], pose[0]))
    sound = voice(6.0)
    frames = round(6.0 * FPS)
    faces, poses = Motion(avatar.neutral, avatar.pose, Controls(blink_rate=0.0)).step(
        np.zeros((frames, 70, 3), np.float32), sound
    )
    moved = [ratios(network.render(source, faces[t], poses[t])) for t in range(25, frames, 15)]
    return row | {f"{name}_moving": float(np.mean([m[name] for m in moved])) for name in ("skin", "hair")}


def measured(path: Path, generator: str = "compact") -> dict[str, Any]:
    """As `measure`; the reason in `skipped` where there is no face, in the portrait or in what was drawn."""
    try:
        return measure(path, generator)
    except SpeechheadError as error:
        return {"portrait": path.stem, "skipped": str(error)}


def portraits(given: Sequence[Path] | None) -> list[Path]:
    """Pictures to measure on: those given, or the shipped ones."""
    return list(given) if given else [entry.path for entry in shipped().values()]
