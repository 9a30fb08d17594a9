"""Head pose: from 66 bins to degrees, and from degrees to rotation matrices as each published model has them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from speechhead.generators.nets.layers import exact, multiply

BIN_DEGREES = 3.0
"""Width of a bin of the pose classifiers; Hopenet (Ruiz et al., 2018) has 66 of them."""


@dataclass(frozen=True)
class Convention:
    """How one model writes the head's rotation.

    R = Rx(sign * a) Ry(sign * b) Rz(sign * c), where `order` says which of (yaw, pitch, roll) a, b and c are.

    offset : degrees; the angle of bin i is 3 i - offset
    pi : what the model took for pi
    sign : -1 where the model returns the transpose of Rz(roll) Ry(yaw) Rx(pitch), for keypoints as row vectors
    """

    offset: float
    order: tuple[int, int, int]
    pi: float = math.pi
    sign: float = 1.0

    def degrees(self, logits: Tensor) -> Tensor:
        """Expected angle under the softmax of `logits` [..., bins], in degrees [...].

        Hopenet (Ruiz et al., 2018), whose classification over bins face-vid2vid's estimator keeps.
        """
        likely = F.softmax(exact(logits), dim=-1)
        bins = torch.arange(logits.shape[-1], dtype=likely.dtype, device=likely.device)
        return (likely * bins).sum(-1) * BIN_DEGREES - self.offset

    def bins(self, degrees: Tensor, count: int = 66) -> Tensor:
        """Probabilities [..., count] of the two nearest bins whose expectation is `degrees` [...]; a trainer's target.

        Angles beyond the bins become the last bin.
        """
        place = ((degrees + self.offset) / BIN_DEGREES).clamp(0, count - 1)
        index = torch.arange(count, dtype=degrees.dtype, device=degrees.device)
        return (1 - (place[..., None] - index).abs()).clamp_min(0)

    def rotation(self, angles: Tensor) -> Tensor:
        """Rotation matrices [..., 3, 3] of yaw, pitch, roll `angles` [..., 3] in degrees."""
        radians = angles * (self.sign * self.pi / 180)
        x, y, z = (radians[..., i] for i in self.order)
        return multiply(multiply(_about_x(x), _about_y(y)), _about_z(z))

    def turn(self, yaw: float, pitch: float, roll: float) -> tuple[float, ...]:
        """What to add to a model's own angles, for this library's (`speechhead.face.landmarks.Pose`), in degrees.

        The models' second axis turns the face to the left of the image, and one model calls its axes otherwise.
        """
        found = dict(zip(self.order, (pitch, -yaw, roll)))
        return tuple(found[i] for i in range(3))

    def angles(self, rotation: Tensor) -> Tensor:
        """Yaw, pitch, roll in degrees [..., 3] of `rotation` [..., 3, 3]; the middle angle within 90 degrees."""
        x = torch.atan2(-rotation[..., 1, 2], rotation[..., 2, 2])
        y = torch.asin(rotation[..., 0, 2].clamp(-1, 1))
        z = torch.atan2(-rotation[..., 0, 1], rotation[..., 0, 0])
        found = dict(zip(self.order, (x, y, z)))
        return torch.stack([found[i] for i in range(3)], dim=-1) * (180 / (self.sign * self.pi))


OSFV = Convention(offset=99, order=(1, 0, 2), pi=3.14)
"""One-Shot_Free-View: R = Rx(pitch) Ry(yaw) Rz(roll), x = R c, with 3.14 for pi."""

BETA = Convention(offset=99, order=(2, 1, 0), pi=3.14)
"""The same author's vox-256-beta checkpoint: R = Rx(roll) Ry(pitch) Rz(yaw)."""

F2F = Convention(offset=99, order=(1, 0, 2))
"""zhengkw18/face-vid2vid: as OSFV, with pi itself."""

LIVEPORTRAIT = Convention(offset=97.5, order=(1, 0, 2), sign=-1.0)
"""LivePortrait: x = c R with R = (Rz(roll) Ry(yaw) Rx(pitch))^T = Rx(-pitch) Ry(-yaw) Rz(-roll)."""

CONVENTIONS = {"osfv": OSFV, "beta": BETA, "f2f": F2F, "liveportrait": LIVEPORTRAIT}


def rotation_to_6d(rotation: Tensor) -> Tensor:
    """The first two rows of rotations [..., 3, 3], [..., 6]; Zhou et al., 2019, without the jumps that angles have."""
    return rotation[..., :2, :].flatten(-2)


def rotation_from_6d(rows: Tensor) -> Tensor:
    """Rotations [..., 3, 3] nearest to two rows [..., 6], by Gram-Schmidt (Zhou et al., 2019)."""
    first = F.normalize(rows[..., :3], dim=-1)
    second = rows[..., 3:] - (first * rows[..., 3:]).sum(-1, keepdim=True) * first
    second = F.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-2)


def _about_x(angle: Tensor) -> Tensor:
    return _matrix(angle, "1 0 0", "0 c -s", "0 s c")


def _about_y(angle: Tensor) -> Tensor:
    return _matrix(angle, "c 0 s", "0 1 0", "-s 0 c")


def _about_z(angle: Tensor) -> Tensor:
    return _matrix(angle, "c -s 0", "s c 0", "0 0 1")


def _matrix(angle: Tensor, *rows: str) -> Tensor:
    cosine, sine = angle.cos(), angle.sin()
    terms = {"0": torch.zeros_like(angle), "1": torch.ones_like(angle), "c": cosine, "s": sine, "-s": -sine}
    return torch.stack([torch.stack([terms[name] for name in row.split()], dim=-1) for row in rows], dim=-2)
