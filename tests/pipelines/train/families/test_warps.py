"""Thin-plate warps: the analytic Jacobian is the derivative, and pictures move as points do."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pipelines.train.families.warps import ThinPlate  # noqa: E402


def warp(batch: int = 2, sigma_affine: float = 0.05, sigma_bend: float = 0.05) -> ThinPlate:
    return ThinPlate.random(batch, torch.Generator().manual_seed(0), sigma_affine, sigma_bend)


def test_the_analytic_jacobian_is_the_derivative() -> None:
    plate = warp()
    points = torch.rand(2, 7, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    points[0, 0] = plate.centres[3]  # on a control point, where the logarithm has its pole
    points.requires_grad_(True)
    mapped = plate.points(points)
    rows = [torch.autograd.grad(mapped[..., i].sum(), points, retain_graph=True)[0] for i in range(2)]
    assert torch.allclose(plate.jacobian(points), torch.stack(rows, 2), atol=1e-5)


def test_no_deformation_leaves_points_and_pictures() -> None:
    plate = warp(sigma_affine=0, sigma_bend=0)
    points, picture = torch.rand(2, 5, 2), torch.rand(2, 3, 16, 16)
    assert torch.allclose(plate.points(points), points)
    assert torch.allclose(plate.image(picture), picture, atol=1e-5)
    assert torch.allclose(plate.jacobian(points), torch.eye(2).expand(2, 5, 2, 2))


def test_a_point_of_the_warped_picture_shows_what_the_picture_has_where_it_maps_to() -> None:
    size = 65
    axis = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    picture = torch.stack([x, y])[None]  # every pixel says where it is
    plate = warp(1, 0.02, 0.01)
    shown = plate.image(picture)[0, :, 20, 41]
    assert torch.allclose(shown, plate.points(torch.stack([x, y], -1)[20, 41][None, None])[0, 0], atol=1e-4)


def test_the_same_seed_gives_the_same_warps() -> None:
    first, second = warp(), warp()
    assert torch.equal(first.weights, second.weights) and torch.equal(first.affine, second.affine)
