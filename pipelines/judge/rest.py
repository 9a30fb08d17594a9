"""What is left of a smile in the folds of cheeks at rest, beside the truth and by contrast.

    python -m pipelines.judge.rest CLIPS [--json OUT]
    python -m pipelines.judge.rest FOLDER --names FILE [--json OUT]

On clips a smiling frame is the source and the landmarks of a resting frame of the same clip drive it. On portraits,
which have no truth, the rest face drives, with the plate and without.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from pipelines.data.smiles import SmilingClip
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, to_pixels
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.skin_layout import bands, skin_layout, unwrapped
from speechhead.motion.rest import rest_face

from .each import avatars_of

PAIRS = 8
"""Pairs of frames of a clip that are looked at."""

FOLDS = slice(1, 4)
"""Bands in which folds lie."""


BESIDE = ((203, 206, 216, 212, 214, 207, 205, 36), (423, 426, 436, 432, 434, 427, 425, 266))
"""Vertices around the fold from nose to mouth, of either side: neither nose nor lips."""


def fold_region() -> Array:
    """Where folds of a smile lie, bool [N, N] of the layout."""
    layout = skin_layout()
    mask = np.zeros(layout.skin.shape, np.uint8)
    for side in BESIDE:
        hull = cv2.convexHull(np.round(layout.places[list(side)]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
    return np.asarray((mask > 0) & (layout.skin > 0))


def in_layout(picture: NDArray[np.uint8], mesh: Array, pose: Pose) -> Array:
    """Bands of a picture [5, N, N] by its mesh [478, 3] in pixels."""
    return bands(unwrapped(picture, mesh, float(pose.scale)))


def contrast(seen: Array) -> float:
    """Root mean square of log luma in the bands and the region of folds."""
    return float(np.sqrt(np.square(seen[FOLDS].sum(0)[fold_region()]).mean()))


def with_and_without(generator: CompactGenerator, source: Source, face: Array, pose: Pose) -> list[Array]:
    """Bands of the frame that landmarks [70, 3] drive, without the plate and with it."""
    mesh = to_pixels(generator.keypoints(source, face), pose)
    plain = dataclasses.replace(source, smile=None)
    return [in_layout(generator.render(s, face, pose), mesh, pose) for s in (plain, source)]


def of_clip(file: Path, seed: int = 0) -> dict[str, float] | None:
    """Mean error of log luma, beside the truth, before and after; None of a clip that does not smile and rest."""
    frames = SmilingClip.of(file)
    chosen, _ = frames.pairs(np.random.default_rng(seed))
    region, rows = fold_region(), []
    generator: CompactGenerator | None = None
    for first, second in chosen[:PAIRS]:
        picture = np.ascontiguousarray(frames.pictures[first])
        generator = generator or CompactGenerator.load(picture.shape[0], threads=1)
        source = generator.prepare(picture, frames.mesh[first])
        face, pose = frames.normalised[second], frames.poses[second]
        mesh = to_pixels(generator.keypoints(source, face), pose)
        truth = in_layout(np.ascontiguousarray(frames.pictures[second]), mesh, pose)
        before, after = with_and_without(generator, source, face, pose)
        rows.append(
            [float(np.abs((seen - truth).sum(0))[region].mean()) for seen in (before, after)]
            + [contrast(seen) for seen in (truth, before, after)]
        )
    if not rows:
        return None
    names = ("before", "after", "contrast_truth", "contrast_before", "contrast_after")
    return dict(zip(names, np.mean(rows, 0).tolist()))


def of_portrait(generator: CompactGenerator, avatar: Avatar) -> dict[str, float] | None:
    """Contrast of folds in the portrait, and at rest before and after; None of one that has no plate."""
    source = generator.prepare(avatar.crop, avatar.mesh)
    if source.smile is None:
        return None
    before, after = with_and_without(generator, source, rest_face(avatar.neutral), avatar.pose)
    own = contrast(in_layout(avatar.crop, avatar.mesh, avatar.pose))
    left = contrast(after) / max(contrast(before), 1e-6)
    return {"contrast_own": own, "contrast_before": contrast(before), "contrast_after": contrast(after), "left": left}


def of_portraits(folder: Path, names: list[str], size: int) -> dict[str, dict[str, float]]:
    """Rows of the portraits that smile; one without a usable face is left out."""
    generator, rows = CompactGenerator.load(size, threads=1), {}
    for name, avatar in avatars_of(folder, names, size):
        if (row := of_portrait(generator, avatar)) is not None:
            rows[name] = row
    return rows


def main(
    folder: Annotated[Path, typer.Argument(help="Prepared clips of people not learned from; with --names, portraits.")],
    names: Annotated[Path | None, typer.Option(help="File with a portrait's name in each line.")] = None,
    size: Annotated[int, typer.Option(help="Side of a portrait's face crop in pixels.")] = 512,
    output: Annotated[Path | None, typer.Option("--json", help="File for the rows.")] = None,
) -> None:
    """Measure, and print the rows and their mean."""
    cv2.setNumThreads(1)
    if names:
        rows = of_portraits(folder, names.read_text().split(), size)
    else:
        rows = {file.stem: row for file in sorted(folder.glob("*.npz")) if (row := of_clip(file)) is not None}
    if output:
        output.write_text(json.dumps(rows, indent=1))
    for name, row in rows.items():
        print(f"{name:44s} " + "  ".join(f"{key} {value:.4f}" for key, value in row.items()))
    if rows:
        keys = list(next(iter(rows.values())))
        mean = {key: float(np.mean([row[key] for row in rows.values()])) for key in keys}
        print(f"{f'mean of {len(rows)}':44s} " + "  ".join(f"{key} {value:.4f}" for key, value in mean.items()))


app = command(main)


if __name__ == "__main__":
    app()
