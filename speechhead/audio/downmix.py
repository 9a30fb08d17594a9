"""Many channels to the one that a face hears: a voice keeps its level, whichever channels carry it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from speechhead.core.arrays import Array

BLOCK_SECONDS = 0.02
"""Seconds whose loudness is measured at a time."""

REACH = 5
"""Blocks, the present one among them, by which channels are weighed: 100 ms, so that words are not cut."""

OPPOSED = -0.5
"""Correlation with the leading channel below which a channel counts as its mirror image and is turned over."""

SAME = 0.3
"""Correlation from which two channels count as one sound: rooms and effects make wide stereo of one voice."""

LEADS = 2.0
"""Times as much power that a later channel needs to lead the first one."""


class DownMix:
    """Mixes a stream of channels to one; any chunking gives the same samples.

    The plain mean of channels makes a voice in one of two 6 dB quieter, in one of six 16 dB, and one that is in both
    with opposite signs vanish. Here channels are weighed by the squares of their power in the last 100 ms, and turned
    over where they mirror the leading one: what is in one channel alone, in all alike, or in two with opposite signs
    comes out at its own level. The bass channel (LFE) is left out.

    Parameters
    ----------
    rate : Hz
    names : of the channels, as libav calls them (FL, FR, FC, LFE, ...)
    speaker : the one channel that is taken, from 1; all if None
    """

    def __init__(self, rate: int, names: Sequence[str], speaker: int | None = None) -> None:
        self._block = max(1, round(rate * BLOCK_SECONDS))
        bass = [name == "LFE" for name in names]
        self._used = [speaker - 1] if speaker else [i for i, low in enumerate(bass) if not low] or [0]
        count = len(self._used)
        self._waiting = np.zeros((count, 0), np.float32)
        self._power = np.zeros((count, REACH - 1), np.float32)
        self._gram = np.zeros((count, count, REACH - 1), np.float32)
        self._weights: Array | None = None  # of the last block, [channels]

    def push(self, samples: Array) -> Array:
        """Mix float32 [channels, n]; the float32 [m] that is ready."""
        samples = samples[self._used]
        if len(samples) == 1:
            return samples[0]
        self._waiting = np.concatenate([self._waiting, samples], axis=1)
        whole = self._waiting.shape[1] // self._block * self._block
        ready, self._waiting = self._waiting[:, :whole], self._waiting[:, whole:]
        return self._mixed(ready)

    def flush(self) -> Array:
        """The samples of the last block, which is not full."""
        rest = self._waiting.shape[1]
        if not rest:
            return np.zeros(0, np.float32)
        padded = np.pad(self._waiting, ((0, 0), (0, self._block - rest)))
        self._waiting = self._waiting[:, :0]
        return self._mixed(padded)[:rest]

    def _mixed(self, samples: Array) -> Array:
        """Whole blocks [channels, n] to one channel [n]."""
        channels, count = len(samples), samples.shape[1] // self._block
        if not count:
            return np.zeros(0, np.float32)
        blocks = samples.reshape(channels, count, self._block)
        gram = np.einsum("ckb,dkb->cdk", blocks, blocks) / np.float32(self._block)
        power = np.einsum("cck->ck", gram)
        self._power = np.concatenate([self._power, power], axis=1)
        self._gram = np.concatenate([self._gram, gram], axis=2)
        weights = self._weigh(
            sliding_window_view(self._power, REACH, axis=1).max(-1),
            sliding_window_view(self._gram, REACH, axis=2).mean(-1),
        )
        self._power, self._gram = self._power[:, 1 - REACH :], self._gram[..., 1 - REACH :]
        first = weights[:, :1] if self._weights is None else self._weights[:, None]
        before = np.concatenate([first, weights[:, :-1]], axis=1)
        self._weights = weights[:, -1]
        ramp = np.arange(1, self._block + 1, dtype=np.float32) / np.float32(self._block)
        mixed = np.einsum("ckb,ck->kb", blocks, before) * (1 - ramp) + np.einsum("ckb,ck->kb", blocks, weights) * ramp
        return mixed.reshape(-1).astype(np.float32)

    def _weigh(self, power: Array, gram: Array) -> NDArray[np.float32]:
        """Weights [channels, blocks], their sizes summing to one, by power [channels, blocks] and products."""
        squares = np.square(power / np.maximum(power.max(0), 1e-20)) + 1e-12  # equal shares of silence
        shares = squares / squares.sum(0)
        lead = np.concatenate([power[:1] * LEADS, power[1:]]).argmax(0)
        blocks = np.arange(power.shape[1])
        with_lead = gram[:, lead, blocks]
        own = np.einsum("cck->ck", gram)
        against = with_lead < OPPOSED * np.sqrt(own * own[lead, blocks]) - 1e-20
        return np.where(against, -shares, shares).astype(np.float32)


def alike(samples: NDArray[np.float32]) -> bool:
    """Whether the channels [channels, n] carry one sound: about the same, or all but one silent."""
    if not samples.size:
        return True
    power = np.square(samples).mean(1)
    loud = samples[power > power.max() * 1e-3]
    if len(loud) < 2:
        return True
    correlation = np.corrcoef(loud)
    return bool(np.abs(correlation).min() > SAME)
