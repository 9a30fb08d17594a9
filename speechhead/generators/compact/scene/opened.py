"""A scene as a prepared portrait again, to draw from: what a browser draws from, in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose, to_pixels
from speechhead.generators.compact.eyeball import Eyeball
from speechhead.generators.compact.eyes import Lid
from speechhead.generators.compact.generator import Source
from speechhead.generators.compact.habit import Habit
from speechhead.generators.compact.lips import LipSheets
from speechhead.generators.compact.matte import Layers
from speechhead.generators.compact.meshwarp import MeshWarp
from speechhead.generators.compact.mouth_light import MouthLight, Tone
from speechhead.generators.compact.plate import Plate, dense
from speechhead.generators.compact.relief import Raise, Relief
from speechhead.generators.compact.rest_plate import RestPlate
from speechhead.generators.compact.room_light import RoomLight
from speechhead.generators.compact.row import Row
from speechhead.generators.compact.teeth import Inside
from speechhead.generators.compact.windows import WINDOWS

from .file import SceneFile, Told
from .pack import NUMBERS

FEATURES = ("source_shapes", "quarter", "eighth")


def from_scene(data: bytes) -> Source:
    """The portrait of a scene as `CompactGenerator.prepare` gives it, but for the rounding of pictures.

    Raises
    ------
    ImageError for a file that is no scene, is damaged or is of a newer version.
    """
    scene = SceneFile(data)
    numbers, told = scene.within(NUMBERS), scene.told["numbers"]
    size, scale = scene.told["size"], told["scale"]
    pose = Pose(numbers["rotation"], numbers["translation"], scale)
    canonical = numbers["canonical"]
    crop = _bytes(scene.array("crop"))
    raising = Raise(numbers["front"], numbers["outwards"], numbers.get("worn"))
    solid, goes = (scene.array("depth"), scene.array("rigid")), scene.array("goes") if "goes" in scene else None
    relief = Relief(solid, raising, to_pixels(canonical, pose), pose, size, goes)
    smile, light = scene.told["smile"], told.get("room")
    return Source(
        crop=crop,
        layers=Layers.of(crop, scene.array("alpha"), over(scene.array("behind"), crop)),
        canonical=canonical,
        rotation=pose.rotation,
        translation=pose.translation,
        scale=scale,
        features=_features(scene),
        inside=_inside(scene, numbers, told["inside"]),
        lips=LipSheets(_plate(scene, numbers, crop), scene.array("lip_vertices"), told["lips"]["soft"]),
        seen=numbers["seen"],
        warper=MeshWarp(relief.raised(canonical, pose), pose, size),
        relief=relief,
        lids=tuple(_lid(scene, numbers, number) for number in (0, 1)),
        smile=smile and RestPlate.of(scene.array("light"), smile["smile"], smile["rest"]),
        room=light and RoomLight(light, scene.array("lit"), relief.depth, size, pose.rotation),
    )


def over(picture: Array, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [h, w, 3] whose black is the crop's [h, w, 3]."""
    return np.where(picture.any(-1, keepdims=True), _bytes(picture), crop)


def _bytes(picture: Array) -> NDArray[np.uint8]:
    return np.round(picture).astype(np.uint8)


def _features(scene: SceneFile) -> dict[str, Array]:
    found = {f"{name}_{part}": scene.array(f"{name}_{part}") for name in WINDOWS for part in FEATURES}
    for name in WINDOWS:
        found[f"{name}_source"] = np.ascontiguousarray(scene.array(f"{name}_picture").transpose(2, 0, 1))
    return {name: array[None] for name, array in found.items()}


def _plate(scene: SceneFile, numbers: dict[str, Array], crop: NDArray[np.uint8]) -> Plate:
    (x, y), density = scene.told["plate"]["origin"], scene.told["plate"]["density"]
    lips = []
    for name in ("upper", "lower"):
        own = scene.array(f"plate_{name}")
        below = crop[y : y + len(own), x : x + own.shape[1]]
        lips.append(dense(over(own, below).astype(np.float32), len(crop)))
    parted = scene.told["numbers"]["lips"]["parted"]
    return Plate(lips[0], lips[1], (x, y), density, numbers["lip_tone"], parted)


def _inside(scene: SceneFile, numbers: dict[str, Array], told: Told) -> Inside:
    rows = [
        Row(scene.array(name), (float(edge[1]), float(edge[2])), float(edge[0]))
        for name, edge in ((name, numbers[f"{name}_row"]) for name in ("lower", "upper"))
    ]
    light = MouthLight(
        numbers["white"],
        numbers["skin"],
        scene.array("lip_colour"),
        told["grey"],
        Tone(scene.array("tones")),
        told["most"],
        np.array(told.get("hue", (1, 1, 1)), np.float32),
    )
    habit = told["habit"] and Habit.from_numbers(np.array(told["habit"], np.float32), told["jaw_share"])
    lengths = told["bite"], told["unit"], numbers["rest"], told["soft"]
    return Inside(rows[0], rows[1], *lengths, light, habit, told.get("overgrown", 0.0))


def _lid(scene: SceneFile, numbers: dict[str, Array], number: int) -> Lid | None:
    told, lengths = scene.told["lids"][number], scene.told["numbers"]["lids"][number]
    if told is None:
        return None
    first = f"lid{number}_"
    own: dict[str, Any] = {name.removeprefix(first): part for name, part in numbers.items() if name.startswith(first)}
    corner, centre = own.pop("ball_corner", None), own.pop("ball_centre", None)
    ball = None
    if told["ball"]:
        pictures = scene.within(f"balls.{number}.")
        ball = Eyeball(
            **pictures, corner=corner, centre=centre, unit=lengths["ball"]["unit"], soft=lengths["ball"]["soft"]
        )
    own |= scene.within(f"lids.{number}.")
    own |= {name: lengths[name] for name in ("breadth", "unit", "soft")}
    return Lid(**own, loop=tuple(told["loop"]), iris=told["iris"], ball=ball)
