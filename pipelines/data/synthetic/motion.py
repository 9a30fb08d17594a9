"""Faces that could be talking: expressions, blinks, gaze and head pose over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import eased

from .head import Head

VISEMES: dict[str, dict[str, float]] = {
    "rest": {},
    "aa": {"jawOpen": 0.42, "mouthLowerDown": 0.15, "mouthUpperUp": 0.2},
    "ae": {"jawOpen": 0.32, "mouthStretch": 0.25, "mouthLowerDown": 0.2, "mouthUpperUp": 0.3},
    "eh": {"jawOpen": 0.2, "mouthStretch": 0.3, "mouthSmile": 0.15, "mouthLowerDown": 0.2, "mouthUpperUp": 0.25},
    "ee": {"jawOpen": 0.08, "mouthStretch": 0.3, "mouthSmile": 0.25, "mouthLowerDown": 0.35, "mouthUpperUp": 0.3},
    "oh": {"jawOpen": 0.3, "mouthFunnel": 0.3, "mouthPucker": 0.25, "mouthLowerDown": 0.2},
    "oo": {"jawOpen": 0.12, "mouthFunnel": 0.2, "mouthPucker": 0.6, "mouthLowerDown": 0.15},
    "mm": {"mouthPress": 0.35, "mouthRollLower": 0.2, "mouthRollUpper": 0.15},
    "ff": {"jawOpen": 0.05, "mouthRollLower": 0.45, "mouthUpperUp": 0.3, "mouthShrugLower": 0.1},
    "th": {"jawOpen": 0.18, "mouthLowerDown": 0.3, "mouthUpperUp": 0.1},
    "ss": {"jawOpen": 0.05, "mouthStretch": 0.2, "mouthLowerDown": 0.3, "mouthUpperUp": 0.3},
    "sh": {"jawOpen": 0.07, "mouthFunnel": 0.3, "mouthPucker": 0.2, "mouthUpperUp": 0.1, "mouthLowerDown": 0.2},
    "rr": {"jawOpen": 0.14, "mouthFunnel": 0.2, "mouthPucker": 0.3, "mouthLowerDown": 0.15},
}
"""Mouth shapes of sounds, in the head's expression weights at ordinary loudness."""
_SHARE = np.array([1.5, 3, 2, 2.5, 2, 2, 2, 3, 1.2, 1.5, 2, 1, 1], np.float64)
RATE = 25
"""Frames per second of the motion."""


@dataclass(frozen=True)
class SyntheticMotion:
    """What a head does in T frames.

    expression : float32 [T, E]; gaze : float32 [T, 2], yaw and pitch added to the photo's, radians
    angles : float32 [T, 3], yaw, pitch, roll in degrees; shift : float32 [T, 2] in outer eye distances
    zoom : float32 [T]; light : float32 [T, 9], added to the photo's light
    """

    expression: Array
    gaze: Array
    angles: Array
    shift: Array
    zoom: Array
    light: Array

    def __len__(self) -> int:
        return len(self.zoom)


