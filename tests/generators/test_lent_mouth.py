"""Teeth and dark between lips that a family tears open, drawn as the compact generator draws them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from support.small_families import small  # noqa: E402

from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.engines.running import Running  # noqa: E402
from speechhead.face.landmarks import Pose, to_pixels  # noqa: E402
from speechhead.generators.driven import DrivenGenerator, lender  # noqa: E402
from speechhead.generators.families.engine import FamilyEngine  # noqa: E402
from speechhead.generators.families.family import Drawn  # noqa: E402
from speechhead.generators.families.full_resolution import Rest  # noqa: E402
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig  # noqa: E402
from speechhead.generators.lent_mouth import mended, with_inside  # noqa: E402
from speechhead.generators.nets.layers import coordinate_grid  # noqa: E402
from speechhead.motion.rest import rest_face  # noqa: E402

SIZE = 128


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return Avatar.default(SIZE)


def opened(avatar: Avatar, by: float = 0.25) -> np.ndarray:
    """The portrait's landmarks at rest with the lower lip and the chin down."""
    face = rest_face(avatar.neutral).copy()
    face[[*range(6, 11), *range(55, 60), 65, 66, 67], 1] += np.float32(by)
    return face


def test_a_square_holds_what_is_behind_open_lips_and_nothing_behind_closed_ones(avatar: Avatar) -> None:
    mouth = lender().prepare(avatar.crop, avatar.mesh)
    faces = np.stack([rest_face(avatar.neutral), opened(avatar), opened(avatar)])
    aside = Pose(avatar.pose.rotation, avatar.pose.translation + np.float32([500, 0, 0]), avatar.pose.scale)
    squares, corners = lender().squares([mouth] * 3, faces, [avatar.pose, avatar.pose, aside], SIZE)
    side = squares.shape[1]
    assert squares.shape == (3, side, side, 4) and SIZE / 4 < side < SIZE / 2
    assert squares[0, ..., 3].max() < 10 and not squares[2].any() and corners[2, 0] == SIZE - side
    shown = squares[1, ..., 3] > 250
    x, y = np.nonzero(shown)[::-1]
    lips = to_pixels(faces[1, 60:68], avatar.pose)[:, :2] - corners[1]
    assert (lips.min(0) - 1 < [x.min(), y.min()]).all() and ([x.max(), y.max()] < lips.max(0) + 1).all()
    inside = squares[1, shown, :3].mean(1)
    skin = avatar.crop[SIZE // 2 - 4 : SIZE // 2 + 4, SIZE // 2 - 4 : SIZE // 2 + 4].mean()
    assert inside.min() < 0.4 * skin and inside.max() > 2 * inside.min()  # dark, and teeth before it


def test_it_is_seen_where_the_portrait_is_torn_open() -> None:
    frames = torch.rand(2, 3, 32, 32)
    squares = torch.zeros(2, 8, 8, 4, dtype=torch.uint8)
    squares[..., :3] = torch.tensor([255, 0, 51])
    squares[..., 3] = 255
    corners, torn = torch.tensor([[4, 10], [24, 0]]), torch.zeros(2, 1, 16, 16)
    assert torch.equal(with_inside(frames, torn, squares, corners), frames)
    torn[..., :8, :] = 1  # the upper half of the frame
    made = with_inside(frames, torn, squares, corners)
    assert torch.allclose(made[0, :, 10:15, 4:12], torch.tensor([1.0, 0.0, 0.2])[:, None, None].expand(3, 5, 8))
    assert torch.equal(made[0, :, 17:18, 4:12], frames[0, :, 17:18, 4:12])
    assert torch.allclose(made[1, 0, :8, 24:], torch.ones(8, 8))
    rest = torch.ones(2, 32, 32, dtype=torch.bool)
    rest[0, 10:18, 4:12] = rest[1, :8, 24:] = False
    assert torch.equal(made.movedim(1, -1)[rest], frames.movedim(1, -1)[rest])


def test_a_lip_that_is_drawn_wide_is_the_portraits_own_and_nothing_made_up_is_left() -> None:
    portrait = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), size=64, mode="bicubic").clamp(0, 1)
    small = torch.nn.functional.avg_pool2d(portrait, 2)
    still = coordinate_grid((32, 32), small)[None, None]
    rest = Rest.drawn(Drawn(small, still, torch.ones(1, 1, 32, 32)), portrait)
    torn, grey = torch.zeros(2, 1, 32, 32), small.repeat(2, 1, 1, 1)
    torn[..., 8:24, :], grey[..., 8:24, :] = 1, 0.5
    squares, corners = torch.zeros(2, 16, 16, 4, dtype=torch.uint8), torch.tensor([[24, 24], [24, 24]])
    squares[1] = torch.tensor([255, 0, 51, 255])
    made = mended(Drawn(grey, still.repeat(2, 1, 1, 1, 1), 1 - torn, torn), rest, squares, corners)
    assert torch.allclose(made.picture[0], small[0], atol=1e-5) and torch.allclose(made.visible[0], torch.ones(1))
    assert torch.allclose(
        made.picture[1, :, 14:18, 14:18], torch.tensor([1.0, 0.0, 0.2])[:, None, None].expand(3, 4, 4)
    )
    assert not made.visible[1, 0, 14:18, 14:18].any() and made.visible[1, 0, 9, 9] == 1
    plain = Drawn(grey, still, None)
    assert mended(plain, rest, squares, corners) is plain


@pytest.mark.parametrize("guided", [0, 3])
def test_families_whose_keypoints_are_landmarks_have_it(
    avatar: Avatar, monkeypatch: pytest.MonkeyPatch, guided: int
) -> None:
    model = small("fomm")
    latents = FamilyLatents(LatentsConfig("fomm", 24, 16, guided=guided)).eval().requires_grad_(False)
    generator = DrivenGenerator(model, latents, SIZE, FamilyEngine(model, Running(torch.device("cpu"))))
    source = avatar.source(generator)
    assert (source.mouth is None) == (guided == 0)
    faces, poses = np.stack([opened(avatar), rest_face(avatar.neutral)]), [avatar.pose] * 2
    plain = generator.render_many([source] * 2, faces, poses)
    draw = model.draw
    monkeypatch.setattr(
        model, "draw", lambda *given: draw(*given)._replace(torn=torch.ones(1, 1, 8, 8).expand(2, -1, -1, -1))
    )
    found = generator.render_many([source] * 2, faces, poses)
    planes = generator.render_planar([source] * 2, faces, poses)
    differs = np.abs(np.subtract(found, plain, dtype=np.int16)).max((1, 2, 3))
    assert (differs[0] > 30) == (guided > 0) and differs[1] == 0
    assert (np.ptp(planes[0][:SIZE].astype(int) - planes[1][:SIZE]) > 30) == (guided > 0)
    without = generator.render_many([replace(source, mouth=None)] * 2, faces, poses)
    assert np.array_equal(without, plain)
