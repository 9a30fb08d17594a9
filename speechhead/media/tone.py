"""HLG and PQ: signals of wide range as pictures of an ordinary screen for networks, and the way back."""

from __future__ import annotations

from functools import cache

import numpy as np

from speechhead.core.arrays import Array

PQ, HLG = 16, 18
"""Transfer functions as files number them (ITU-T H.273): SMPTE ST 2084, and ARIB STD-B67."""

WHITE = 203.0
"""Candelas per square metre of white paper in PQ (ITU-R BT.2408), which an ordinary screen shows as its white."""

CODES = np.linspace(0, 1, 65536)
"""Signals of 16 bits."""


@cache
def screen_curve(transfer: int) -> Array | None:
    """What an ordinary screen shows for each signal of 16 bits: float32 [65536] in 0..1, rising; None for itself.

    One curve for all three colours, so that there is a way back: a signal of HLG is about an ordinary one up to skin,
    and PQ is put on BT.1886 with paper at white. What is brighter is compressed.
    """
    if transfer == HLG:
        over = np.clip((CODES - 0.6) / 0.4, 0, 1)
        bent = (1 + 5 / 7) * over / (1 + 5 / 7 * over)  # meets the straight part in its direction
        shown = np.where(CODES < 0.6, 1.2 * CODES, 0.72 + 0.28 * bent)
    elif transfer == PQ:
        root = CODES ** (1 / 78.84375)
        light = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / 0.1593017578125)
        level = (light / WHITE) ** (1 / 2.4)
        over = np.maximum(level - 0.8, 0) / 0.2
        shown = np.where(level < 0.8, level, 0.8 + 0.2 * over / (1 + over))
    else:
        return None
    return shown.astype(np.float32)


def shown_on_screen(codes: np.ndarray, curve: Array) -> np.ndarray:
    """Signals uint16 as uint8 on an ordinary screen."""
    return np.round(curve * 255).astype(np.uint8)[codes]


def signals(picture: np.ndarray, curve: Array) -> Array:
    """The way back: uint8 of an ordinary screen as signals float32 in 0..1."""
    levels = np.interp(np.arange(256) / 255, curve, CODES)
    return levels.astype(np.float32)[picture]
