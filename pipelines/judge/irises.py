"""Whether irises keep their hue when they look aside or half shut, and grey eyes stay grey.

python -m pipelines.judge.irises PICTURE... --json irises.json
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
from speechhead.face.landmarks import LEFT_EYE, RIGHT_EYE, to_pixels
from speechhead.generators.protocol import Generator
from speechhead.motion.gaze import turn_eyes

from .each import rows_of, told
from .lids import GREY_BELOW, chroma, closed

Picture = NDArray[np.uint8]

GAZES = ((-16.0, 0.0), (-8.0, 0.0), (8.0, 0.0), (16.0, 0.0), (0.0, -6.0), (0.0, 8.0), (10.0, 5.0))
"""Degrees aside and down of the looks at which irises are seen."""

CLOSURES = (0.2, 0.4)
"""Closures at which there is still an iris to see."""

RADIUS = 0.045
"""Of the part of an iris that is looked at, in outer eye distances."""

FEWEST = 8
"""Pixels of an iris that tell a hue."""

WINDOW = 1.6
"""Size of the window round an eye whose greyness is looked at, in widths of the eye."""


def poses(avatar: Avatar) -> list[Array]:
    """Landmarks [70, 3] of the looks and the half-shut eyes that are measured."""
    faces = [closed(avatar, closure) for closure in CLOSURES]
    for yaw, pitch in GAZES:
        face = closed(avatar, 0.0)
        turn_eyes(face, yaw, pitch)
        faces.append(face)
    return faces


def _pixels(avatar: Avatar, face: Array) -> Array:
    scale = avatar.box[2] / avatar.size
    return np.asarray(to_pixels(face, avatar.pose)[:, :2] * scale + avatar.box[:2], np.float32)


def irises(avatar: Avatar, face: Array) -> list[NDArray[np.bool_]]:
    """Pixels [H, W] of both irises of landmarks [70, 3] that the lids leave to be seen."""
    points, found = _pixels(avatar, face), []
    radius = RADIUS * avatar.pose.scale * avatar.box[2] / avatar.size
    for eye, iris in ((LEFT_EYE, 68), (RIGHT_EYE, 69)):
        disc, lids = (np.zeros(avatar.picture.shape[:2], np.uint8) for _ in range(2))
        centre = tuple(np.round(points[iris] * 16).astype(int).tolist())
        cv2.circle(disc, centre, max(16, round(radius * 16)), 1, -1, cv2.LINE_8, 4)
        cv2.fillPoly(lids, [np.round(points[eye] * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        found.append((disc & lids) > 0)
    return found


def colour(picture: Picture, mask: NDArray[np.bool_]) -> Array:
    """Median luma, Cr and Cb [3] of the pixels of a mask, levels."""
    return np.asarray(np.median(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)[mask], 0), np.float32)


def windows(avatar: Avatar) -> NDArray[np.bool_]:
    """Pixels [H, W] round both eyes."""
    points, mask = _pixels(avatar, avatar.neutral), np.zeros(avatar.picture.shape[:2], np.uint8)
    for eye in (LEFT_EYE, RIGHT_EYE):
        middle, half = points[eye].mean(0), WINDOW / 2 * float(np.ptp(points[eye][:, 0]))
        low, high = np.round(middle - half).astype(int), np.round(middle + half).astype(int)
        cv2.rectangle(mask, tuple(low.tolist()), tuple(high.tolist()), 1, -1)
    return mask > 0


def measure(avatar: Avatar, generator: Generator) -> dict[str, Any]:
    """Irises of one portrait over looks and half-shut eyes, against the portrait's own.

    `iris_hue`: mean distance of their chroma, levels; `iris_light`: of their luma; `iris_hue_worst`: the highest
    distance of chroma; `grey_eyes`, of a picture without hue: the highest 99th percentile of chroma round the eyes.
    """
    source = avatar.source(generator)
    home = [colour(avatar.picture, mask) for mask in irises(avatar, avatar.neutral) if mask.sum() >= FEWEST]
    if len(home) < 2:
        return {}
    hues, lights, greys, around = [], [], [], windows(avatar)
    plain = float(chroma(avatar.picture).mean()) < GREY_BELOW
    for face in [*poses(avatar), closed(avatar, 1.0)]:
        frame = avatar.paste(generator.render(source, face, avatar.pose))
        for own, mask in zip(home, irises(avatar, face)):
            if mask.sum() >= FEWEST:
                away = colour(frame, mask) - own
                hues.append(float(np.hypot(away[1], away[2])))
                lights.append(abs(float(away[0])))
        if plain:
            greys.append(float(np.percentile(chroma(frame)[around], 99)))
    row: dict[str, Any] = {}
    if hues:
        row |= {"iris_hue": float(np.mean(hues)), "iris_light": float(np.mean(lights)), "iris_hue_worst": max(hues)}
    if plain:
        row["grey_eyes"] = max(greys) - float(np.percentile(chroma(avatar.picture)[around], 99))
    return row


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Medians over portraits, the worst of the greys, and how many portraits there are."""
    names = ("iris_hue", "iris_light", "iris_hue_worst", "grey_eyes")
    found = {name: [row[name] for row in rows.values() if name in row] for name in names}
    result = {name: float(np.median(values)) for name, values in found.items() if values}
    if found["grey_eyes"]:
        result["grey_eyes_most"] = float(max(found["grey_eyes"]))
    return result | {"count": len(rows)}


def main(
    portraits: Annotated[list[str], typer.Argument(help="Pictures, or names of shipped avatars.")],
    output: Annotated[Path | None, typer.Option("--json", help="File to write, with a row per portrait.")] = None,
    size: Annotated[int, typer.Option(help="Largest side of the face in pixels.")] = 512,
    name: Annotated[str, typer.Option("--generator", help="Name of a generator.")] = "compact",
) -> None:
    """Measure, and print the summary."""
    rows = rows_of(portraits, size, name, measure)
    told(rows, summary(rows), output)


app = command(main)


if __name__ == "__main__":
    app()
