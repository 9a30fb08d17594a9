"""Frames and tracks on disk, read at random without being in memory, written as they come."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import from_mesh, remove_pose
from speechhead.face.smoothing import smooth_track
from speechhead.face.tracker import FaceTracker
from speechhead.generators.families.crops import crop_pose

Frames = NDArray[np.uint8]

TRACK = np.dtype(
    [
        ("landmarks", np.float32, (70, 3)),
        ("normalised", np.float32, (70, 3)),
        ("rotation", np.float32, (3, 3)),
        ("translation", np.float32, (3,)),
        ("scale", np.float32),
    ]
)
"""What is known of the face in one frame, NaN where it is lost; in crop units, see `crops.crop_pose`."""

STRETCH = 3000
"""Frames whose track is smoothed and written together: two minutes, 17 MB of meshes."""


def square(frame: Frames, size: int) -> Frames:
    """The middle square of a picture at `size`, averaged when it shrinks."""
    side, left, top = middle(*frame.shape[:2])
    cut = frame[top : top + side, left : left + side]
    if side == size:
        return np.ascontiguousarray(cut)
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(cut, (size, size), interpolation=how), np.uint8)


def middle(height: int, width: int) -> tuple[int, int, int]:
    """Side, left and top of the middle square of a picture, in pixels."""
    side = min(height, width)
    return side, (width - side) // 2, (height - side) // 2


@lru_cache(maxsize=1024)
def mapped(path: Path) -> NDArray[Any]:
    """An array file, memory-mapped once in a process."""
    return np.load(path, mmap_mode="r")


class StoredFrames:
    """Frames of a clip, uint8 [T, S, S, 3], read from an array file when they are asked for.

    Pickles as the name of the file: processes that load data share the pages of one mapping.

    Parameters
    ----------
    path : array file, uint8 [N, H, W, 3]
    size : S; the middle squares of frames of another size are resized as they are read
    start, count : rows of the file that are the clip's; to its end if None
    """

    def __init__(self, path: Path, size: int, start: int = 0, count: int | None = None) -> None:
        self.path, self.size, self.start = path, size, start
        self.count = len(mapped(path)) - start if count is None else count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rows: Any) -> Frames:
        """One frame [S, S, 3], or those of a slice or of numbers [N]."""
        chosen = np.arange(self.count)[rows] + self.start
        if chosen.ndim == 0:
            return square(mapped(self.path)[int(chosen)], self.size)
        found = [square(mapped(self.path)[int(row)], self.size) for row in chosen]
        return np.stack(found) if found else np.zeros((0, self.size, self.size, 3), np.uint8)


class StoredTrack(Mapping[str, Array]):
    """The arrays of `TRACK`, [T, ...] each, memory-mapped; pickles as the name of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getitem__(self, name: str) -> Array:
        if name not in (TRACK.names or ()):
            raise KeyError(name)
        return mapped(self.path)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(TRACK.names or ())

    def __len__(self) -> int:
        return len(TRACK.names or ())


@contextmanager
def growing(path: Path, kind: Any, shape: tuple[int, ...] = ()) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Write an array file [N, *shape] of any length: gives a function that takes rows, in memory no longer than that.

    The file gets its name when all went well.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    dtype, count = np.dtype(kind), 0
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False}
    try:
        with part.open("wb") as stream:

            def header() -> int:
                stream.seek(0)
                npy.write_array_header_1_0(stream, {**described, "shape": (count, *shape)})
                return stream.tell()

            begin = header()  # it has room for the digits of any length

            def append(rows: NDArray[Any]) -> None:
                nonlocal count
                stream.write(np.ascontiguousarray(rows, dtype).tobytes())
                count += len(rows)

            yield append
            assert header() == begin
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def as_track(mesh: Array, side: float) -> NDArray[Any]:
    """Meshes [T, 478, 3] in pixels of squares of this side, NaN where there is no face, as rows of `TRACK`."""
    rows = np.zeros(len(mesh), TRACK)
    for name in TRACK.names or ():
        rows[name] = np.nan
    found = np.flatnonzero(np.isfinite(mesh).all((1, 2)))
    if not len(found):
        return rows
    for row, shape, pose in zip(found, *remove_pose(from_mesh(mesh[found]))):
        unit = crop_pose(pose, side)
        landmarks = unit.scale * shape @ unit.rotation.T + unit.translation
        rows[row] = (landmarks, shape, unit.rotation, unit.translation, unit.scale)
    return rows


def track_stretches(frames: Iterable[Frames], size: int) -> Iterator[NDArray[Any]]:
    """Rows of `TRACK` of square frames of side `size`, smoothed, `STRETCH` at a time."""
    lost = np.full((478, 3), np.nan, np.float32)
    faces = FaceTracker(threads=1).track(frames)
    while meshes := [lost if face is None else face.mesh for face in islice(faces, STRETCH)]:
        yield as_track(smooth_track(np.stack(meshes)), size)


def track_frames(frames: Iterable[Frames], size: int) -> NDArray[Any]:
    """All rows of `track_stretches`."""
    return np.concatenate([np.zeros(0, TRACK), *track_stretches(frames, size)])
