"""Portraits whose head is turned: how far it is seen to turn, and how calm its outline stays.

    python -m pipelines.judge.turn_sweep ../shared/portraits --names FILE --weights-before-rev REVISION

prints a line per portrait and the medians; `pipelines.evaluate --portraits` has the same in its report.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from pipelines.command import command
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, apply_pose
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.matte import Matte
from speechhead.generators.compact.meshwarp import OVAL
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.pose import drawn, turned

from . import earlier
from .clips import track
from .each import avatars_of
from .performers import performers
from .turn_bins import AXES, PARTS, slope

Row = dict[str, Any]

SIZE = 256
"""Side of the face crop in pixels."""

ASKED = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
"""Degrees asked of each axis, away from the portrait's own pose."""

FIGURES = {
    "yaw_slope": "turn to the side that is seen, over that asked",
    "pitch_slope": "nod that is seen, over that asked",
    "roll_slope": "tilt that is seen, over that asked",
    "at_15_mouth": "landmarks of the mouth at 15 degrees about each axis, px at 256",
    "at_15_eyes": "landmarks of the eyes at 15 degrees, px at 256",
    "at_0_mouth": "landmarks of the mouth straight on, px at 256",
    "at_0_eyes": "landmarks of the eyes straight on, px at 256",
    "edge_wobble": "trembling of the outline in a smooth turn, px at 256",
    "edge_worst": "the same of the worst twentieth of rays and frames",
}
"""Measures that are summed up, and what they are."""

TURN = np.arange(-12.0, 12.5, 1.0)
"""Degrees of yaw, frame by frame, of the turn in which the outline is watched: smooth, about a second long."""

WALLS = (60.0, 200.0)
"""Levels of the two flat walls before which the same turn is drawn: what differs shows what is not the person."""

RAYS = 64
"""Rays from the middle of the face, from ear to ear over the top of the head, along which the outline is found."""

FAN = (0.95 * np.pi, 2.05 * np.pi)
"""Angles of the first and the last ray; pi is image left, 1.5 pi up."""

STEP = 0.25
"""Pixels between places that are looked at on a ray."""


def axis_angles(axis: str, degrees: float) -> tuple[float, float, float]:
    """(yaw, pitch, roll) with one of them other than zero."""
    yaw, pitch, roll = (degrees * (axis == name) for name in AXES)
    return yaw, pitch, roll


def asked_and_seen(avatar: Avatar, generator: Generator, tracker: FaceTracker) -> Row:
    """What a tracker sees of turns about each axis.

    Returns
    -------
    `AXIS_slope`: seen over asked; `at_15_PART`, `at_0_PART`: error of the landmarks that are seen from those asked, px
    at 256, mean over turns of 15 degrees about every axis, and straight on; None where no face is seen.
    """
    source = avatar.source(generator)
    row: Row = {}
    errors: dict[float, list[Array]] = {0.0: [], 15.0: []}
    for axis in AXES:
        poses = [turned(avatar.pose, drawn(axis_angles(axis, degrees))) for degrees in ASKED]
        seen = track([generator.render(source, avatar.neutral, pose) for pose in poses], tracker)
        if seen is None or seen.found < 1:
            row[f"{axis}_slope"] = None
            continue
        row[f"{axis}_slope"] = slope(ASKED, seen.angles[:, AXES.index(axis)])
        for degrees, pose, found in zip(ASKED, poses, seen.landmarks):
            if abs(degrees) in errors:
                apart = np.linalg.norm((found - apply_pose(avatar.neutral[None], [pose])[0])[:, :2], axis=-1)
                errors[abs(degrees)].append(apart * 256 / avatar.size)
    for degrees, those in errors.items():
        for part, points in PARTS.items():
            values = [apart[points].mean() for apart in those]
            row[f"at_{degrees:g}_{part}"] = float(np.mean(values)) if values else None
    return row


def before_walls(avatar: Avatar, matte: Matte) -> list[Picture]:
    """The portrait's person before each of WALLS, uint8 [S, S, 3]."""
    layers = matte(avatar.crop, avatar.mesh)
    person = layers.person[:: layers.density, :: layers.density, :3]
    behind = 1 - layers.alpha[..., None]
    return [np.clip(np.round(person + behind * np.float32(level)), 0, 255).astype(np.uint8) for level in WALLS]


