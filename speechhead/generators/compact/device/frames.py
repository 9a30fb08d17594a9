"""What a device is given to draw frames: what portraits hold, and each frame's few numbers, in one upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from speechhead.core.arrays import Array

from .draw import Boxes

Parts = dict[str, Tensor]
"""All that is drawn from, by name: [B, ...], or [1, ...] for all of a batch."""

STEP = 16
"""Pixels by which boxes grow, so that their sizes are few."""

HELD, NUMBERS, PLACES = "held.", "numbers", "places"


@dataclass(frozen=True)
class BatchRows:
    """What is drawn of one portrait in one go: T frames, or T layers of an eye in some.

    held : what the portrait holds, on the device; numbers : float32 [T, ...]; most : counts of which a batch takes the
    largest; boxes : int [T, 4], the pixels x0, y0, x1, y1 of a frame that parts of it may change; frames : which of
    the batch they are
    """

    held: Mapping[str, Tensor]
    numbers: Mapping[str, Array]
    most: Mapping[str, int]
    boxes: Mapping[str, NDArray[np.int64]]
    frames: Sequence[int]


@dataclass(frozen=True)
class Sizes:
    """What a batch's operations depend on beside the shapes of its tensors.

    most : counts by name; boxes : width and height in pixels by name
    numbers : first place and shape of each number in the upload
    """

    most: tuple[tuple[str, int], ...]
    boxes: tuple[tuple[str, tuple[int, int]], ...]
    numbers: tuple[tuple[str, tuple[int, tuple[int, ...]]], ...]

    @classmethod
    def of(cls, rows: Sequence[BatchRows], size: int) -> Sizes:
        """Of the rows of a batch of frames of `size` a side: the largest of all."""
        first, start, numbers = rows[0], 0, []
        for name, value in first.numbers.items():
            shape = value.shape[1:] or (1,)
            numbers.append((name, (start, shape)))
            start += int(np.prod(shape))
        most = tuple((name, max(row.most[name] for row in rows)) for name in first.most)
        boxes = []
        for name in first.boxes:
            x0, y0, x1, y1 = np.concatenate([row.boxes[name] for row in rows]).T
            width, height = (min(-(-int(far.max()) // STEP) * STEP, size) for far in (x1 - x0, y1 - y0))
            boxes.append((name, (max(width, min(STEP, size)), max(height, min(STEP, size)))))
        return cls(most, tuple(boxes), tuple(numbers))

    def grown(self, other: Sizes) -> Sizes:
        """Large enough for both of one generator's batches."""
        most, boxes = dict(self.most), dict(self.boxes)
        more = tuple((name, max(count, most[name])) for name, count in other.most)
        wider = tuple((name, (max(w, boxes[name][0]), max(h, boxes[name][1]))) for name, (w, h) in other.boxes)
        return Sizes(more, wider, other.numbers)


def packed(rows: Sequence[BatchRows], sizes: Sizes, size: int, device: torch.device, count: int = 0) -> Parts:
    """Rows on a device in the order of their frames, each thing of all of them in one tensor; the last one is there
    again until they are `count`."""
    frames = np.concatenate([row.frames for row in rows]).astype(np.int64)
    order = np.argsort(frames, kind="stable")
    order = np.concatenate([order, np.repeat(order[-1:], max(count - len(order), 0))])
    flat = [np.concatenate([_flat(row.numbers[name]) for name, _ in sizes.numbers], 1) for row in rows]
    places = [frames[:, None]]
    for name, sides in sizes.boxes:
        corners = np.concatenate([row.boxes[name][:, :2] for row in rows])
        places.append(np.clip(corners, 0, size - np.array(sides)))
    held = [row.held for row in rows for _ in row.frames]
    parts = {
        NUMBERS: _upload(np.concatenate(flat)[order], device),
        PLACES: _upload(np.concatenate(places, 1)[order].astype(np.int64), device),
    }
    return parts | {HELD + name: together([held[k][name] for k in order]) for name in held[0]}


def _flat(values: Array) -> Array:
    return np.asarray(values, np.float32).reshape(len(values), -1)


class Batch:
    """Rows on a device, of `packed`, as they are drawn; size: side of the frames."""

    def __init__(self, parts: Parts, sizes: Sizes, size: int) -> None:
        self._parts, self.size = parts, size
        self._most, self._boxes, self._numbers = dict(sizes.most), dict(sizes.boxes), dict(sizes.numbers)
        self.device = parts[NUMBERS].device

    def __len__(self) -> int:
        return len(self._parts[NUMBERS])

    def number(self, name: str) -> Tensor:
        """A number of all rows, float32 [B, ...]; a single one is [B, 1]."""
        start, shape = self._numbers[name]
        return self._parts[NUMBERS][:, start : start + int(np.prod(shape))].view(-1, *shape)

    def plane(self, name: str, at: int = 0) -> Tensor:
        """One of the numbers of a name, [B, 1, 1]."""
        return self.number(name)[:, at, None, None]

    def most(self, name: str) -> int:
        """The largest count of all rows."""
        return self._most[name]

    def source(self, name: str) -> Tensor:
        """What the portraits hold, [B, ...]."""
        part = self._parts[HELD + name]
        return part.expand(len(self), *part.shape[1:])

    def boxes(self, name: str) -> Boxes:
        """Boxes of all rows: as large as the largest, and around each row's own."""
        width, height = self._boxes[name]
        at, places = 1 + 2 * list(self._boxes).index(name), self._parts[PLACES]
        return Boxes(places[:, 0], places[:, at], places[:, at + 1], height, width)


def together(parts: Sequence[Tensor]) -> Tensor:
    """Tensors [...] of portraits in one [B, ...], smaller ones filled with 0; [1, ...] where all are the same one."""
    if all(part is parts[0] for part in parts):
        return parts[0][None]
    sides = [max(sizes) for sizes in zip(*(part.shape for part in parts))]
    return torch.stack([_filled_up(part, sides) for part in parts])


def _filled_up(part: Tensor, sides: Sequence[int]) -> Tensor:
    pads = [pad for have, want in zip(part.shape[::-1], sides[::-1]) for pad in (0, want - have)]
    return F.pad(part, pads) if any(pads) else part


def _upload(array: NDArray[np.generic], device: torch.device) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def spans(points: Array) -> int:
    """The most pixels that a triangle of [..., 3, 2] covers either way, and a few more, in steps of 4."""
    first, second, third = (points[..., k, :] for k in range(3))
    widest = np.maximum(np.maximum(first, second), third) - np.minimum(np.minimum(first, second), third)
    return -(-(int(np.ceil(widest.max())) + 2) // 4) * 4
