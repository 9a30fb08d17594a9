"""The 68 + 2 landmarks: where they lie on the mesh, and the space in which the head's pose is removed.

Pixels: x right, y down, z away from the camera, in one unit. Normalised space: MediaPipe's canonical face in
units of its outer eye distance, origin midway between the outer eye corners, axes as in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.core.errors import LandmarkError

with weights.arrays(Path(__file__).with_name("topology.npz")) as _stored:
    _TOPOLOGY = {name: _stored[name] for name in ("triangles", "reference")}
TRIANGLES: npt.NDArray[np.int16] = _TOPOLOGY["triangles"]
"""[854, 3] vertex indices of the mesh's faces (MediaPipe canonical face)."""
MESH_REFERENCE: Array = _TOPOLOGY["reference"]
"""[478, 3] the canonical face in the normalised space, irises included."""

MESH_TO_68 = np.array(
    [127, 234, 132, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 361, 454, 356]  # jaw
    + [70, 63, 105, 66, 107, 336, 296, 334, 293, 300]  # brows
    + [168, 197, 5, 4, 98, 97, 2, 326, 327]  # nose
    + [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]  # eyes
    + [61, 40, 37, 0, 267, 270, 291, 321, 405, 17, 181, 91]  # outer lips
    + [78, 82, 13, 312, 308, 317, 14, 87]  # inner lips
)
"""Mesh vertex of each iBUG point (36-41 is the eye at the left of the image)."""
IRIS_CENTRES = (468, 473)
"""Mesh vertices of landmarks 68 and 69: the iris at the left and at the right of the image."""
MESH_TO_70 = np.concatenate([MESH_TO_68, IRIS_CENTRES])

JAW = slice(0, 17)
BROWS = slice(17, 27)
NOSE = slice(27, 36)
LEFT_EYE = slice(36, 42)
RIGHT_EYE = slice(42, 48)
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)
IRISES = slice(68, 70)

RIGID = (0, 16, 27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)
"""Landmarks that speech and expression hardly move: before the ears, bridge and base of the nose, eye corners."""
# Smiles widen the base of the nose; the ears calm yaw by a fifth but are hidden first when the head turns.
_RIGID_WEIGHTS = np.array([0.5, 0.5, 1, 1, 1, 1, 0.5, 0.5, 0.5, 1, 1, 1, 1])
FEWEST_RIGID = 6
"""Finite rigid points that a frame needs."""

REFERENCE: Array = MESH_REFERENCE[MESH_TO_70]
"""[70, 3] the neutral reference face in the normalised space."""


@dataclass(frozen=True)
class Pose:
    """Where a head is: x_px = scale * rotation @ x_norm + translation.

    rotation : [3, 3]; translation : [3] px, of the midpoint between the outer eye corners;
    scale : px per outer eye distance of the reference.

    Angles are degrees, rotation = Rz(roll) Ry(yaw) Rx(pitch): yaw > 0 turns the face to the right of the image,
    pitch > 0 makes it look down, roll > 0 tilts it clockwise in the image.
    """

    rotation: Array
    translation: Array
    scale: float

    @classmethod
    def from_angles(
        cls,
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        translation: Sequence[float] | Array = (0.0, 0.0, 0.0),
        scale: float = 1.0,
    ) -> Pose:
        """The pose with these angles in degrees."""
        rotation = rotation_matrix(np.array([yaw, pitch, roll]))
        return cls(rotation, np.asarray(translation, np.float32), float(scale))

    @cached_property
    def angles(self) -> tuple[float, float, float]:
        """(yaw, pitch, roll) in degrees; yaw in [-90, 90], the others in [-180, 180]."""
        yaw, pitch, roll = rotation_angles(self.rotation)
        return float(yaw), float(pitch), float(roll)


def rotation_matrix(angles: npt.ArrayLike) -> Array:
    """Rotation matrices [..., 3, 3] of angles [..., 3] = yaw, pitch, roll in degrees (see `Pose`)."""
    yaw, pitch, roll = np.moveaxis(np.deg2rad(np.asarray(angles, np.float64)), -1, 0)
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    rows = [
        [cr * cy, -sr * cp - cr * sy * sp, sr * sp - cr * sy * cp],
        [sr * cy, cr * cp - sr * sy * sp, -cr * sp - sr * sy * cp],
        [sy, cy * sp, cy * cp],
    ]
    matrix = np.array(rows, np.float32)
    return matrix if matrix.ndim == 2 else np.moveaxis(matrix, (0, 1), (-2, -1))


def rotation_angles(rotation: npt.ArrayLike) -> Array:
    """Angles [..., 3] = yaw, pitch, roll in degrees of rotation matrices [..., 3, 3]."""
    r = np.asarray(rotation, np.float64)
    yaw = np.arcsin(np.clip(r[..., 2, 0], -1, 1))
    pitch = np.arctan2(r[..., 2, 1], r[..., 2, 2])
    roll = np.arctan2(r[..., 1, 0], r[..., 0, 0])
    angles = np.rad2deg(np.array([yaw, pitch, roll])).astype(np.float32)
    return angles if angles.ndim == 1 else np.moveaxis(angles, 0, -1)


def from_mesh(mesh: Array) -> Array:
    """The 70 landmarks [..., 70, 3] of meshes [..., 478, 3]."""
    return np.asarray(mesh)[..., MESH_TO_70, :]


