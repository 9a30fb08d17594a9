"""Bins, angles and rotations of the published models."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from speechhead.face.landmarks import rotation_matrix  # noqa: E402
from speechhead.generators.families.head_pose import (  # noqa: E402
    BETA,
    CONVENTIONS,
    LIVEPORTRAIT,
    OSFV,
    rotation_from_6d,
    rotation_to_6d,
)

ANGLES = torch.tensor([[0.0, 0, 0], [30, -20, 10], [-71, 44, -123], [5, 80, 170]])


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_degrees_to_bins_and_back(convention) -> None:
    degrees = torch.tensor([-90.0, -1.3, 0, 44.5, 93])
    weights = convention.bins(degrees)
    assert weights.shape == (5, 66)
    assert torch.allclose(weights.sum(-1), torch.ones(5))
    assert torch.allclose(convention.degrees(weights.log().clamp_min(-100)), degrees, atol=1e-3)


def test_even_logits_are_the_middle_bin() -> None:
    assert OSFV.degrees(torch.zeros(1, 66)).item() == pytest.approx(-1.5, abs=1e-4)
    assert LIVEPORTRAIT.degrees(torch.zeros(1, 66)).item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_rotation_is_orthonormal_and_gives_its_angles_back(convention) -> None:
    angles = ANGLES.double()
    rotation = convention.rotation(angles)
    assert torch.allclose(rotation @ rotation.transpose(1, 2), torch.eye(3).double().expand(4, 3, 3), atol=1e-12)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(4).double())
    assert torch.allclose(convention.rotation(convention.angles(rotation)), rotation, atol=1e-9)
    small = angles.clamp(-60, 60)
    assert torch.allclose(convention.angles(convention.rotation(small)), small, atol=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_turns_are_those_of_the_librarys_pose(convention) -> None:
    nose, ear = torch.tensor([0.0, 0, -1]), torch.tensor([1.0, 0, 0])

    def turned(point, **angles):
        names = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, **angles}
        rotation = convention.rotation(torch.tensor(convention.turn(**names)))
        return point @ rotation if convention.sign < 0 else rotation @ point

    assert turned(nose, yaw=30.0)[0] > 0.4  # to the right of the image
    assert turned(nose, pitch=30.0)[1] > 0.4  # down
    assert turned(ear, roll=30.0)[1] > 0.4  # clockwise
    pose = rotation_matrix([12.0, 0, 0])
    assert turned(nose, yaw=12.0).tolist() == pytest.approx((pose @ nose.numpy()).tolist(), abs=1e-3)


def test_beta_takes_the_angles_in_another_order() -> None:
    assert torch.equal(BETA.rotation(torch.tensor([1.0, 2, 3])), OSFV.rotation(torch.tensor([2.0, 3, 1])))


def test_liveportrait_is_the_transpose_for_rows() -> None:
    z_y_x = OSFV.rotation(torch.tensor([0.0, 0, 30])) @ OSFV.rotation(torch.tensor([20.0, 0, 0]))
    assert torch.allclose(LIVEPORTRAIT.rotation(torch.tensor([20.0, 0, 30])), z_y_x.T, atol=1e-3)


def test_six_numbers_make_a_rotation() -> None:
    rotation = OSFV.rotation(ANGLES)
    assert torch.allclose(rotation_from_6d(rotation_to_6d(rotation)), rotation, atol=1e-5)
    made = rotation_from_6d(torch.randn(7, 6))
    assert torch.allclose(made @ made.transpose(1, 2), torch.eye(3).expand(7, 3, 3), atol=1e-5)
