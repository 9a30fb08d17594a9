"""How far the lids close at a full blink, and what residue and hue it leaves behind.

python -m pipelines.judge.lids PICTURE... --json lids.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.face.landmarks import to_pixels
from speechhead.face.tracker import FaceTracker
from speechhead.generators.protocol import Generator
from speechhead.motion.blink import close_eyes
from speechhead.motion.gaze import turn_eyes
from speechhead.motion.rest import rest_face

from .each import rows_of, told
from .shut_eyes import openings, unopened

Picture = NDArray[np.uint8]

UPPER = ((36, 37, 38, 39), (42, 43, 44, 45))
"""iBUG points of the upper lids, outer to inner or inner to outer, whose line is the seam of shut eyes."""

SEAM, AROUND = 0.035, 0.09
"""Half heights of the band along a shut seam and of the lid around it, in outer eye distances."""

GLANCE = 12.0
"""Degrees of the glance aside after which the irises' hue is looked at."""

GREY_BELOW = 3.0
"""Mean chroma, in levels, of a picture without hue of its own."""


def closed(avatar: Avatar, closure: float) -> Array:
    """The avatar's landmarks [70, 3] at rest with the lids closed by 0..1, in normalised space."""
    face = rest_face(avatar.neutral).copy()
    close_eyes(face, closure)
    return face


def blink(avatar: Avatar, generator: Generator, closures: tuple[float, ...]) -> list[Picture]:
    """Frames of the full picture at these closures, the head still."""
    source = avatar.source(generator)
    return [avatar.paste(generator.render(source, closed(avatar, c), avatar.pose)) for c in closures]


def chroma(picture: Picture) -> Array:
    """Distance of each pixel's colour from grey [H, W], in levels of the two chroma channels of YCrCb."""
    parts = cv2.cvtColor(np.asarray(picture, np.uint8), cv2.COLOR_RGB2YCrCb).astype(np.float32)[..., 1:] - 128
    return np.asarray(np.hypot(parts[..., 0], parts[..., 1]), np.float32)


def tracked(tracker: FaceTracker, picture: Picture) -> tuple[float, float, float, float]:
    """Mean opening of both eyes that the tracker sees: in space, as seen in the picture, and as `gap` has it; and what
    of that in space is `unopened`.

    Between shut lids the tracker leaves a depth, more in a face that looks up or down; it is no opening.
    """
    landmarks = tracker.locate(picture).landmarks
    space, seen, apart = openings(landmarks)
    return float(space), float(seen), float(apart), float(unopened(landmarks))


