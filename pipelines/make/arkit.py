"""Make speechhead/motion/arkit.npz: what ARKit's blendshapes do to landmarks, from ICT-FaceKit.

    python -m pipelines.make.arkit ../shared/face3d

ICT-FaceKit light (MIT) has expression modes with the names of ARKit's blendshapes. Each is read at the 68 landmark
vertices and turned into the project's normalised space as in `pipelines.make.emotion_basis`. Left out are those that
landmarks do not show (cheeks, tongue), and those of the gaze, which irises show better.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipelines.command import command
from pipelines.make.emotion_basis import landmark_modes
from speechhead.core.arrays import Array
from speechhead.face.landmarks import remove_pose
from speechhead.motion.arkit import FITTED, TABLE

SIDES = {"Left": "_L", "Right": "_R"}


def mode_of(name: str, modes: dict[str, Array]) -> Array:
    """The displacement [70, 3] of a blendshape: the kit's mode of its name, or of both its sides."""
    for word, side in SIDES.items():
        short = name.removesuffix(word) + side
        if name.endswith(word) and short in modes:
            return modes[short]
    return modes[name] if name in modes else modes[f"{name}_L"] + modes[f"{name}_R"]


def build(folder: Path) -> Array:
    """Displacements [K, 68, 3] of the blendshapes `FITTED`, outer eye distances."""
    neutral, modes = landmark_modes(folder)
    _, poses = remove_pose(neutral[None])
    to_normalised = np.asarray(poses[0].rotation, np.float32) / np.float32(poses[0].scale)  # rows: x @ R = R^T x
    return np.stack([(mode_of(name, modes) @ to_normalised)[:68] for name in FITTED]).astype(np.float32)


def main(
    face3d: Annotated[Path, typer.Argument(help="Folder with ict_facekit.npz and ict_vertex_indices.json.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")] = TABLE,
) -> None:
    """Write the displacement of every blendshape that is fitted."""
    np.savez_compressed(output, moves=build(face3d).astype(np.float16))
    print(output)


app = command(main)


if __name__ == "__main__":
    app()
