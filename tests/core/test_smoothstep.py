"""Soft steps: of numbers in double precision, of pictures in single precision, by one cubic."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.core.smoothstep import eased, smoothstep, smoothstep32


def test_a_step_is_level_at_both_ends_and_may_go_down():
    assert [smoothstep(x, 2.0, 4.0) for x in (1.0, 2.0, 3.0, 4.0, 9.0)] == [0, 0, 0.5, 1, 1]
    assert [smoothstep(x, 4.0, 2.0) for x in (1.0, 3.0, 9.0)] == [1, 0.5, 0]
    assert smoothstep(2.001, 2.0, 4.0) < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_easing_keeps_the_type_of_its_input(dtype):
    assert eased(np.linspace(0, 1, 5, dtype=dtype)).dtype == dtype


def test_the_step_of_a_picture_is_that_of_its_numbers():
    x = np.linspace(-0.2, 0.4, 101)
    soft = smoothstep32(x, 0.0, 0.3)
    assert soft.dtype == np.float32
    assert np.abs(soft - [smoothstep(float(value), 0.0, 0.3) for value in x]).max() < 3e-7
