"""Validation of the sync measure: sound that is shifted by whole frames must be found late by as many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.data import curves
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.face.landmarks import mouth_opening

from . import ours
from .clips import FaceTrack, JudgedClip
from .performers import WholeSpeech

SHIFTS = tuple(range(-5, 6))
"""Frames by which the sound is delayed; negative is early."""

SECONDS = 8
"""Beginning of each clip that is looked at: eleven times through the network is enough of it."""


def delayed(audio: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Sound [n] that comes `frames` video frames later (earlier if negative), silence where there is none."""
    shift = frames * SAMPLES_PER_FRAME
    moved = np.roll(audio, shift)
    if shift > 0:
        moved[:shift] = 0
    elif shift < 0:
        moved[shift:] = 0
    return moved


def validate(clip: JudgedClip, speech: WholeSpeech) -> list[dict[str, Any]]:
    """Lag and correlation of one clip for every shift of its sound, and of its truth.

    Returns
    -------
    a dict per shift: `shift`; `lag`, `correlation` at zero lag and `peak` of the mouth that our network makes of the
    delayed sound, against the truth; `truth_lag`, `truth_correlation` of the true mouth that is delayed itself.
    """
    assert clip.audio is not None
    count = min(len(clip.frames), SECONDS * FPS)
    audio, track = clip.audio[: count * SAMPLES_PER_FRAME], FaceTrack(clip.truth.mesh[:count], clip.truth.found)
    clip = replace(clip, frames=clip.frames[:count], audio=audio, truth=track)
    truth = mouth_opening(track.normalised)
    rows = []
    for shift in SHIFTS:
        late = replace(clip, audio=delayed(audio, shift))
        opening = mouth_opening(ours.spoken(late, speech, ours.LIPS_ONLY)[0])
        lag, peak = curves.best_lag(opening, truth)
        own = np.concatenate([truth[:1].repeat(max(shift, 0)), truth, truth[-1:].repeat(max(-shift, 0))])
        own = own[max(-shift, 0) :][: len(truth)]
        rows.append(
            {"shift": shift, "lag": lag, "correlation": curves.correlation(opening, truth), "peak": peak}
            | {"truth_lag": curves.best_lag(own, truth)[0], "truth_correlation": curves.correlation(own, truth)}
        )
    return rows


def summary(clips: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Means over clips for every shift.

    `followed` is the share of clips whose lag has moved by exactly the shift from where it is without one, `within_1`
    by it or by one frame more or less.
    """
    rows = []
    for place, shift in enumerate(SHIFTS):
        now = [clip[place] for clip in clips]
        rest = [clip[SHIFTS.index(0)] for clip in clips]
        moved = [n["lag"] - r["lag"] - shift for n, r in zip(now, rest) if None not in (n["lag"], r["lag"])]
        rows.append(
            {
                "shift": shift,
                "median_lag": float(np.median([n["lag"] for n in now if n["lag"] is not None] or [np.nan])),
                "followed": float(np.mean([m == 0 for m in moved])) if moved else None,
                "within_1": float(np.mean([abs(m) <= 1 for m in moved])) if moved else None,
                "correlation": float(np.mean([n["correlation"] for n in now])),
                "peak": float(np.mean([n["peak"] for n in now])),
                "truth_followed": float(np.mean([n["truth_lag"] == shift for n in now])),
                "truth_correlation": float(np.mean([n["truth_correlation"] for n in now])),
            }
        )
    return rows
