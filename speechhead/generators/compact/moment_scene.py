"""What of a prepared portrait the few numbers of its frames are worked out from, for who draws without Python.

`device.moment` works them out here, `client/draw/moment.js` of the server does in a browser.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from speechhead.core.arrays import Array
from speechhead.motion.rest import SMILE, rest_system

from .eyes import Lid
from .generator import Source
from .rest_plate import CORNERS, NOSE

HABITS = "upper", "lower", "tongue", "jaw", "bite"
"""What a `Habit` tells, in the order in which it is held."""

Told = dict[str, Any]
"""Numbers and flags, as JSON may hold them."""


def held_numbers(source: Source) -> tuple[Told, dict[str, Array]]:
    """Numbers by name, as JSON may hold them, and arrays float32 by name: about 25 kB."""
    inside, plate = source.inside, source.lips.plate
    tall, broad = plate.upper.shape[:2]
    habit = inside.habit
    told = {
        "size": source.relief.size,
        "scale": float(source.scale),
        "rest_width": source.rest_width,
        "lips": {"parted": float(plate.parted), "soft": float(source.lips.soft), "width": broad, "height": tall},
        "inside": {
            "bite": float(inside.bite),
            "unit": float(inside.unit),
            "soft": float(inside.soft),
            "most": float(inside.light.most),
            "hue": inside.light.hue.tolist(),
            "grey": float(inside.grey),
            "habit": habit and [float(getattr(habit, name)) for name in HABITS],
            "jaw_share": 1.0 if habit is None else float(habit.jaw_share),
            "overgrown": float(inside.overgrown),
        },
        "smile": source.smile and {"smile": float(source.smile.smile), "rest": float(source.smile.rest)},
        "lids": [lid and _eye(lid) for lid in source.lids],
        "worn": "worn" in source.relief.held(),
        "room": source.room and [float(value) for value in source.room.light],
    }
    arrays = {
        "canonical": source.canonical,
        "rotation": source.rotation,
        "translation": source.translation,
        "seen": source.seen,
        **source.relief.held(),
        **source.warper.held(),
        "lip_tone": plate.line,
        "rest": inside.rest,
        "skin": inside.light.skin,
        "white": inside.white,
        "lower_row": np.array([inside.lower.curve, *inside.lower.edge]),
        "upper_row": np.array([inside.upper.curve, *inside.upper.edge]),
        "smile_way": rest_system()[2][SMILE][CORNERS] - rest_system()[2][SMILE][NOSE],
    }
    for number, lid in enumerate(source.lids):
        arrays |= {} if lid is None else {f"lid{number}_{name}": part for name, part in _parts(lid).items()}
    return told, {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _eye(lid: Lid) -> Told:
    height, width = lid.laid.shape
    ball = lid.ball and {
        "width": lid.ball.white.shape[1],
        "height": lid.ball.white.shape[0],
        "unit": float(lid.ball.unit),
        "soft": float(lid.ball.soft),
    }
    lengths = {"breadth": float(lid.breadth), "unit": float(lid.unit), "soft": float(lid.soft)}
    return {"width": width, "height": height, **lengths, "ball": ball}


def _parts(lid: Lid) -> dict[str, Array]:
    named = ("points", "matrix", "upper", "lower", "sag", "line", "dark", "home")
    parts = {name: getattr(lid, name) for name in named}
    if lid.ball is not None:
        parts |= {"ball_corner": lid.ball.corner, "ball_centre": lid.ball.centre}
    return parts
