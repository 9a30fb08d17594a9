"""Make speechhead/face/topology.npz from MediaPipe's canonical face model (Apache-2.0).

python -m pipelines.make.face_topology mediapipe_canonical_468.obj
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines.command import command

IRIS_RADIUS = 0.585
"""Centimetres; the canonical face is in centimetres. The visible iris is 11.7 mm wide in nearly all people."""
RING = np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
"""Centre, then right, top, left, bottom in the image (x right, y down); the same for both eyes."""
CONTOURS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
)
"""Lid margins of the eye at the left and at the right of the image."""


def topology(obj: Path) -> dict[str, np.ndarray]:
    """Triangles int16 [F, 3] and the reference mesh float32 [478, 3] of `speechhead.face.landmarks`."""
    lines = [line.split() for line in obj.read_text().splitlines()]
    vertices = np.array([[float(v) for v in line[1:4]] for line in lines if line[:1] == ["v"]])
    corners = [[int(v.split("/")[0]) - 1 for v in line[1:4]] for line in lines if line[:1] == ["f"]]
    vertices *= [1, -1, -1]  # y down, z away from the camera
    irises = []
    for contour in CONTOURS:
        centre = vertices[list(contour)].mean(axis=0)
        ring = np.tile(centre, (5, 1))
        ring[:, :2] += RING * IRIS_RADIUS
        irises.append(ring)
    mesh = np.concatenate([vertices, *irises])
    left, right = mesh[33], mesh[263]
    mesh = (mesh - (left + right) / 2) / np.linalg.norm(right - left)
    return {"triangles": np.array(corners, np.int16), "reference": mesh.astype(np.float32)}


def main(
    obj: Annotated[Path, typer.Argument(help="mediapipe_canonical_468.obj")],
    target: Annotated[Path, typer.Argument(help="File to write.")] = Path("speechhead/face/topology.npz"),
) -> None:
    """Write the topology."""
    arrays: dict[str, Any] = {**topology(obj)}
    np.savez_compressed(target, **arrays)
    print(target)


app = command(main)


if __name__ == "__main__":
    app()
