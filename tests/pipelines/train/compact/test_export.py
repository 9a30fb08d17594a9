"""The exported graph of the windows draws of a mouth what is shown of it, and that as the network does."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from pipelines.train.compact.export import WindowGraph, near_lips
from pipelines.train.compact.networks import CompactConfig, CompactNetworks, patch_of
from speechhead.generators.compact.device.networks import WindowPainter
from speechhead.generators.compact.windows import MOUTH


def inputs(width: int, lips: tuple[slice, slice]) -> list[torch.Tensor]:
    """Of the mouth's window, with lips in a part of it."""
    h, w = MOUTH.height, MOUTH.width
    shapes = torch.zeros(1, 2, h, w)
    shapes[0, 1][lips] = 1
    features = torch.rand(1, 3 * width, h // 4, w // 4), torch.rand(1, 4 * width, h // 8, w // 8)
    return [torch.rand(1, 3, h, w), shapes, torch.rand(1, MOUTH.motion_size), torch.rand(1, 3, h, w), shapes, *features]


@pytest.mark.parametrize("lips", [np.s_[28:33, 20:51], np.s_[0:4, 0:7], np.s_[57:64, 60:72], np.s_[5:60, 3:70]])
def test_what_is_shown_of_a_mouth_is_as_if_all_were_drawn(lips: tuple[slice, slice]) -> None:
    torch.manual_seed(0)
    model = CompactNetworks(CompactConfig(window_width=4))
    for values in model.windows.parameters():
        torch.nn.init.normal_(values, 0, 0.1)
    given = inputs(4, lips)
    with torch.no_grad():
        found = WindowGraph(model, "mouth")(*given)[0].numpy()
        whole = torch.cat(patch_of(cast(WindowPainter, model.windows["mouth"]), given), 1)[0].numpy() * MOUTH.edge()
    reach = MOUTH.reach(given[1][0].numpy())
    assert found.shape == whole.shape and np.abs(whole * reach).max() > 0.01
    assert np.abs((found - whole) * reach).max() < 1e-5


def test_without_lips_a_part_is_drawn_all_the_same() -> None:
    for row in range(0, 64, 9):
        first, last = near_lips(torch.eye(64)[row])
        assert 0 <= first < last <= 32 and first <= row // 2 < last
    first, last = near_lips(torch.zeros(64))
    assert 0 <= first < last <= 32
