"""Head motion of a file: a table of poses, or a video of somebody whose head, brows and lids are followed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.core.controls import Controls
from speechhead.core.errors import FaceError
from speechhead.core.head_track import HeadTrack
from speechhead.face.landmarks import eye_opening, remove_pose
from speechhead.media.reader import VideoReader
from speechhead.motion.head_table import read_head_table

from .driver import tracked

TABLES = (".csv", ".tsv", ".txt")
"""Endings of files that are tables of poses; any other one is a video."""

FEWEST = 0.5
"""Part of a video's frames in which the face must be seen."""

SMOOTH = np.array([0.25, 0.5, 0.25])
"""Over three frames: what a tracker trembles is no motion."""

OPEN_EYES = 80
"""Percentile of the opening of a person's eyes that counts as open, SHUT the part of it that counts as shut."""

SHUT = 0.35

_BROWS, _CORNERS = slice(17, 27), (36, 39, 42, 45)


def head_of(path: Path) -> HeadTrack:
    """The head motion of a table, or of a video.

    Raises
    ------
    ControlError, MediaError or FaceError naming the file and the remedy.
    """
    return read_head_table(path) if path.suffix.lower() in TABLES else followed(path)


def directed(controls: Controls) -> Controls:
    """Controls whose head motion is read, where a file gives it; brows and lids with it where they are asked for."""
    if not isinstance(controls.head, Path):
        return controls
    track = head_of(controls.head)
    return replace(controls, head=track if controls.head_brows else track.alone())


def followed(video: Path) -> HeadTrack:
    """The motion of the face in a video, away from its own middle pose, so that it suits any portrait."""
    meshes: list[Array | None] = []
    for _, face in tracked(VideoReader(video, fps=FPS).frames(), smooth=True):
        meshes.append(None if face is None else face.landmarks)
    seen = np.flatnonzero([mesh is not None for mesh in meshes])
    if len(seen) < max(1, FEWEST * len(meshes)):
        raise FaceError(f"{video}: a face is seen in {len(seen)} of {len(meshes)} frames. Give a video of one face.")
    faces, poses = remove_pose(np.stack([mesh for mesh in meshes if mesh is not None]))
    every = np.arange(len(meshes))

    def track(values: npt.NDArray[Any]) -> list[float]:
        whole = np.interp(every, seen, values - np.median(values))
        smooth: list[float] = np.convolve(np.pad(whole, 1, mode="edge"), SMOOTH, mode="valid").tolist()
        return smooth

    angles = [track(column) for column in np.array([pose.angles for pose in poses]).T]
    raised = faces[:, _CORNERS, 1].mean(1) - faces[:, _BROWS, 1].mean(1)
    opening = eye_opening(faces).mean(1)
    closure = 1.0 - (opening / np.percentile(opening, OPEN_EYES) - SHUT) / (1.0 - SHUT)
    return HeadTrack(
        list(zip(*angles)),
        relative=True,
        brow=track(raised),
        blink=np.interp(every, seen, np.clip(closure, 0.0, 1.0)).tolist(),
    )
