"""The teeth that the compact generator lays into open mouths, drawn from the head model's.

    python -m pipelines.data.synthetic.denture ../shared/face3d weights/teeth.npz

`upper` and `lower` are uint8 [h, w, 4] pictures from the front, in even white light, with opacity: teeth and gums that
stand still in the skull, teeth, gums and tongue that go with the jaw. `unit` is the pixels of an outer eye distance,
`*_edge` the pixel of the edge between the middle teeth, `*_curve` how far the arch lies back at a distance of 1 from
there, in outer eye distances.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.core.arrays import Array

from .head import GUMS, TEETH, Head, pieces
from .interior import paint
from .raster import Buffer

DENSITY = 32
"""Pixels per centimetre."""

FINE = 3
"""Samples per pixel and side."""

WIDE = 2.0
"""Distance from the middle, centimetres, up to which the arch is fitted by a parabola."""

HEIGHTS = {"upper": (1.3, 3.8), "lower": (2.7, 5.4)}
"""What is drawn of each row, centimetres of the model's height."""

HALF = 3.3
"""Half of what is drawn of its breadth."""

WARM = np.array([1.0, 0.985, 0.945], np.float32)
"""Colour of teeth beside what is white."""

SEED = 3
"""Of the tooth's shade and the gum's colour."""


def bake(head: Head) -> dict[str, NDArray[Any]]:
    """The arrays of the file, see the module."""
    neutral = head.neutral.astype(np.float32)
    unit = float(np.linalg.norm(neutral[head.landmarks[36]] - neutral[head.landmarks[45]]))
    white = np.full(3, 235, np.float32)
    colours = paint(head, np.random.default_rng(SEED), white, 1.0, np.ones(3, np.float32), shown=True)
    middle = neutral[head.triangles].mean(1)
    lips = float(neutral[head.landmarks[[62, 66]], 1].mean())
    colours[np.unique(head.triangles[head.part == TEETH])] *= WARM
    out: dict[str, NDArray[Any]] = {"unit": np.float32(unit * DENSITY)}
    for name, (top, bottom) in HEIGHTS.items():
        upper = name == "upper"
        # Upper teeth end below the line of the lips, lower ones above it: whole teeth are told by their roots.
        teeth = _row(head, lips, upper)
        soft = middle[:, 1] < lips - 0.7 if upper else middle[:, 1] > lips + 0.4
        gums = (head.part == GUMS) & soft
        picture, depth = _draw(neutral, head.triangles[teeth | gums], colours, top, bottom)
        rows = np.unique(head.triangles[teeth])
        front = rows[np.abs(neutral[rows, 0]) < 0.9]
        edge = neutral[front, 1].max() if upper else neutral[front, 1].min()
        out[name] = picture
        out[f"{name}_edge"] = np.array([HALF * DENSITY, (edge - top) * DENSITY], np.float32)
        out[f"{name}_curve"] = np.float32(_curve(depth) * unit)
    return out


def _row(head: Head, lips: float, upper: bool) -> NDArray[np.bool_]:
    """Triangles [F] of the teeth of one row."""
    teeth = np.flatnonzero(head.part == TEETH)
    t = head.triangles[teeth]
    label = pieces(t, len(head.neutral))
    wanted = np.zeros(len(head.part), bool)
    for tooth in np.unique(label[t[:, 0]]):
        own = teeth[label[t[:, 0]] == tooth]
        heights = head.neutral[np.unique(head.triangles[own]), 1]
        wanted[own] = ((heights.min() + heights.max()) / 2 < lips) == upper
    return wanted


def _draw(
    neutral: Array, triangles: NDArray[Any], colours: Array, top: float, bottom: float
) -> tuple[NDArray[Any], Array]:
    """A picture from the front [h, w, 4], and the depth [h, w] in centimetres, not a number where nothing is."""
    fine = DENSITY * FINE
    height, width = round((bottom - top) * fine), round(2 * HALF * fine)
    places = (neutral - np.array([-HALF, top, 0], np.float32)) * fine
    buffer = Buffer(height, width)
    seen = buffer.draw(np.ascontiguousarray(places, np.float32), triangles)
    hit = seen.index >= 0
    corners = triangles[np.maximum(seen.index, 0)]
    share = np.concatenate([seen.weights, 1 - seen.weights.sum(-1, keepdims=True)], -1)
    colour = (colours[corners] * share[..., None]).sum(-2)
    whole = np.dstack([colour * hit[..., None], 255.0 * hit]).astype(np.float32)
    small = np.asarray(cv2.resize(whole, (width // FINE, height // FINE), interpolation=cv2.INTER_AREA), np.float32)
    small[..., :3] /= np.maximum(small[..., 3:], 1) / 255
    depth = np.where(hit, (neutral[corners][..., 2] * share).sum(-1), np.nan)
    return np.clip(small + 0.5, 0, 255).astype(np.uint8), np.asarray(depth[::FINE, ::FINE], np.float32)


def _curve(depth: Array) -> float:
    """Of the parabola through the foremost depths: z = curve x^2, both in centimetres."""
    x = (np.arange(depth.shape[1]) + 0.5) / DENSITY - HALF
    known = np.isfinite(depth).any(0) & (np.abs(x) < WIDE)
    foremost = np.nanmin(depth[:, known], axis=0)
    return float(np.polyfit(x[known] ** 2, foremost, 1)[0])


def main(
    head: Annotated[Path, typer.Argument(help="Folder of ict_facekit.npz.")],
    output: Annotated[Path, typer.Argument(help="File to write.")],
) -> None:
    """Write the file."""
    arrays: dict[str, Any] = {**bake(Head.load(head))}
    np.savez_compressed(output, **arrays)
    print(f"{output}: {output.stat().st_size // 1024} KB")


app = command(main)


if __name__ == "__main__":
    app()
