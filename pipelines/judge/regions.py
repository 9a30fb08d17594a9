"""Where a picture's error lies: L1 of face, hair and the rest, beside the warp and a copy.

    python -m pipelines.judge.regions runs/data/val CLIP [CLIP ...]

for prepared clips (`pipelines.data.prepare`), every tenth frame, driven by their own landmarks from their first frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.face.landmarks import from_mesh, remove_pose, to_normalised
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.meshwarp import OVAL, WARP, MeshWarp, upsample

EVERY = 10
"""Frames from one that is measured to the next."""

METHODS = ("ours", "warp", "copy")


def regions(mesh: NDArray[np.float32], height: int, width: int | None = None) -> dict[str, NDArray[np.bool_]]:
    """Masks [height, width] of the face, of hair and ears around it, and of body and background, for a mesh [478, 3].

    The picture is square if no width is given.
    """
    oval = mesh[OVAL, :2]
    centre = oval.mean(0)

    def filled(points: NDArray[np.float32]) -> NDArray[np.bool_]:
        return cv2.fillPoly(np.zeros((height, width or height), np.uint8), [np.round(points).astype(np.int32)], 1) > 0

    face, head = filled(oval), filled(centre + (oval - centre) * WARP.head_ring)
    return {"face": face, "hair and ears": head & ~face, "body and background": ~head}


def measure(folder: Path, clip: str) -> dict[str, list[float]]:
    """By region: L1 in grey levels of ours, warp and copy, and the region's share of the picture."""
    arrays = np.load(folder / f"{clip}.npz")
    frames, rows, meshes = np.load(folder / f"{clip}.npy", mmap_mode="r"), arrays["index"], arrays["mesh"]
    size = frames.shape[1]
    generator = CompactGenerator.load(size, threads=1)
    source = generator.prepare(np.ascontiguousarray(frames[rows[0]]), meshes[0])
    warper = MeshWarp(source.canonical, source.pose, size)
    landmarks, poses = remove_pose(from_mesh(meshes))
    found: dict[str, list[list[float]]] = {}
    for row in range(0, len(meshes), EVERY):
        truth, pose = np.asarray(frames[rows[row]]).astype(int), poses[row]
        flow, _ = warper.flow(to_normalised(meshes[row], pose), pose)
        pictures = (generator.render(source, landmarks[row], pose), upsample(source.crop, flow), source.crop)
        for name, mask in regions(meshes[row], size).items():
            errors = [float(np.abs(picture.astype(int) - truth)[mask].mean()) for picture in pictures]
            found.setdefault(name, []).append([*errors, float(mask.mean())])
    return {name: np.mean(values, 0).tolist() for name, values in found.items()}


def main(
    folder: Annotated[Path, typer.Argument(help="Prepared clips.")],
    clips: Annotated[list[str], typer.Argument(help="Their names, without suffix.")],
) -> None:
    """Print a table: mean over the clips."""
    cv2.setNumThreads(1)
    measured = [measure(folder, clip) for clip in clips]
    print("| region | " + " | ".join(METHODS) + " | share of the picture |")
    print("| --- | --: | --: | --: | --: |")
    for name in measured[0]:
        values = np.mean([one[name] for one in measured], 0)
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")


app = command(main)


if __name__ == "__main__":
    app()
