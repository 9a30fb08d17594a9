"""What a device holds of a portrait: all that does not change from frame to frame, uploaded once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.arrays import Array
from speechhead.generators.compact.eyes import Lid
from speechhead.generators.compact.generator import Source
from speechhead.generators.compact.meshwarp import topology
from speechhead.generators.compact.relief import RELIEF
from speechhead.generators.compact.room_light import TERMS

Tensors = dict[str, Tensor]

WIDTHS = 64
"""Steps of the sides of what is as large as a mouth or an eye is: portraits have few different ones, and few graphs."""


def moving_vertices() -> int:
    """How many of a `MeshWarp`'s vertices move with the face; the rest is the ring that stands still."""
    triangles, rings, _ = topology()
    return int(triangles[rings // 2 :].max()) + 1


@dataclass(frozen=True)
class HeldSource(Source):
    """A portrait, prepared once, and on a device.

    held: of the frame; balls, lids: of the two eyes, None where there is none
    """

    held: Tensors = field(default_factory=dict)
    balls: tuple[Tensors | None, ...] = (None, None)
    covers: tuple[Tensors | None, ...] = (None, None)


def hold(source: Source, device: torch.device) -> HeldSource:
    """A portrait with all of it on a device."""
    layers, inside, plate = source.layers, source.inside, source.lips.plate
    size = layers.background.shape[0]
    light = np.zeros((size // 2, size // 2), np.float32) if source.smile is None else source.smile.light
    held = {
        "person": _planes(layers.person),
        "background": _planes(layers.background),
        "light": light[None],
        "places": source.relief.places,
        "shades": np.zeros((RELIEF.resolution**2, TERMS), np.float32) if source.room is None else source.room.shades,
        "vertices": source.warper.source[: moving_vertices()],
        "lip_upper": _wide(_planes(plate.upper)),
        "lip_lower": _wide(_planes(plate.lower)),
        "lip_vertices": source.lips.vertices,
        "lower": _wide(_planes(inside.lower.colour)),
        "upper": _wide(_planes(inside.upper.colour)),
        "tones": inside.light.tone.table,
        **{name: value[0] for name, value in source.features.items()},
    }
    own = {name: getattr(source, name) for name in Source.__dataclass_fields__}
    eyes = [None if lid is None else _ball(lid) for lid in source.lids]
    covers = [None if lid is None else _cover(lid) for lid in source.lids]
    return HeldSource(
        **own,
        held=_on(held, device),
        balls=tuple(None if ball is None else _on(ball, device) for ball in eyes),
        covers=tuple(None if cover is None else _on(cover, device) for cover in covers),
    )


def _ball(lid: Lid) -> dict[str, Array] | None:
    ball = lid.ball
    if ball is None:
        return None
    there = np.ones(ball.white.shape[:2], np.float32)
    pictures = {"white": ball.white, "disc": ball.disc, "glint": ball.glint}
    return {name: _wide(_planes(picture)) for name, picture in pictures.items()} | {"there": _wide(there)}


def _cover(lid: Lid) -> dict[str, Array]:
    there = np.ones(lid.laid.shape, np.float32)
    maps = {"plate": _planes(lid.plate), "laid": lid.laid, "dome": lid.dome, "above": lid.above, "there": there}
    return {name: _wide(values) for name, values in maps.items()}


def _wide(values: Array) -> Array:
    """Maps [..., h, w] filled up with 0 to steps of `WIDTHS`."""
    more = [(0, 0)] * (values.ndim - 2) + [(0, -side % WIDTHS) for side in values.shape[-2:]]
    return np.pad(values, more)


def _planes(picture: Array | NDArray[np.uint8]) -> Array:
    return np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)


def _on(arrays: dict[str, Array], device: torch.device) -> Tensors:
    return {name: torch.tensor(value, dtype=torch.float32, device=device) for name, value in arrays.items()}
