"""A jaw and its sound."""

from __future__ import annotations

import numpy as np

FRAMES = 90


def talk(frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """A jaw that opens four times a second and closes fully in between, with sound in the first two thirds."""
    from speechhead.motion.rest import rest_system

    rng = np.random.default_rng(5)
    opening = np.maximum(np.sin(np.arange(frames) * 2 * np.pi * 4 / 25), 0.0)
    opening[frames * 2 // 3 :] = 0.0
    motion = 0.3 * opening[:, None, None] * rest_system()[2][0]
    sound = rng.standard_normal((frames, 640)) * (0.003 + 0.2 * opening[:, None])
    sound[frames * 2 // 3 :] = 0.0
    return motion.astype(np.float32), sound.astype(np.float32).ravel()
