"""What every result is printed beside: rendering and speech baselines that need no trained network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import mouth_opening, to_normalised
from speechhead.generators.compact.meshwarp import MeshWarp, sample

from .clips import JudgedClip
from .picture import Frames
from .sync import energy_db

_JAW_PULL = np.zeros(70, np.float32)
_JAW_PULL[list(range(65, 68)) + list(range(55, 60))] = 1.0  # lower lip, inner and outer
_JAW_PULL[[60, 64, 48, 54]] = 0.3  # mouth corners
_JAW_PULL[4:13] = np.sin(np.linspace(0.2, np.pi - 0.2, 9)).clip(0, 1)  # chin most, cheeks least


def copy_source(clip: JudgedClip) -> Frames:
    """The first frame, over and over: uint8 [T, H, W, 3]."""
    return np.broadcast_to(clip.frames[0], clip.frames.shape)


def mesh_warp(clip: JudgedClip) -> Frames:
    """The first frame warped by the clip's own mesh, with no network.

    It gets all 478 tracked vertices of every frame, more than a generator that is driven by 70 landmarks does.
    """
    height, width = clip.frames.shape[1:3]
    side = max(height, width)
    source = np.pad(clip.frames[0], ((0, side - height), (0, side - width), (0, 0)), mode="edge")
    meshes = [to_normalised(mesh, pose) for mesh, pose in zip(clip.truth.mesh, clip.truth.poses)]
    warp = MeshWarp(meshes[0], clip.truth.poses[0], side)
    frames = [sample(source, warp.flow(mesh, pose, side)[0]) for mesh, pose in zip(meshes, clip.truth.poses)]
    return np.stack(frames)[:, :height, :width]


def triangulate(points: Array, width: int, height: int) -> NDArray[np.int64]:
    """Delaunay triangles [F, 3] of points [N, 2] inside a picture; duplicates are used once."""
    plane = cv2.Subdiv2D((-1, -1, width + 2, height + 2))
    plane.insert([(float(x), float(y)) for x, y in points])
    corners = np.asarray(plane.getTriangleList(), np.float32).reshape(-1, 3, 2)
    nearest = np.linalg.norm(corners[:, :, None] - points, axis=-1)
    return nearest.argmin(-1)[nearest.min(-1).max(-1) < 0.01]  # the others hang on the outer frame


def triangle_warp(image: Frames, source: Array, driving: Array, triangles: NDArray[np.int64]) -> Frames:
    """Picture whose points `source` [N, 2] are drawn to `driving` [N, 2], each triangle by its affine map."""
    height, width = image.shape[:2]
    index = np.zeros((height, width), np.int32)
    affine = np.zeros((len(triangles) + 1, 2, 3), np.float32)
    affine[0] = np.eye(2, 3)
    corners = driving[triangles]
    area = np.linalg.det(corners[:, 1:] - corners[:, :1])
    fixed = np.round(corners * 16).astype(np.int32)  # fillConvexPoly takes sixteenths of a pixel
    for number in np.flatnonzero(np.abs(area) > 1e-3):
        affine[number + 1] = cv2.getAffineTransform(corners[number], source[triangles[number]])
        cv2.fillConvexPoly(index, fixed[number], int(number) + 1, cv2.LINE_8, 4)
    place = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    chosen = affine[index]
    where = np.einsum("hwij,hwj->hwi", chosen[..., :2], place) + chosen[..., 2]
    x, y = (np.ascontiguousarray(where[..., axis]) for axis in (0, 1))
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def border_points(width: int, height: int) -> Array:
    """Corners and middles of the sides of a picture, [8, 2]."""
    sides = [(x, y) for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)]
    return np.array([(x * (width - 1), y * (height - 1)) for x, y in sides], np.float32)


def triangulated_warp(clip: JudgedClip, driving: Array | None = None) -> Frames:
    """The first frame warped by 68 landmarks: piecewise affine on their Delaunay triangles.

    Points along the border of the picture stay where they are.

    Parameters
    ----------
    clip : its first frame is warped
    driving : float32 [T, 70, 3] in pixels of the clip; the clip's own landmarks if None
    """
    height, width = clip.frames.shape[1:3]
    border = border_points(width, height)
    source = clip.truth.landmarks[:1]
    moved = clip.truth.landmarks if driving is None else driving
    inside = np.concatenate([source, moved])[:, :68, :2].clip(0, [width - 1, height - 1]).astype(np.float32)
    points = np.concatenate([inside, np.broadcast_to(border, (len(inside), *border.shape))], axis=1)
    triangles = triangulate(points[0], width, height)
    return np.stack([triangle_warp(clip.frames[0], points[0], shape, triangles) for shape in points[1:]])


def jaw_opened(face: Array, opening: Array) -> Array:
    """A face whose jaw is pulled down: [70, 3] and opening [T] in outer eye distances -> [T, 70, 3]."""
    faces = np.repeat(face[None], len(opening), axis=0)
    faces[..., 1] += opening[:, None] * _JAW_PULL
    return faces


def energy_jaw(clip: JudgedClip) -> Array:
    """The sound's energy envelope drives the jaw of the source face: float32 [T, 70, 3], normalised.

    The envelope (dB above the clip's 10th percentile, smoothed over three frames) is scaled and shifted so that its
    mean and spread are those of the truth's opening, which flatters the baseline.
    """
    assert clip.audio is not None
    level = np.convolve(np.pad(energy_db(clip.audio, len(clip.frames)), 1, mode="edge"), np.ones(3) / 3, mode="valid")
    envelope = np.maximum(level - np.percentile(level, 10), 0)
    truth = mouth_opening(clip.truth.normalised)
    scaled = (envelope - envelope.mean()) / max(float(envelope.std()), 1e-6) * truth.std() + truth.mean()
    source = clip.truth.normalised[0]
    return jaw_opened(source, (scaled - mouth_opening(source)).astype(np.float32))


def mean_face(clip: JudgedClip) -> Array:
    """The clip's own mean face, held still: float32 [T, 70, 3], normalised. Of the truth it knows the mean alone."""
    return np.broadcast_to(clip.truth.normalised.mean(0), clip.truth.normalised.shape)


def still_face(clip: JudgedClip) -> Array:
    """The source face, held still: float32 [T, 70, 3], normalised."""
    return np.broadcast_to(clip.truth.normalised[0], clip.truth.normalised.shape)
