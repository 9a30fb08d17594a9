"""How far the face tracker is from the exact mesh on drawn frames.

python -m pipelines.data.synthetic.agreement --face3d ../shared/face3d --portraits ../shared/portraits
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines.command import command
from speechhead.core.errors import FaceError
from speechhead.face.landmarks import BROWS, IRISES, JAW, LEFT_EYE, NOSE, RIGHT_EYE, from_mesh, mouth_opening
from speechhead.face.tracker import FaceTracker

from .dataset import portrait_motion, read_portraits, seed_of
from .portrait import Rig, prepare
from .render import HeadRenderer

_GROUPS = {
    "jaw": np.r_[JAW],
    "brows": np.r_[BROWS],
    "nose": np.r_[NOSE],
    "eyes": np.r_[LEFT_EYE, RIGHT_EYE],
    "outer lips": np.r_[48:60],
    "inner lips": np.r_[60:68],
    "irises": np.r_[IRISES],
}


def main(
    face3d: Annotated[Path, typer.Option(help="Folder of the head model.")],
    portraits: Annotated[Path, typer.Option(help="Folder of portraits.")],
    every: Annotated[int, typer.Option(help="Take every so many portraits.")] = 10,
    frames: Annotated[int, typer.Option(help="Frames of each.")] = 4,
) -> None:
    """Print mean distances in pixels at 256, by part of the face, as JSON."""
    rig, renderer, tracker = Rig.load(face3d), HeadRenderer(), FaceTracker(threads=1)
    offs, openings, lost = [], [], 0
    for source, image, mesh in list(read_portraits(portraits, tracker))[::every]:
        random = seed_of(source.file, 1)
        try:
            portrait = prepare(rig, image, mesh, random, source.file)
        except FaceError:
            continue
        motion = portrait_motion(portrait, random, frames)
        for t in range(frames):
            frame = renderer.draw(portrait, motion, t)
            faces = tracker.faces(frame.image)
            if not faces:
                lost += 1
                continue
            exact, tracked = from_mesh(frame.mesh), faces[0].landmarks
            offs.append(tracked[:, :2] - exact[:, :2])
            openings.append([float(mouth_opening(points)) for points in (exact, tracked)])
    off = np.stack(offs)
    opening = np.array(openings)
    distance = np.linalg.norm(off, axis=-1)
    slope, offset = np.polyfit(opening[:, 0], opening[:, 1], 1)
    report: dict[str, Any] = {name: round(float(distance[:, rows].mean()), 2) for name, rows in _GROUPS.items()}
    for name, rows in _GROUPS.items():
        report[f"{name}, mean (x, y)"] = [round(float(mean), 2) for mean in off[:, rows].mean((0, 1))]
    report |= {
        "all": round(float(distance.mean()), 2),
        "frames": len(off),
        "lost": lost,
        "mouth opening, correlation": round(float(np.corrcoef(opening.T)[0, 1]), 3),
        "mouth opening, slope": round(float(slope), 3),
        "mouth opening, offset": round(float(offset), 3),
    }
    print(json.dumps(report, indent=1))


app = command(main)


if __name__ == "__main__":
    app()
