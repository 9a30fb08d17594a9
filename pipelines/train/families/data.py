"""Frames of one person twice: source and driver pairs of clips, the same for the same step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipelines.train.compact.colours import apply_colour, recolour
from speechhead.core.arrays import Array
from speechhead.face.landmarks import mouth_opening
from speechhead.face.mirror import FLIP, mirrored

from .sources import FamilyClip


def seed(*numbers: int) -> np.random.Generator:
    """Random numbers that depend on these integers alone."""
    return np.random.default_rng(list(numbers))


class FamilyPairs(Dataset[dict[str, Array]]):
    """Pair number n, the same whenever and wherever it is drawn: training can stop and go on at any step.

    Items are dictionaries of arrays: source, driver float32 [3, S, S] in 0..1; with tracked clips also
    source_rotation, driver_rotation [3, 3] and source_landmarks, driver_landmarks [70, 3] in crop units; with
    `neighbours` also before and after, the frames around the driver.

    Parameters
    ----------
    clips : of one size
    random : number that distinguishes one run from another
    augment : mirror and recolour, the same for both frames
    neighbours : largest distance in frames of before and after from the driver; 0 for none
    sway : how far pictures are shifted, zoomed and turned when augmented, in parts of the picture and radians
    opened : share of pairs whose driver is one of the fifth of a tracked clip's frames with the widest mouths
    """

    def __init__(
        self,
        clips: Sequence[FamilyClip],
        random: int = 0,
        augment: bool = True,
        neighbours: int = 0,
        sway: float = 0.0,
        opened: float = 0.0,
    ) -> None:
        self.clips, self.random, self.augment, self.neighbours = clips, random, augment, neighbours
        self.sway, self.opened = sway, opened
        self.widest = [widest(clip) for clip in clips] if opened else []
        lengths = np.sqrt([len(clip.usable) for clip in clips])
        self.chance = lengths / lengths.sum()

    def __getitem__(self, number: int) -> dict[str, Array]:
        draw = seed(self.random, number)
        chosen = draw.choice(len(self.clips), p=self.chance)
        clip = self.clips[chosen]
        rows = draw.choice(clip.usable, 2, replace=False)
        if self.opened and draw.random() < self.opened:
            rows[1] = draw.choice(self.widest[chosen])
        return self.item(clip, int(rows[0]), int(rows[1]), draw if self.augment else None, draw)

    def item(
        self,
        clip: FamilyClip,
        source: int,
        driver: int,
        augment: np.random.Generator | None = None,
        draw: np.random.Generator | None = None,
    ) -> dict[str, Array]:
        """The pair of two frames of a clip; augmented if a generator is given for it."""
        rows = {"source": source, "driver": driver}
        if self.neighbours:
            step = int(draw.integers(1, self.neighbours + 1)) if draw is not None else 1
            last = len(clip.frames) - 1
            rows |= {"before": max(driver - step, 0), "after": min(driver + step, last)}
        turned = augment is not None and augment.random() < 0.5
        colour = recolour(augment) if augment is not None else None
        sway = Sway.random(augment, self.sway) if augment is not None and self.sway else None
        item: dict[str, Array] = {}
        for name, row in rows.items():
            image = np.asarray(clip.frames[row])
            image = image[:, ::-1] if turned else image
            image = image if colour is None else apply_colour(image, colour)
            image = image if sway is None else sway.image(image)
            item[name] = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / np.float32(255)
            if clip.track and name in ("source", "driver"):
                marks: Array = np.array(clip.track["landmarks"][row])
                turn: Array = np.array(clip.track["rotation"][row])
                marks = np.asarray(mirrored(marks), np.float32) if turned else marks
                turn = np.asarray(turn * FLIP * FLIP[:, None], np.float32) if turned else turn
                item[f"{name}_landmarks"] = marks if sway is None else sway.marks(marks)
                item[f"{name}_rotation"] = turn if sway is None else sway.roll @ turn
        return item


@dataclass(frozen=True)
class Sway:
    """A picture shifted, zoomed and turned about its middle.

    roll : float32 [3, 3]; zoom : factor; shift : float32 [2], in units of half the picture
    """

    roll: Array
    zoom: float
    shift: Array

    @classmethod
    def random(cls, random: np.random.Generator, reach: float) -> Sway:
        """Each by up to `reach`: of the picture's side, of its size, in radians."""
        angle, zoom, *shift = random.uniform(-reach, reach, 4)
        roll = np.eye(3, dtype=np.float32)
        roll[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        return cls(roll, float(np.exp(zoom)), 2 * np.asarray(shift, np.float32))

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [S, S, 3] likewise; its border goes on beyond it."""
        half = len(image) / 2
        matrix = np.zeros((2, 3))
        matrix[:, :2] = self.zoom * self.roll[:2, :2]
        middle = np.full(2, half - 0.5)
        matrix[:, 2] = middle + half * self.shift - matrix[:, :2] @ middle
        moved = cv2.warpAffine(
            np.ascontiguousarray(image),
            matrix,
            image.shape[1::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(moved, np.uint8)

    def marks(self, marks: Array) -> Array:
        """Landmarks float32 [70, 3] in crop units."""
        moved = np.float32(self.zoom) * marks @ self.roll.T
        moved[:, :2] += self.shift
        return np.asarray(moved, np.float32)


def widest(clip: FamilyClip) -> NDArray[np.int64]:
    """Rows of the fifth of a tracked clip's usable frames whose mouths are open widest, one at least."""
    opening = mouth_opening(np.asarray(clip.track["normalised"])[clip.usable])
    return np.asarray(clip.usable[np.argsort(-opening)[: (len(opening) + 4) // 5]], np.int64)


class _Numbers:
    """Batches of pair numbers from a step on, without end: worker processes change nothing about them."""

    def __init__(self, batch: int, start: int, rank: int, world: int) -> None:
        self.batch, self.start, self.rank, self.world = batch, start, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        step = self.start
        while True:
            first = (step * self.world + self.rank) * self.batch
            yield list(range(first, first + self.batch))
            step += 1


def batches(
    pairs: FamilyPairs, batch: int, start: int = 0, workers: int = 0, rank: int = 0, world: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Batches number `start`, `start` + 1, ... of one process among `world`."""
    loader = DataLoader(
        pairs,
        batch_sampler=_Numbers(batch, start, rank, world),
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)
