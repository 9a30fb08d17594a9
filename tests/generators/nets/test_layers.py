"""Blocks that the torch families share: positions, motions, warps, hourglasses."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from speechhead.generators.nets import layers  # noqa: E402


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_grid_spans_the_cell_centres_with_x_first() -> None:
    grid = layers.coordinate_grid((3, 5))
    assert grid.shape == (3, 5, 2)
    assert grid[0, -1].tolist() == [1, -1]  # right, top
    assert grid[1, 2].tolist() == [0, 0]
    volume = layers.coordinate_grid((2, 3, 5))
    assert volume[-1, 0, 0].tolist() == [-1, -1, 1]  # z is the first axis of the volume, the last of a position


def test_soft_argmax_finds_the_peak() -> None:
    logits = torch.zeros(1, 1, 5, 9)
    logits[0, 0, 1, 6] = 5
    position, probabilities = layers.soft_argmax(logits, temperature=0.1)
    assert torch.allclose(position[0, 0], torch.tensor([0.5, -0.5]), atol=1e-5)
    assert probabilities.sum() == pytest.approx(1)


def test_soft_argmax_keeps_full_precision_under_autocast() -> None:
    logits = torch.rand(1, 4, 16, 16).bfloat16()  # as a convolution leaves them
    wanted, _ = layers.soft_argmax(logits.float(), 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(layers.soft_argmax(logits, 0.1)[0], wanted, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 9), (3, 5, 9)])
def test_gaussian_is_one_at_the_keypoint(shape: tuple[int, ...]) -> None:
    heat = layers.gaussian(torch.zeros(2, 4, len(shape)), shape)
    assert heat.shape == (2, 4, *shape)
    assert heat[(0, 0, *(n // 2 for n in shape))] == 1
    assert heat.max() == 1


def test_same_keypoints_mean_no_motion() -> None:
    keypoints, jacobians = torch.rand(2, 3, 2) - 0.5, torch.eye(2) + 0.3 * torch.rand(2, 3, 2, 2)
    linear = layers.multiply(jacobians, layers.inverse_2x2(jacobians))
    motions = layers.sparse_motions(keypoints, keypoints, (8, 12), linear)
    assert torch.allclose(motions, layers.coordinate_grid((8, 12)).expand_as(motions), atol=1e-5)
    assert layers.heatmap_differences(keypoints, keypoints, (8, 12)).abs().max() == 0


def test_motion_is_exact_for_an_affine_map() -> None:
    """The first-order Taylor expansion of an affine map is the map itself, about every keypoint."""
    matrix, shift = torch.tensor([[0.9, -0.3], [0.2, 1.1]]), torch.tensor([0.1, -0.2])
    driving, jacobian = torch.rand(1, 5, 2) - 0.5, torch.eye(2) + 0.3 * torch.rand(1, 5, 2, 2)
    source = driving @ matrix.T + shift
    linear = layers.multiply(layers.multiply(matrix.expand_as(jacobian), jacobian), layers.inverse_2x2(jacobian))
    motions = layers.sparse_motions(source, driving, (6, 8), linear)
    wanted = layers.coordinate_grid((6, 8)) @ matrix.T + shift
    assert torch.allclose(motions[:, 1:], wanted.expand(1, 5, 6, 8, 2), atol=1e-5)
    assert torch.equal(motions[0, 0], layers.coordinate_grid((6, 8)))  # the background stays


def test_dense_motion_is_the_mean_that_the_mask_weighs() -> None:
    motions = torch.rand(2, 3, 4, 6, 2)
    mask = torch.zeros(2, 3, 4, 6)
    mask[:, 1] = 1
    assert torch.equal(layers.combine_motions(mask, motions), motions[:, 1])


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 12)])
def test_identity_warp(shape: tuple[int, ...]) -> None:
    picture, grid = torch.rand(1, 2, *shape), layers.coordinate_grid(shape)[None]
    assert torch.allclose(layers.warp(picture, grid, align_corners=True), picture, atol=1e-5)
    # As the published networks run, the picture shrinks about its centre, by less than a pixel: a ramp shows it.
    columns = torch.arange(12.0).expand(1, 1, *shape)
    moved = layers.warp(columns, grid)[(0, 0, *(n // 2 for n in shape[:-1]))]
    wanted = (torch.arange(12) - 5.5) * 12 / 11 + 5.5
    assert torch.allclose(moved[1:-1], wanted[1:-1], atol=1e-4)


def test_warp_takes_a_deformation_of_another_size() -> None:
    picture = torch.rand(2, 3, 16, 24)
    small = layers.coordinate_grid((4, 6)).expand(2, 4, 6, 2)
    assert layers.warp(picture, small).shape == picture.shape
    motions = small[:, None].expand(-1, 5, -1, -1, -1)
    assert layers.warp_each(layers.resize(picture, (4, 6)), motions).shape == (2, 5, 3, 4, 6)


def test_anti_alias_keeps_even_grey_and_passes_full_scale_through() -> None:
    down = layers.AntiAliasDown(3, 0.25)
    assert down.weight.shape == (3, 1, 13, 13)
    small = down(torch.full((1, 3, 64, 96), 0.5))
    assert small.shape == (1, 3, 16, 24)
    assert torch.allclose(small[..., 2:-2, 2:-2], torch.tensor(0.5))
    whole = layers.AntiAliasDown(3, 1)
    picture = torch.rand(1, 3, 8, 8)
    assert whole(picture) is picture
    assert not whole.state_dict()


@pytest.mark.parametrize(("dims", "shape"), [(2, (16, 24)), (3, (3, 16, 24))])
def test_hourglass_keeps_the_size_and_its_input(dims: int, shape: tuple[int, ...]) -> None:
    network = layers.Hourglass(dims, 4, inputs=5, num_blocks=3, max_features=12).eval()
    x = torch.randn(2, 5, *shape)
    y = network(x)
    assert y.shape == (2, network.outputs, *shape)
    assert torch.equal(y[:, -5:], x)
    ending = layers.Hourglass(dims, 4, 5, 3, 12, last_conv=True)
    assert {"decoder.conv.weight", "decoder.norm.weight"} <= ending.state_dict().keys()


@pytest.mark.parametrize("dims", [2, 3])
def test_adaptive_scale_is_the_ratio_of_sizes(dims: int) -> None:
    keypoints = torch.randn(2, 6, dims)
    power = dims / 2  # the root of a volume, as published
    scale = layers.adaptive_scale(3 * keypoints, keypoints)
    assert torch.allclose(scale, torch.full((2, 1, 1), 3.0**power))
    assert layers.adaptive_scale(keypoints, torch.zeros(1, 6, dims)).tolist() == [[[1]], [[1]]]  # a flat hull


def test_inverse() -> None:
    matrices = torch.randn(4, 5, 2, 2)
    assert torch.allclose(layers.inverse_2x2(matrices) @ matrices, torch.eye(2).expand(4, 5, 2, 2), atol=1e-3)
