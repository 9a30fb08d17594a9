"""Learn what light on a face goes with its smile, from people who smile and rest in one clip.

    python -m pipelines.train.compact.rest CLIPS -o weights/rest_plate.npz

A smiling frame is laid into the layout by its own mesh, a resting one by the mesh that the generator would draw the
smiling one with. The difference of the two, band by band and place by place, is fitted with what a vanishing smile adds
for everyone, and with a part of the smiling frame's own light and dark. Pairs that differ in no smile tell which of it
is error of the mesh; that is not kept. Deterministic; numpy alone; two minutes on one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from pipelines.data.smiles import SmilingClip
from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, to_normalised, to_pixels
from speechhead.generators.compact.latents import CompactLatents
from speechhead.generators.compact.rest_plate import STRONGEST
from speechhead.generators.compact.skin_layout import SIDE, bands, unwrapped

ENOUGH = 10
"""Pairs from which a person counts fully."""

SMOOTH, RIDGE = 3.0, 1e-3
"""Sigma in samples over which neighbours are fitted together, and pull of the fit towards 0."""


@dataclass(frozen=True)
class Pair:
    """Two frames of a clip in the layout: how much more the first smiles, its bands [5, N, N], and what the second
    adds to them."""

    person: str
    smile: float
    before: Array
    change: Array


def learned_pairs(folder: Path, seed: int = 0) -> Iterator[Pair]:
    """All pairs of a folder of `pipelines.data.prepare`; a clip's person is its name up to the last underscore."""
    random, latents = np.random.default_rng(seed), CompactLatents()
    for file in sorted(folder.glob("*.npz")):
        frames = SmilingClip.of(file)
        for chosen in frames.pairs(random):
            for first, second in chosen:
                pose, driving = frames.poses[first], frames.poses[second]
                canonical = to_normalised(frames.mesh[first], pose)
                keypoints = latents.keypoints(frames.normalised[second][None], canonical)[0]
                before = _seen(frames.pictures[first], frames.mesh[first], pose)
                after = _seen(frames.pictures[second], to_pixels(keypoints, driving), driving)
                smile = float(frames.amount[first] - frames.amount[second])
                yield Pair(file.stem.rpartition("_")[0] or file.stem, smile, before, after - before)


def _seen(picture: NDArray[np.uint8], mesh: Array, pose: Pose) -> Array:
    seen = bands(unwrapped(np.asarray(picture), mesh, float(pose.scale)))
    return np.clip(seen, -STRONGEST, STRONGEST)


class Fit:
    """Sums of the least squares of `change = smile * mean + smile * share * before + error * before`, place by place,
    over both halves of the face."""

    def __init__(self) -> None:
        self.people: dict[str, tuple[float, Array]] = {}

    def add(self, pair: Pair) -> None:
        """Take one pair in."""
        for before, change in ((pair.before, pair.change), (pair.before[..., ::-1], pair.change[..., ::-1])):
            before, change = before[..., : SIDE // 2], change[..., : SIDE // 2]
            terms = np.stack([np.full_like(before, pair.smile), pair.smile * before, before])
            sums = np.concatenate([(terms[:, None] * terms).reshape(9, *before.shape), terms * change])
            count, before_sums = self.people.get(pair.person, (0.0, np.zeros_like(sums)))
            self.people[pair.person] = count + 0.5, before_sums + sums

    def solve(self) -> tuple[Array, Array]:
        """mean and share, float32 [5, N, N / 2]: every person counts alike, but for those of few pairs."""
        total = sum(min(1, count / ENOUGH) / count * sums for count, sums in self.people.values())
        assert isinstance(total, np.ndarray)
        whole = np.concatenate([total, total[..., ::-1]], -1)  # so that the middle is smooth
        flat = whole.reshape(-1, SIDE, SIDE)
        smooth = np.stack([cv2.GaussianBlur(part, (0, 0), SMOOTH) for part in flat])
        smooth = smooth.reshape(12, 5, SIDE, SIDE)[..., : SIDE // 2]
        system = np.moveaxis(smooth[:9].reshape(3, 3, *smooth.shape[1:]), (0, 1), (-2, -1)).astype(np.float64)
        target = np.moveaxis(smooth[9:], 0, -1)[..., None].astype(np.float64)
        solution = np.linalg.solve(system + RIDGE * np.eye(3), target)[..., 0]
        return solution[..., 0].astype(np.float32), solution[..., 1].astype(np.float32)


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of prepared clips.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File for the maps.")],
) -> None:
    """Learn the maps and write them."""
    cv2.setNumThreads(1)
    fit, count = Fit(), 0
    for pair in learned_pairs(clips):
        fit.add(pair)
        count += 1
    mean, share = fit.solve()
    np.savez_compressed(output, mean=mean.astype(np.float16), share=share.astype(np.float16))
    print(f"{output}: {count} pairs of {len(fit.people)} people")


app = command(main)


if __name__ == "__main__":
    app()
