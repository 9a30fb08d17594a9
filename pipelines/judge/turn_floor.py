"""What could be reached where heads turn: our pictures, moved and lit as the truth tells.

Every place of a picture is moved to where the truth has it, by optical flow that is smooth as a warp is, and then lit
as the truth is, by a gain that is smooth as light is. What is left is what the first picture does not show, and what it
shows otherwise: no error of a warp or of a light that is guessed from one picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from speechhead.core.arrays import Array

from .clips import JudgedClip
from .picture import Frames

MOVED, LIT = "moved", "moved_and_lit"
FLOORS = (MOVED, LIT)

SMOOTH = 0.06
"""Sigma of the smoothing of a flow, outer eye distances: lips and lids can be moved by it, wrinkles not."""

SOFT = 0.3
"""Sigma of the smoothing of a gain, outer eye distances."""

GAINS = (0.75, 1.33)
"""The least and the most gain."""

DIM = 4.0
"""Levels added before a gain is taken of two: black has none."""


def moved(picture: Frames, truth: Frames, sigma: float) -> Frames:
    """A picture [H, W, 3] whose places are where the truth has them; sigma: of the flow's smoothing, pixels."""
    grey = [cv2.cvtColor(np.ascontiguousarray(one), cv2.COLOR_RGB2GRAY) for one in (truth, picture)]
    found = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(grey[0], grey[1], np.zeros(0))
    flow = cv2.GaussianBlur(np.asarray(found, np.float32), (0, 0), sigma)
    rows, columns = np.indices(grey[0].shape, np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def lit(picture: Frames, truth: Frames, sigma: float) -> Frames:
    """A picture [H, W, 3] as bright as the truth; sigma: of the gain's smoothing, pixels."""
    light, wanted = (_soft(one, sigma) for one in (picture, truth))
    gain = np.clip(wanted / light, *GAINS)[..., None]
    return np.clip(np.round(picture * gain), 0, 255).astype(np.uint8)


def _soft(picture: Frames, sigma: float) -> Array:
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32).mean(-1), (0, 0), sigma) + DIM, np.float32)


def floors(frames: Frames, clip: JudgedClip) -> dict[str, Frames]:
    """By name of FLOORS what frames [T, H, W, 3] of a clip could be."""
    unit = clip.truth.poses[0].scale
    there = np.stack([moved(one, truth, SMOOTH * unit) for one, truth in zip(frames, clip.frames)])
    bright = np.stack([lit(one, truth, SOFT * unit) for one, truth in zip(there, clip.frames)])
    return {MOVED: there, LIT: bright}