def sample_motion(
    head: Head,
    random: np.random.Generator,
    frames: int,
    stride: int = 8,
    still: tuple[float, ...] = (0.0, 0.0, 0.0),
    own: Array | None = None,
) -> SyntheticMotion:
    """A random motion, every `stride`-th frame of `frames * stride` at 25 per second.

    Parameters
    ----------
    still : yaw, pitch, roll in degrees of the photo's head: it moves round something between that and frontal
    own : [E] expression in the photo, part of which may stay
    """
    length = frames * stride
    expression = _speech(head, random, length)
    smile = max(0.0, random.normal(0.05, 0.18))
    mood = head.weights(mouthSmile=smile, cheekSquint=0.4 * smile)
    mood += head.weights(mouthFrown=max(0.0, random.normal(-0.1, 0.12)))
    expression = expression + mood * _slow(random, length, 40, 1)[:, :1].clip(-1, 1) * 0.5 + mood * 0.5
    if own is not None:
        expression = expression + random.uniform(0, 0.45) * own
    brows = _slow(random, length, 20, 3)
    expression += np.outer(np.clip(brows[:, 0] * 0.3, 0, 0.8), head.weights(browInnerUp=1, browOuterUp=0.8))
    expression += np.outer(np.clip(brows[:, 1] * 0.25 - 0.1, 0, 0.6), head.weights(browDown=1, eyeSquint=0.4))
    expression += np.outer(np.clip(brows[:, 2] * 0.12, 0, 0.3), head.weights(eyeWide=1))
    gaze = np.stack([_steps(random, length, 0.16), _steps(random, length, 0.07)], 1)
    down = np.clip(gaze[:, 1] / 0.5, -1, 1)
    expression += np.outer(np.maximum(down, 0), head.weights(eyeLookDown=1))
    expression += np.outer(np.maximum(-down, 0), head.weights(eyeLookUp=1))
    blink = _blinks(random, length)
    expression = expression * (1 - np.outer(blink, head.weights(eyeWide=1, eyeSquint=1)))
    expression = np.maximum(expression, 0)
    if "jawOpen" in head.expression_names:  # wider is laughing or yawning
        jaw = head.expression_names.index("jawOpen")
        expression[:, jaw] = 0.62 * np.tanh(expression[:, jaw] / 0.62)
    for side in ("eyeBlink_L", "eyeBlink_R"):
        if side in head.expression_names:
            expression[:, head.expression_names.index(side)] = blink
    spread = np.array([7, 5, 4], np.float32)
    angles = np.asarray(still, np.float32) * random.uniform(0.4, 1.0) + _slow(random, length, 16, 3) * spread
    angles = np.clip(angles, np.array([-25, -14, -12], np.float32), np.array([25, 14, 12], np.float32))
    # The further the photo's head is turned, the less of its hidden side may come into view.
    reach = np.array([16, 10, 10], np.float32)
    hidden = np.array([0.6 * still[0], 0, 0], np.float32)
    centre = np.asarray(still, np.float32)
    angles = np.clip(angles, centre - reach + np.maximum(hidden, 0), centre + reach + np.minimum(hidden, 0))
    keep = slice(stride - 1, None, stride)
    return SyntheticMotion(
        expression=np.float32(np.clip(expression, 0, 1))[keep],
        gaze=np.float32(gaze)[keep],
        angles=np.float32(angles)[keep],
        shift=np.float32(_slow(random, length, 24, 2) * 0.06)[keep],
        zoom=np.float32(np.exp(_slow(random, length, 30, 1)[:, 0] * 0.03))[keep],
        light=np.float32(_slow(random, length, 60, 9) * 0.025 * (np.arange(9) > 0))[keep],
    )


def _speech(head: Head, random: np.random.Generator, length: int) -> Array:
    """Weights [T, E] that pass from mouth shape to mouth shape as sounds follow each other."""
    shapes = np.stack([head.weights(**weights) for weights in VISEMES.values()])
    gaps = random.integers(2, 6, length // 2 + 4)
    times = np.concatenate([[0], np.cumsum(gaps)])
    chosen = random.choice(len(shapes), len(times), p=_SHARE / _SHARE.sum())
    loud = np.exp(random.normal(0, 0.25, len(times))) * np.clip(random.normal(1.05, 0.2), 0.6, 1.5)
    keys = shapes[chosen] * loud[:, None]
    t = np.arange(length) + random.random()
    slot = np.searchsorted(times, t, side="right") - 1
    part = (t - times[slot]) / gaps[slot]
    part = eased(part)
    out = keys[slot] * (1 - part[:, None]) + keys[slot + 1] * part[:, None]
    skew = 1 + 0.08 * random.normal(size=out.shape[1])  # nobody's mouth is quite symmetric
    return (out * np.clip(skew, 0.8, 1.2)).astype(np.float32)


def _slow(random: np.random.Generator, length: int, period: int, channels: int) -> Array:
    """Smooth noise [T, channels] of unit variance: keys every `period` frames, joined smoothly."""
    count = length // period + 4
    keys = random.normal(size=(count, channels))
    t = (np.arange(length) + random.random() * period) / period
    slot = t.astype(np.int64)
    part = (t - slot)[:, None]
    part = eased(part)
    return (keys[slot] * (1 - part) + keys[slot + 1] * part).astype(np.float32) * 1.15


def _steps(random: np.random.Generator, length: int, size: float) -> Array:
    """Gaze [T]: fixations of a third of a second to two, mostly straight ahead."""
    out = np.empty(length, np.float32)
    at = 0
    while at < length:
        hold = int(random.integers(8, 50))
        out[at : at + hold] = 0.0 if random.random() < 0.4 else random.normal(0, size)
        at += hold
    return np.clip(out, -2.2 * size, 2.2 * size)


def _blinks(random: np.random.Generator, length: int) -> Array:
    """Lid closure [T] in 0..1: a blink every few seconds, sometimes half."""
    out = np.zeros(length, np.float32)
    shape = np.array([0.35, 0.8, 1, 1, 0.85, 0.55, 0.3, 0.1], np.float32)
    at = int(random.integers(0, 30))
    while at + len(shape) < length:
        out[at : at + len(shape)] = shape * (1.0 if random.random() < 0.8 else random.uniform(0.4, 0.9))
        at += int(random.integers(20, 80))
    return out
