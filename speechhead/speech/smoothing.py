"""Motion without the network's trembling: every frame mixed with the one before it and the one after it."""

from __future__ import annotations

import numpy as np

from speechhead.core.arrays import Array


class Smoothing:
    """A filter of three frames over a stream; a frame comes out when its successor is there.

    Parameters
    ----------
    weights : of the frame before, the frame itself and the frame after, sum 1; more of the one after shows motion
        a little earlier
    """

    def __init__(self, weights: tuple[float, float, float]) -> None:
        self._weights = np.array(weights, np.float32)
        self._known: Array | None = None  # the last frames: the one before, and the one that waits

    def push(self, frames: Array) -> Array:
        """Take frames float32 [n, ...], n >= 0; returns those that are ready, [n] or, at first, [n - 1]."""
        if len(frames) == 0:
            return frames
        held = frames[:1] if self._known is None else self._known  # before the first frame it was where it is then
        known = np.concatenate([held, frames])
        before, here, after = self._weights
        ready = before * known[:-2] + here * known[1:-1] + after * known[2:]
        self._known = known[-2:]
        return np.asarray(ready, np.float32)

    def flush(self) -> Array:
        """The last frame, which stays where it is; the filter then starts anew."""
        known, self._known = self._known, None
        if known is None:
            return np.zeros((0,), np.float32)
        before, here, after = self._weights
        return np.asarray(before * known[:1] + (here + after) * known[1:], np.float32)