def mattes(avatar: Avatar, generator: Generator, matte: Matte, poses: Iterable[Pose]) -> list[Array]:
    """How much of each pixel of the rendered pictures is the person, float32 [S, S] in 0..1, for every pose.

    From pictures before two walls (triangulation matting: Smith and Blinn, 1996), so that no segmentation, with a
    noise of its own, looks at what is judged.
    """
    sources = [generator.prepare(crop, avatar.mesh) for crop in before_walls(avatar, matte)]
    found = []
    for pose in poses:
        dark, light = (generator.render(s, avatar.neutral, pose).astype(np.float32).mean(-1) for s in sources)
        found.append(np.clip(1 - (light - dark) / np.float32(WALLS[1] - WALLS[0]), 0, 1))
    return found


def outline(alpha: Array, centre: Array) -> Array:
    """Length [RAYS] of the person along each ray from the centre (x, y), in pixels of `alpha` [S, S]."""
    directions = np.linspace(*FAN, RAYS)
    reach = np.arange(0.0, len(alpha), STEP)
    x, y = (centre[k] + np.outer(part(directions), reach) for k, part in enumerate((np.cos, np.sin)))
    places = (x.astype(np.float32), y.astype(np.float32))
    there = cv2.remap(alpha, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (x >= 0) & (x < len(alpha)) & (y >= 0) & (y < len(alpha))
    return np.asarray((there * inside).sum(1) * STEP, np.float32)


def wobble(lengths: Array) -> float:
    """Mean absolute second difference over time of an outline [T, RAYS]: none of one that moves steadily."""
    return float(np.abs(np.diff(lengths, n=2, axis=0)).mean())


def edge_wobble(avatar: Avatar, generator: Generator, matte: Matte) -> Row:
    """How the outline of hair, ears and hat trembles while the head turns smoothly.

    Returns
    -------
    `edge_wobble`: mean absolute second difference of the outline over time, px per frame squared at 256; `edge_worst`:
    that of the worst twentieth of rays and frames begins there
    """
    centre = avatar.mesh[OVAL, :2].mean(0)
    poses = [turned(avatar.pose, drawn((yaw, 0.0, 0.0))) for yaw in TURN]
    lengths = np.stack([outline(alpha, centre) for alpha in mattes(avatar, generator, matte, poses)])
    lengths *= np.float32(256 / avatar.size)
    worst = float(np.percentile(np.abs(np.diff(lengths, n=2, axis=0)), 95))
    return {"edge_wobble": wobble(lengths), "edge_worst": worst}


def measure(avatar: Avatar, generator: Generator, tracker: FaceTracker, matte: Matte) -> Row:
    """All of one portrait."""
    return asked_and_seen(avatar, generator, tracker) | edge_wobble(avatar, generator, matte)


def medians(rows: Sequence[Mapping[str, Any]]) -> Row:
    """Median over portraits of each of FIGURES."""
    kept = {name: [row[name] for row in rows if row.get(name) is not None] for name in FIGURES}
    return {name: float(np.median(values)) if values else None for name, values in kept.items()}


def main(
    folder: Annotated[Path, typer.Argument(help="Portraits.")],
    names: Annotated[Path, typer.Option(help="Names of those to measure, one a line.")],
    weights_before_rev: Annotated[str | None, typer.Option(help="A git revision, as 'earlier'.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Also write every portrait's row.")] = None,
) -> None:
    """Print every portrait's figures and their medians."""
    cv2.setNumThreads(1)
    tracker, matte = FaceTracker(threads=1), Matte(1)
    rows: dict[str, dict[str, Row]] = {}
    with earlier.unpacked(weights_before_rev) if weights_before_rev else nullcontext() as place:
        acting = {name: one.generator(SIZE) for name, one in performers("compact", None, place).items()}
        for name, avatar in avatars_of(folder, names.read_text(encoding="utf-8").split(), SIZE):
            for method, generator in acting.items():
                row = measure(avatar, generator, tracker, matte)
                rows.setdefault(method, {})[name] = row
                print(f"{name[:34]:34} {method:7} {json.dumps({k: v and round(v, 3) for k, v in row.items()})}")
    if output:
        output.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    for method, found in rows.items():
        print(f"\n{method}: {json.dumps({k: v and round(v, 3) for k, v in medians(list(found.values())).items()})}")


app = command(main)


if __name__ == "__main__":
    app()