def seams(avatar: Avatar) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels [H, W] of the picture on the seams of its shut eyes, and on the lids around them."""
    pixels = to_pixels(closed(avatar, 1.0), avatar.pose)[:, :2] * (avatar.box[2] / avatar.size) + avatar.box[:2]
    unit = avatar.pose.scale * avatar.box[2] / avatar.size
    masks = []
    for reach in (SEAM, AROUND):
        mask = np.zeros(avatar.picture.shape[:2], np.uint8)
        for lid in UPPER:
            line = np.round(pixels[list(lid)] * 16).astype(np.int32)
            cv2.polylines(mask, [line], False, 1, max(1, round(2 * reach * unit)), cv2.LINE_8, 4)
        masks.append(mask > 0)
    return masks[0], masks[1] & ~masks[0]


def residue(picture: Picture, avatar: Avatar) -> dict[str, float]:
    """What the seam of shut eyes differs by from the lid around it, in levels.

    `dark` is how much darker its darkest tenth is than the lid's, `bright` how much brighter its brightest tenth, and
    `hue` the mean chroma distance between the two.
    """
    seam, lid = seams(avatar)
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(np.float32)[..., 1:]
    away = np.linalg.norm(colours[seam] - np.median(colours[lid], 0), axis=-1)
    return {
        "dark": float(np.percentile(luma[lid], 10) - np.percentile(luma[seam], 10)),
        "bright": float(np.percentile(luma[seam], 90) - np.percentile(luma[lid], 90)),
        "hue": float(away.mean()),
    }


def irises(picture: Picture, avatar: Avatar, face: Array) -> Array:
    """Mean chroma [2] of the irises of the landmarks [70, 3] in a picture, levels of YCrCb."""
    points = to_pixels(face, avatar.pose)[68:, :2] * (avatar.box[2] / avatar.size) + avatar.box[:2]
    radius = 0.05 * avatar.pose.scale * avatar.box[2] / avatar.size
    mask = np.zeros(picture.shape[:2], np.uint8)
    for x, y in np.round(points * 16).astype(int).tolist():
        cv2.circle(mask, (x, y), max(16, round(radius * 16)), 1, -1, cv2.LINE_8, 4)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[mask > 0, 1:].mean(0), np.float32)


def measure(avatar: Avatar, generator: Generator, tracker: FaceTracker) -> dict[str, Any]:
    """Lids of one portrait: tracked openings at closures, as parts of the open ones; residue, hues.

    `half` and `shut` are tracked openings (both eyes' mean) at closures 0.5 and 1 over that at 0; `iris` is the
    distance in chroma, in levels, of the irises of a glance aside from the portrait's; `grey_lids` is the chroma in
    levels of the shut lids of a picture without hue. With `_seen`: of the opening as seen in the picture; with
    `_gap`: of `gap`. `unopened` is what of the open eyes' opening in space is aside and in depth.
    """
    still, half, shut = blink(avatar, generator, (0.0, 0.5, 1.0))
    face, aside = closed(avatar, 0.0), closed(avatar, 0.0)
    turn_eyes(aside, GLANCE, 0.0)
    glance = avatar.paste(generator.render(avatar.source(generator), aside, avatar.pose))
    opening, seen, height, aside_and_deep = tracked(tracker, still)
    ways = {"half": tracked(tracker, half), "shut": tracked(tracker, shut)}
    row: dict[str, Any] = {name: found[0] / opening for name, found in ways.items()}
    row |= {f"{name}_seen": found[1] / seen for name, found in ways.items()}
    row |= {f"{name}_gap": found[2] / height for name, found in ways.items()}
    row["unopened"] = aside_and_deep
    row["iris"] = float(np.linalg.norm(irises(glance, avatar, aside) - irises(avatar.picture, avatar, face)))
    row |= residue(shut, avatar)
    grey = float(chroma(avatar.picture).mean())
    seam, lid = seams(avatar)
    if grey < GREY_BELOW:
        row["grey_lids"] = float(np.percentile(chroma(shut)[seam | lid], 95))
    return row


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Medians over portraits, and how many pass 0.25, 0.4 and 0.5 of the open eye."""
    names = (
        "half",
        "shut",
        "half_seen",
        "shut_seen",
        "half_gap",
        "shut_gap",
        "unopened",
        "iris",
        "dark",
        "bright",
        "hue",
        "grey_lids",
    )
    found = {name: [row[name] for row in rows.values() if name in row] for name in names}
    means = {name: float(np.median(values)) for name, values in found.items() if values}
    counts = {
        f"{name}_over_{limit}": int((np.array(found[name]) > limit).sum())
        for name in ("shut", "shut_seen", "shut_gap")
        for limit in (0.25, 0.4, 0.5)
    }
    return means | counts | {"count": len(rows)}


def main(
    portraits: Annotated[list[str], typer.Argument(help="Pictures, or names of shipped avatars.")],
    output: Annotated[Path | None, typer.Option("--json", help="File to write, with a row per portrait.")] = None,
    size: Annotated[int, typer.Option(help="Largest side of the face in pixels.")] = 512,
    name: Annotated[str, typer.Option("--generator", help="Name of a generator.")] = "compact",
) -> None:
    """Measure, and print the summary."""
    tracker = FaceTracker()
    rows = rows_of(portraits, size, name, lambda avatar, generator: measure(avatar, generator, tracker))
    told(rows, summary(rows), output)


app = command(main)


if __name__ == "__main__":
    app()
