"""Smooth time: the easing curves and the streaming low-pass filter that all motion shares."""

from __future__ import annotations

import math
from typing import Generic, TypeVar

import numpy as np

from speechhead.core.arrays import Array64
from speechhead.core.clocks import FPS
from speechhead.core.smoothstep import clip01

Value = TypeVar("Value", float, Array64)


def minimum_jerk(s: float) -> float:
    """Position 0..1 at time `s` in 0..1 of the movement with the least jerk (Flash and Hogan, 1985)."""
    s = clip01(s)
    return s * s * s * (10.0 + s * (6.0 * s - 15.0))


class LowPass(Generic[Value]):
    """Chain of one-pole low-pass filters: `order` poles bound the derivative of that order.

    A step into three poles comes out with finite velocity, acceleration and jerk, which is what keeps fades and
    head motion free of visible corners. The total delay is about `seconds`.

    Parameters
    ----------
    seconds : time constant of the chain
    value : the value it rests at, a float or an array, and so the kind that it filters
    order : number of poles
    """

    def __init__(self, seconds: float, value: Value, order: int = 3) -> None:
        self._keep = math.exp(-order / (seconds * FPS))
        self._poles: list[Value] = [value] * order

    def step(self, target: Value) -> Value:
        """The filter's output after one more video frame of input `target`."""
        for index, pole in enumerate(self._poles):
            self._poles[index] = target = self._keep * pole + (1.0 - self._keep) * target
        return target


class Noise:
    """Smooth random motion of unit variance: white noise through a LowPass; it starts at rest at 0.

    Six poles give it the round autocorrelation and the little jerk of tracked heads; three shake.
    """

    ORDER = 6

    def __init__(self, seconds: float, channels: int) -> None:
        self._filter = LowPass(seconds, np.zeros(channels), self.ORDER)
        self._gain = 1.0 / math.sqrt(float((self.response(seconds) ** 2).sum()))

    def step(self, white: Array64) -> Array64:
        """The next video frame's values for standard normal numbers `white` [channels]."""
        return self._gain * self._filter.step(white)

    @classmethod
    def response(cls, seconds: float) -> Array64:
        """Impulse response of the filter, one value per video frame."""
        kernel = LowPass(seconds, 0.0, cls.ORDER)
        return np.array([kernel.step(float(frame == 0)) for frame in range(int(5 * seconds * FPS) + 8)])
