"""The filter of three frames: any portions give what the whole gives, one frame late."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from speechhead.speech.smoothing import Smoothing

WEIGHTS = (0.2, 0.5, 0.3)


def filtered(frames: np.ndarray, portions: list[int]) -> np.ndarray:
    smoothing, parts = Smoothing(WEIGHTS), []
    for count in portions:
        parts.append(smoothing.push(frames[:count]))
        frames = frames[count:]
    parts += [smoothing.push(frames), smoothing.flush()]
    return np.concatenate([part for part in parts if len(part)])


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 30), portions=st.lists(st.integers(0, 5), max_size=8), seed=st.integers(0, 99))
def test_it_is_a_weighted_mean_with_still_ends(count: int, portions: list[int], seed: int) -> None:
    frames = np.random.default_rng(seed).standard_normal((count, 2, 3)).astype(np.float32)
    still = np.concatenate([frames[:1], frames, frames[-1:]])
    wanted = sum(weight * still[k : k + count] for k, weight in enumerate(WEIGHTS))
    np.testing.assert_allclose(filtered(frames, portions), wanted, atol=1e-6)


def test_a_frame_waits_for_the_next_one() -> None:
    smoothing = Smoothing(WEIGHTS)
    assert [len(smoothing.push(np.zeros((1, 2), np.float32))) for _ in range(3)] == [0, 1, 1]
    assert len(smoothing.flush()) == 1 and len(smoothing.flush()) == 0
