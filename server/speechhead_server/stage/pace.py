"""How long drawing takes, by what it took: of the slower pictures, so that nine of ten are in time."""

from __future__ import annotations

RISE, FALL = 0.3, 0.04
"""How quickly latency and pace follow a picture that took longer, and one that took less."""

RETRY = 0.5
"""Seconds without a picture after which one is begun that the pace leaves no time for: a stall is over some time."""


def followed(seconds: float, latest: float) -> float:
    """Follow the slower pictures, so that nine of ten are in time, and forget them slowly."""
    return seconds + (RISE if latest > seconds else FALL) * (latest - seconds)