def remove_pose(landmarks: Array, reference: Array = REFERENCE) -> tuple[Array, list[Pose]]:
    """Normalise landmarks: undo rotation, translation and scale of the head.

    Weighted Procrustes (Umeyama, 1991) on the rigid points only, so that speech does not leak into the pose.
    SPACE (Gururani et al., 2023), "normalised space".

    Parameters
    ----------
    landmarks : float32 [T, 70, 3]; image pixels, x right, y down, z away from the camera
    reference : float32 [70, 3]; the face that rigid points are laid on, in units of its outer eye distance

    Returns
    -------
    float32 [T, 70, 3] in the reference's frame, and a Pose per frame for `apply_pose` to go back.

    Raises
    ------
    LandmarkError if the shape is wrong or a frame has fewer than six finite rigid points.
    """
    points = np.asarray(landmarks, np.float64)
    if points.ndim != 3 or points.shape[1:] != (70, 3):
        raise LandmarkError(f"landmarks have shape {points.shape}, need [T, 70, 3]. Use from_mesh() first.")
    poses = _umeyama(np.asarray(reference, np.float64)[list(RIGID)], points[:, list(RIGID)])
    normalised = np.empty(points.shape, np.float32)
    for t, pose in enumerate(poses):
        normalised[t] = to_normalised(points[t], pose)
    return normalised, poses


def _umeyama(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> list[Pose]:
    """Similarities that lay source [N, 3] on each target [T, N, 3], with the rigid points' weights."""
    finite = np.asarray(np.isfinite(target).all(axis=2))
    few = np.flatnonzero(finite.sum(axis=1) < FEWEST_RIGID)
    if few.size:
        found = int(finite[few[0]].sum())
        raise LandmarkError(
            f"frame {few[0]}: {found} finite rigid landmarks, need {FEWEST_RIGID}. Leave out frames without a face."
        )
    weights = finite * _RIGID_WEIGHTS
    weights = weights / weights.sum(axis=1, keepdims=True)
    target = np.where(finite[..., None], target, 0.0)
    source_mean = weights @ source
    target_mean = np.einsum("tn,tni->ti", weights, target)
    from_mean = source[None] - source_mean[:, None]
    to_mean = target - target_mean[:, None]
    u, singular, vt = np.linalg.svd(np.einsum("tn,tni,tnj->tij", weights, to_mean, from_mean))
    sign = np.sign(np.asarray(np.linalg.det(u) * np.linalg.det(vt)))  # a reflection is not a pose
    singular[:, 2] *= sign
    u[:, :, 2] *= sign[:, None]
    rotation = u @ vt
    scale = singular.sum(axis=1) / np.einsum("tn,tni->t", weights, from_mean**2)
    translation = target_mean - scale[:, None] * np.einsum("tij,tj->ti", rotation, source_mean)
    return [Pose(r.astype(np.float32), x.astype(np.float32), float(s)) for r, x, s in zip(rotation, translation, scale)]


def to_normalised(points: npt.ArrayLike, pose: Pose) -> Array:
    """Points [..., 3] in pixels to the normalised space of one pose."""
    centred = np.asarray(points, np.float64) - pose.translation
    return ((centred @ pose.rotation.astype(np.float64)) / pose.scale).astype(np.float32)


def to_pixels(points: npt.ArrayLike, pose: Pose) -> Array:
    """Points [..., 3] of the normalised space to pixels, under one pose."""
    turned = np.asarray(points, np.float64) @ pose.rotation.astype(np.float64).T
    return (pose.scale * turned + pose.translation).astype(np.float32)


def apply_pose(normalised: Array, pose: Pose | Sequence[Pose]) -> Array:
    """Exact inverse of `remove_pose`.

    Parameters
    ----------
    normalised : [T, N, 3] (landmarks or meshes) in the normalised space, or [N, 3] with one Pose
    pose : one Pose for every frame, or a Pose per frame

    Returns
    -------
    float32, same shape, in pixels.

    Raises
    ------
    LandmarkError if the number of poses is not the number of frames.
    """
    if isinstance(pose, Pose):
        return to_pixels(normalised, pose)
    if len(pose) != len(normalised):
        raise LandmarkError(f"{len(pose)} poses for {len(normalised)} frames. Give one pose, or one for each frame.")
    if not len(pose):
        return np.asarray(normalised, np.float32)
    return np.stack([to_pixels(frame, one) for frame, one in zip(normalised, pose)])


def outer_eye_distance(landmarks: Array) -> Array:
    """3D distance [...] between the outer eye corners of landmarks [..., 70, 3]."""
    return np.linalg.norm(landmarks[..., 45, :] - landmarks[..., 36, :], axis=-1)


def mouth_opening(landmarks: Array) -> Array:
    """Gap of the inner lips in outer eye distances, [...] >= 0, of landmarks [..., 70, 3] in any space."""
    upper = landmarks[..., 61:64, :].mean(axis=-2)
    lower = landmarks[..., 65:68, :].mean(axis=-2)
    return np.linalg.norm(upper - lower, axis=-1) / outer_eye_distance(landmarks)


def eye_opening(landmarks: Array) -> Array:
    """Height over width of each eye, [..., 2] (image left, image right), of landmarks [..., 70, 3].

    About 0.3 when open, below 0.15 when closed. Soukupova and Cech (2016), "eye aspect ratio".
    """

    def ratio(eye: slice) -> Array:
        p = landmarks[..., eye, :]
        heights = np.linalg.norm(p[..., [1, 2], :] - p[..., [5, 4], :], axis=-1)
        return heights.mean(axis=-1) / np.linalg.norm(p[..., 0, :] - p[..., 3, :], axis=-1)

    return np.stack([ratio(LEFT_EYE), ratio(RIGHT_EYE)], axis=-1)
