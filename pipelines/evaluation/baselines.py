"""What every result is printed beside: rendering and speech baselines that need no trained network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechhead.face.landmarks import mouth_opening, to_normalised
from speechhead.generators.meshwarp import MeshWarp, sample

from .clips import Clip
from .sync import energy_db

Frames = NDArray[np.uint8]
Array = NDArray[np.float32]

_JAW_PULL = np.zeros(70, np.float32)
_JAW_PULL[list(range(65, 68)) + list(range(55, 60))] = 1.0  # lower lip, inner and outer
_JAW_PULL[[60, 64, 48, 54]] = 0.3  # mouth corners
_JAW_PULL[4:13] = np.sin(np.linspace(0.2, np.pi - 0.2, 9)).clip(0, 1)  # chin most, cheeks least


def copy_source(clip: Clip) -> Frames:
    """The first frame, over and over: uint8 [T, H, W, 3]."""
    return np.broadcast_to(clip.frames[0], clip.frames.shape)


def landmark_warp(clip: Clip) -> Frames:
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


def jaw_opened(face: Array, opening: Array) -> Array:
    """A face whose jaw is pulled down: [70, 3] and opening [T] in outer eye distances -> [T, 70, 3]."""
    faces = np.repeat(face[None], len(opening), axis=0)
    faces[..., 1] += opening[:, None] * _JAW_PULL
    return faces


def energy_jaw(clip: Clip) -> Array:
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


def mean_face(clip: Clip) -> Array:
    """The clip's own mean face, held still: float32 [T, 70, 3], normalised. Of the truth it knows the mean alone."""
    return np.broadcast_to(clip.truth.normalised.mean(0), clip.truth.normalised.shape)


def still_face(clip: Clip) -> Array:
    """The source face, held still: float32 [T, 70, 3], normalised."""
    return np.broadcast_to(clip.truth.normalised[0], clip.truth.normalised.shape)
