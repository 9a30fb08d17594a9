"""Make `mediapipe_on_ict.npz`: where the tracker sees its mesh points on drawn heads.

    python -m pipelines.data.synthetic.calibrate --face3d ../shared/face3d --portraits ../shared/portraits

A first table comes from geometry. With it portraits are fitted and drawn with expressions and poses; the tracker looks
at the pictures; every point that it finds lies on a triangle that is known exactly. The median over pictures, in the
neutral head's space, is the point's new place. Points of the lips and of the lids' edges stay where geometry put them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track as progress

from pipelines.command import command
from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError
from speechhead.face.mirror import FLIP, MESH_MIRROR
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.meshwarp import (
    EYE_LEFT,
    EYE_RIGHT,
    LOWER_INNER_LIP,
    OUTER_LIP,
    OVAL,
    UPPER_INNER_LIP,
)

from .correspondence import POINTS, TABLE, Correspondence, initial, nearest
from .dataset import portrait_motion, read_portraits
from .head import SKIN, Head
from .portrait import Rig, prepare
from .render import FINE, Frame, HeadRenderer

_LIPS = {76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408}
_LIPS |= {62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407}
_FIXED = sorted({*UPPER_INNER_LIP, *LOWER_INNER_LIP, *OUTER_LIP, *_LIPS, *EYE_LEFT, *EYE_RIGHT})
"""Points of the lips and of the lids' edges: where they lie on skin is known better from geometry."""


def hits(rig: Rig, frame: Frame, mesh: Array) -> Array:
    """Places [468, 3] on the neutral head under tracked points of a drawn frame; NaN where there is no skin."""
    fine = np.round(mesh[:POINTS, :2] * FINE + (FINE - 1) / 2).astype(int)
    height, width = frame.index.shape
    inside = ((fine >= 0) & (fine < [width, height])).all(1)
    x, y = np.clip(fine, 0, [width - 1, height - 1]).T
    triangle = frame.index[y, x]
    weights = frame.weights[y, x]
    weights = np.concatenate([weights, 1 - weights.sum(1, keepdims=True)], 1)
    places = np.einsum("pc,pcx->px", weights, rig.head.neutral[rig.head.triangles[rig.shell[triangle]]])
    good = inside & (triangle >= 0) & (rig.head.part[rig.shell[triangle]] == SKIN)
    return np.where(good[:, None], places, np.nan).astype(np.float32)


def main(
    face3d: Annotated[Path, typer.Option(help="Folder of the head model.")],
    portraits: Annotated[Path, typer.Option(help="Folder of portraits to draw.")],
    count: Annotated[int, typer.Option(help="How many portraits.")] = 40,
    rounds: Annotated[int, typer.Option(help="Fits with an improved table.")] = 2,
    output: Annotated[Path, typer.Option(help="The table.")] = TABLE,
) -> None:
    """Calibrate the tracker's mesh on the head model."""
    head = Head.load(face3d)
    table = initial(head)
    tracker = FaceTracker(threads=1)
    found = list(read_portraits(portraits, tracker))
    found = found[:: max(1, len(found) // count)]
    random = np.random.default_rng(0)
    for _ in range(rounds):
        rig = Rig(head, table)
        renderer = HeadRenderer()
        seen = []
        for source, image, mesh in progress(found, "Looking"):
            try:
                portrait = prepare(rig, image, mesh, random, source.file, largest_error=9.0)
            except FaceError:
                continue
            motion = portrait_motion(portrait, random, 4)
            motion.angles[:] = motion.angles * 0.6  # a turned head hides what is to be found
            for t in range(len(motion)):
                frame = renderer.draw(portrait, motion, t)
                face = tracker.faces(frame.image)
                if face:
                    seen.append(hits(rig, frame, face[0].mesh))
        table = refine(head, table, np.stack(seen))
    table.save(output)
    print(f"{output}: {POINTS} points, {output.stat().st_size} bytes")


def refine(head: Head, table: Correspondence, seen: Array) -> Correspondence:
    """A new table from places [N, 468, 3] on the neutral head, the two sides of the face made equal."""
    places = np.nanmedian(seen, axis=0)
    known = np.isfinite(seen).all(2).mean(0) > 0.3
    old = table.points(head.neutral)
    places = np.where(known[:, None], places, old)
    keep = np.isin(np.arange(POINTS), _FIXED)
    places[keep] = old[keep]
    outline = np.isin(np.arange(POINTS), OVAL)
    places[outline] = (places[outline] + old[outline]) / 2  # seen from the side: half believed
    both = (places + places[MESH_MIRROR[:POINTS]] * FLIP) / 2
    new = nearest(head, both.astype(np.float32))
    new.corners[keep], new.weights[keep] = table.corners[keep], table.weights[keep]
    return new


app = command(main)


if __name__ == "__main__":
    app()
