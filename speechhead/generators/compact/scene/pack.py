"""A prepared portrait into a scene: what can not be worked out from the rest of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.generators.compact.eyes import Lid
from speechhead.generators.compact.generator import Source
from speechhead.generators.compact.moment_scene import held_numbers
from speechhead.generators.compact.windows import WINDOWS

from .file import SceneWriter

NUMBERS = "numbers."
"""Before the names of the arrays that the few numbers of a frame are worked out from."""

BYTE = 1 / 255


def packed(source: Source) -> SceneWriter:
    """All that is drawn from, of a portrait; what is told about it, and where it lies in its picture, may be added."""
    layers, plate, scene = source.layers, source.lips.plate, SceneWriter()
    numbers, arrays = held_numbers(source)
    scene.told = {
        "size": len(source.crop),
        "fps": FPS,
        "density": layers.density,
        "numbers": numbers,
        "plate": {"origin": [int(at) for at in plate.origin], "density": plate.density},
        "smile": numbers["smile"],
        "lids": [lid and _told(lid) for lid in source.lids],
    }
    for name, array in arrays.items():
        scene.put(NUMBERS + name, array)
    scene.put_picture("crop", source.crop)
    scene.put_picture("alpha", layers.alpha, BYTE)
    scene.put_picture("behind", _different(layers.background, source.crop))
    x, y = plate.origin
    for name, lip in (("upper", plate.upper), ("lower", plate.lower)):
        own = lip[:: plate.density, :: plate.density]
        scene.put_picture(f"plate_{name}", _different(own, source.crop[y : y + len(own), x : x + own.shape[1]]))
    scene.put("lip_vertices", source.lips.vertices)
    scene.put("tones", source.inside.light.tone.table)
    scene.put("lip_colour", source.inside.light.lips)
    for name, row in (("lower", source.inside.lower), ("upper", source.inside.upper)):
        scene.put_picture(name, row.colour)
    if source.smile is not None:
        step = float(np.abs(source.smile.light).max()) / 127
        scene.put_picture("light", source.smile.light, step, -128 * step)
    scene.put_steps("depth", source.relief.depth, np.int16)
    scene.put_steps("rigid", source.relief.rigid, np.int16)
    if source.relief.goes is not None:
        scene.put_steps("goes", source.relief.goes, np.int16)
    scene.put("inside", source.relief.inside.astype(np.uint8))
    if source.room is not None:
        scene.put_steps("lit", source.room.share, np.uint8)
    _features(scene, source.features)
    for number, lid in enumerate(source.lids):
        if lid is not None:
            _eye(scene, number, lid)
    return scene


def _told(lid: Lid) -> dict[str, Any]:
    return {"loop": list(map(int, lid.loop)), "iris": int(lid.iris), "ball": lid.ball is not None}


def _different(picture: NDArray[np.uint8], crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [h, w, 3] with black where it is the crop; what is black of itself becomes a shade lighter."""
    same = (picture == crop).all(-1, keepdims=True)
    return np.where(same, 0, np.maximum(picture, picture.max(-1, keepdims=True) == 0)).astype(np.uint8)


def _features(scene: SceneWriter, features: dict[str, Array]) -> None:
    for name in WINDOWS:
        scene.put_picture(f"{name}_picture", features[f"{name}_source"][0].transpose(1, 2, 0), BYTE)
        scene.put_steps(f"{name}_source_shapes", features[f"{name}_source_shapes"][0], np.uint8, BYTE)
        for level in ("quarter", "eighth"):
            scene.put(f"{name}_{level}", features[f"{name}_{level}"][0].astype(np.float16))


def _eye(scene: SceneWriter, number: int, lid: Lid) -> None:
    ball = lid.ball
    pictures = {"plate": lid.plate, "laid": lid.laid, "dome": lid.dome, "above": lid.above}
    for name, picture in pictures.items():
        scene.put_picture(f"lids.{number}.{name}", picture, _step(picture))
    if ball is not None:
        for name, picture in {"white": ball.white, "disc": ball.disc, "glint": ball.glint}.items():
            scene.put_picture(f"balls.{number}.{name}", picture, _step(picture))


def _step(picture: Array) -> float:
    """The finest of 255 steps from 0 on that reach the largest value."""
    return max(float(picture.max()), 1e-6) / 255
