"""Masks of the nearest keypoint, and what they tear open."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from speechhead.generators.nets import layers, nearest  # noqa: E402


def torn(deformation, share: float = 1.0):
    """`untorn` of a field all of which moves with a lip, or by a `share`."""
    mask = torch.zeros(1, 21, *deformation.shape[1:3])
    mask[:, 1 + nearest.LIPS[0]], mask[:, 0] = share, 1 - share
    return nearest.untorn(deformation, mask)


def test_nearness_parts_lips_that_touch() -> None:
    lips = torch.tensor([[[0.0, -0.03], [0.0, 0.03]]])
    mask = nearest.nearness(lips, (65, 65)).softmax(1)
    assert mask.shape == (1, 3, 65, 65)
    assert mask[0, 1, 31, 32] > 0.9 and mask[0, 2, 33, 32] > 0.9  # a pixel above and below the line between them
    assert mask[0, 0, 0, 0] > 0.5 > mask[0, 0, 28, 32]  # the background is far from both


def test_what_is_torn_open_is_not_seen() -> None:
    grid = layers.coordinate_grid((33, 33))[None]
    assert torch.allclose(torn(grid), torch.ones(1, 1, 33, 33), atol=1e-4)
    assert (torn(0.9 * grid) == 1).all() and not torn(0.5 * grid).any()
    assert not torn(-grid * torch.tensor([1.0, -1.0])).any()  # what is read backwards
    assert 0 < torn(grid * torch.tensor([1.0, 0.55])).min() < 1


def test_masks_that_sum_to_one_carry_without_a_field_for_each_keypoint() -> None:
    source, driving = torch.rand(2, 2, 5, 2).unbind(0)
    mask = torch.softmax(torch.randn(2, 6, 7, 9), 1)
    plain = layers.combine_motions(mask, layers.sparse_motions(source, driving, (7, 9)))
    assert torch.allclose(nearest.carried(mask, source, driving), plain, atol=1e-6)


def test_while_it_learns_a_decoder_shows_through() -> None:
    made, moved, visible = torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    assert (nearest.shown(made, moved, visible, training=False) == 1).all()
    assert torch.allclose(nearest.shown(made, moved, visible, training=True), torch.tensor(1 - nearest.THROUGH))


def test_a_gap_of_one_pixel_is_torn() -> None:
    grid = layers.coordinate_grid((9, 9))[None].clone()
    grid[:, 5:, :, 1] -= 0.25  # the lower half reads what lies one pixel higher: row 5 reads row 4
    seen = torn(grid)[0, 0]
    assert not seen[4:6].any() and (seen[:4] == 1).all() and (seen[6:] == 1).all()


def test_a_cheek_that_is_drawn_wide_is_seen() -> None:
    grid = 0.5 * layers.coordinate_grid((9, 9))[None]
    assert not torn(grid).any() and (torn(grid, 0.0) == 1).all() and torn(grid, 0.1).min() > 0.89
