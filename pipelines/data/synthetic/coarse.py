"""The head that the compact generator turns: the head model, coarse.

    python -m pipelines.data.synthetic.coarse ../shared/face3d weights/head.npz

All lengths are outer eye distances of the neutral head, from the point midway between its outer eye corners; axes as in
pictures. `vertices` [V, 3] and `triangles` [F, 3] are the outer skin; `rigid` [V] is how much of each moves with the
skull, 0..255; `points` [468, 3] are the tracker's mesh points on the neutral head. `vertex_modes` [I, V, 3] and
`point_modes` [I + E, 468, 3] are int8 modes, to be multiplied by `vertex_scale` and `point_scale`: I of identity, in
standard deviations, and E of expression.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines.command import command
from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32

from .correspondence import Correspondence
from .head import SKIN, Head, Integers

IDENTITIES = 20
"""Modes of identity, the largest."""

CELL, FINE = 0.11, 0.06
"""Sides of the cubes whose vertices become one, and of those at the ears."""

THROAT, NAPE, LONG = 1.30, 0.95, 0.9
"""Height at which the neck begins in front and behind, and how long it is."""

OTHERS = ("Pupil", "eyeLookIn", "eyeLookOut", "tongue")
"""Beginnings of expression modes that move no skin to speak of."""


def rigidity(places: Array) -> Array:
    """How much of places [V, 3] moves with the skull, 1 above the neck to 0 at its base; float32 [V]."""
    begins = THROAT + (NAPE - THROAT) * np.clip((places[:, 2] - 0.3) / 0.9, 0, 1)
    return np.asarray((1 - smoothstep32(places[:, 1] - begins, 0, LONG)) ** 2, np.float32)


def clustered(places: Array, triangles: Integers) -> tuple[Integers, Integers]:
    """Vertices [V, 3] that share a cube become one: the new number [V] of each, and the triangles [F, 3] left."""
    across, down, back = np.abs(places[:, 0]), places[:, 1], places[:, 2]
    ear = (across > 0.78) & (down > -0.2) & (down < 0.7) & (back > 0.4) & (back < 1.2)
    side = np.where(ear, FINE, CELL)[:, None]
    cubes = np.concatenate([np.round(places / side), ear[:, None]], 1)
    _, number = np.unique(cubes, axis=0, return_inverse=True)
    number = number.reshape(-1)
    fewer = number[triangles]
    whole = (fewer[:, 0] != fewer[:, 1]) & (fewer[:, 1] != fewer[:, 2]) & (fewer[:, 2] != fewer[:, 0])
    return number.astype(np.int32), np.unique(fewer[whole], axis=0).astype(np.int32)


def _quantised(modes: Array) -> tuple[np.ndarray[Any, Any], Array]:
    """int8 modes [M, N, 3] and their scales [M]."""
    scale = np.maximum(np.abs(modes).max((1, 2)), 1e-9) / 127
    return np.round(modes / scale[:, None, None]).astype(np.int8), scale.astype(np.float32)


def bake(head: Head) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of the file."""
    table = Correspondence.load()
    points = table.points(head.neutral)
    unit, origin = float(np.linalg.norm(points[33] - points[263])), (points[33] + points[263]) / 2
    used, triangles = np.unique(head.triangles[head.of(SKIN)], return_inverse=True)
    places = (head.neutral[used] - origin) / unit
    number, faces = clustered(places, triangles.reshape(-1, 3).astype(np.int32))
    count = np.bincount(number).astype(np.float32)

    def means(values: Array) -> Array:
        sums = [np.bincount(number, values[:, axis]) for axis in range(3)]
        return np.asarray(np.stack(sums, 1) / count[:, None], np.float32)

    vertices = means(places)
    identity = head.identity[:IDENTITIES] / unit
    kept = [i for i, name in enumerate(head.expression_names) if not name.startswith(OTHERS)]
    of_points = np.concatenate([identity, head.expression[kept] / unit])
    spread = np.stack([table.points(mode) for mode in of_points])
    point_modes, point_scale = _quantised(spread)
    vertex_modes, vertex_scale = _quantised(np.stack([means(mode[used]) for mode in identity]))
    return {
        "vertices": vertices.astype(np.float16),
        "triangles": faces.astype(np.uint16),
        "rigid": np.round(255 * rigidity(vertices)).astype(np.uint8),
        "points": ((points - origin) / unit).astype(np.float32),
        "vertex_modes": vertex_modes,
        "vertex_scale": vertex_scale,
        "point_modes": point_modes,
        "point_scale": point_scale,
    }


def main(
    head: Annotated[Path, typer.Argument(help="Folder of ict_facekit.npz.")],
    output: Annotated[Path, typer.Argument(help="File to write.")],
) -> None:
    """Write the file."""
    arrays: dict[str, Any] = bake(Head.load(head))
    np.savez_compressed(output, **arrays)
    sizes = f"{len(arrays['vertices'])} vertices, {len(arrays['triangles'])} triangles"
    print(f"{output}: {sizes}, {output.stat().st_size // 1024} KB")


app = command(main)


if __name__ == "__main__":
    app()
