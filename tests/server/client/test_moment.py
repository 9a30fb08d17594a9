"""The numbers of a frame that the browser works out are those of Python: in each of a face's ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from support import node

from pipelines.make import draw_tables
from speechhead.avatar.named import SHIPPED
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose
from speechhead.generators.compact.generator import CompactGenerator, Source
from speechhead.generators.compact.moment_scene import held_numbers
from speechhead.motion.blink import LID_PAIRS, close_eyes
from speechhead.motion.rest import SMILE, rest_system

torch = pytest.importorskip("torch")

from speechhead.generators.compact.device.generator import CompactOnDevice  # noqa: E402
from speechhead.generators.compact.device.portrait import hold  # noqa: E402
from speechhead.generators.open import open_generator  # noqa: E402

pytestmark = pytest.mark.skipif(node.NODE is None, reason="no node found. apt install nodejs.")

SIZE = 192
NEAR = 1e-4
"""Largest difference of a number, as a part of the largest of its name, or of 1."""

DRAW = """
const { Moments } = await load("draw/moment.js");
const array = (name) => ({ data: Float32Array.from(given.arrays[name.replace("numbers.", "")]) });
const moments = new Moments({ meta: { numbers: given.told }, array });
const layer = (one) => one && { numbers: [...one.numbers], box: one.box };
const found = given.drives.map(({ landmarks, pose, deltas }) => {
  const before = moments.before({ landmarks: Float32Array.from(landmarks), pose });
  const moment = moments.after(before, Float32Array.from(deltas));
  const { boxes, most, balls, lids } = moment;
  const told = { motion: [...before.motion], shape: [...before.shape], numbers: [...moment.numbers] };
  return { ...told, boxes, most, balls: balls.map(layer), lids: lids.map(layer) };
});
return { shapes: moments.shapes, found };
"""


@cache
def _generator() -> CompactGenerator:
    return CompactGenerator.load(SIZE, threads=1)


@cache
def _there() -> CompactOnDevice:
    return cast(CompactOnDevice, open_generator("compact", SIZE, engine="torch", device="cpu"))


@cache
def _source(name: str) -> Source:
    avatar = Avatar.default(SIZE) if not name else Avatar.from_image(SHIPPED / name, size=SIZE).resampled(SIZE)
    return _generator().prepare(avatar.crop, avatar.mesh)


def _turned(pose: Pose, yaw: float, pitch: float, roll: float, shift: tuple[float, float], scale: float = 1) -> Pose:
    own = pose.angles
    place = pose.translation + np.array([*shift, 0], np.float32)
    return Pose.from_angles(own[0] + yaw, own[1] + pitch, own[2] + roll, place, scale * pose.scale)


def drives(base: Array, pose: Pose) -> list[tuple[Array, Pose]]:
    """The portrait itself, an open mouth, rounded lips, lids that blink and are shut, gazes with and without a
    blink, a smile in turned heads, and a mouth out of the frame."""
    opened, wide, rounded, blinking, shut = (base.copy() for _ in range(5))
    opened[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.05
    wide[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 0.22
    rounded[48:68, 0] = 0.6 * base[48:68, 0]
    rounded[[57, 58, 56], 1] += 0.03
    close_eyes(blinking, 0.4)
    for upper, lower in LID_PAIRS:
        shut[upper] += 0.97 * (base[lower] - base[upper])
    smile = (base + 0.6 * rest_system()[2][SMILE]).astype(np.float32)
    little, aside = base.copy(), blinking.copy()
    little[[68, 69], 0] -= 0.011
    aside[[68, 69], :2] += [0.035, -0.01]
    return [
        (base, pose),
        (opened, _turned(pose, 0, 4, 0, (0, 3))),
        (wide, _turned(pose, -25, 12, -14, (-4, 6))),
        (rounded, _turned(pose, 28, -15, 12, (5, -5), 1.05)),
        (blinking, pose),
        (shut, _turned(pose, 8, 8, 3, (1, 1))),
        (smile, _turned(pose, 10, -4, 5, (2, 1))),
        (little, pose),
        (aside, _turned(pose, -9, 3, 4, (0, 0))),
        (wide, _turned(pose, 0, 0, 0, (0, 2 * SIZE))),
    ]


def _told(source: Source, moves: list[tuple[Array, Pose]], folder: Path) -> tuple[list[Any], list[Any], list[Any]]:
    """What Python and what JavaScript works out of each frame, and names and shapes there."""
    there, held = _there(), hold(source, torch.device("cpu"))
    seen: list[tuple[Array, Array]] = []
    deltas = there._latents.deltas

    def noted(driving: Array, own: Array) -> Array:
        made = deltas(driving, own)
        seen.append((driving[0] - own, made[0]))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(there._latents, "deltas", noted)
        ours = [(*there._rows([held], face[None], [pose]), seen[-1]) for face, pose in moves]
    told, arrays = held_numbers(source)
    asked = [
        {
            "landmarks": face.ravel().tolist(),
            "pose": [*pose.angles, *pose.translation.tolist(), pose.scale],
            "deltas": made.ravel().tolist(),
        }
        for (face, pose), (_, made) in zip(moves, seen)
    ]
    plain = {name: array.ravel().tolist() for name, array in arrays.items()}
    found = node.run(DRAW, folder, told=told, arrays=plain, drives=asked)
    return ours, found["found"], found["shapes"]


def _near(numbers: list[float], wanted: dict[str, Array], where: str) -> None:
    at = 0
    for name, value in wanted.items():
        flat = np.asarray(value, np.float32).ravel()
        mine, at = np.array(numbers[at : at + flat.size]), at + flat.size
        if name == "hull":
            _same_outline(mine.reshape(-1, 2), flat.reshape(-1, 2))
            continue
        apart = np.abs(mine - flat).max() / max(1.0, float(np.abs(flat).max()))
        assert apart < NEAR, f"{where}: {name} is {apart:.2g} apart"
    assert at == len(numbers)


def _same_outline(mine: Array, other: Array) -> None:
    """Of two convex outlines, which may begin anywhere: each has a place of the other where its own are."""
    for some, more in ((mine, other), (other, mine)):
        away = np.linalg.norm(some[:, None] - more[None], axis=2).min(1)
        assert away.max() < 1e-3


CASES: dict[str, Callable[[], Source]] = {
    "default": lambda: _source(""),
    "a smile": lambda: _source("eileen_collins.jpg"),
    "eyeballs": lambda: _source("mara.jpg"),
    "lips under hair": lambda: replace(_source(""), inside=replace(_source("").inside, overgrown=0.8)),
    "one lid": lambda: replace(_source(""), lids=(None, _source("").lids[1])),
}


@pytest.mark.parametrize("case", CASES)
def test_a_frame_has_the_same_numbers(case: str, tmp_path: Path) -> None:
    source = CASES[case]()
    ours, theirs, shapes = _told(source, drives(source.landmarks, source.pose), tmp_path)
    for number, ((frames, balls, lids, (motion, _)), found) in enumerate(zip(ours, theirs)):
        row, where = frames[0], f"frame {number}"
        assert np.abs(np.array(found["motion"]) - motion.ravel()).max() < 1e-6, where
        assert [[name, list(value.shape[1:]) or [1]] for name, value in row.numbers.items()] == shapes
        _near(found["numbers"], {name: value[0] for name, value in row.numbers.items()}, where)
        assert found["boxes"] == {name: box[0].tolist() for name, box in row.boxes.items()}, where
        assert found["most"] == {name: row.most[name] for name in found["most"]}, where
        for name, rows in (("balls", balls), ("lids", lids)):
            laid = [one for one in found[name] if one]
            assert len(laid) == len(rows), f"{where}: {name}"
            for mine, wanted in zip(laid, rows):
                assert mine["box"] == wanted.boxes["eye"][0].tolist(), f"{where}: {name}"
                _near(mine["numbers"], {key: value[0] for key, value in wanted.numbers.items()}, f"{where}, {name}")


def test_a_mouth_without_habit_is_that_of_the_rules(tmp_path: Path) -> None:
    source = _source("")
    told, arrays = held_numbers(replace(source, inside=replace(source.inside, habit=None)))
    pose = [*source.pose.angles, *source.translation.tolist(), source.scale]
    drive = {"landmarks": source.landmarks.ravel().tolist(), "pose": pose, "deltas": [0.0] * 1434}
    plain = {name: array.ravel().tolist() for name, array in arrays.items()}
    made = node.run(DRAW, tmp_path, told=told, arrays=plain, drives=[drive])
    at = 0
    for name, shape in made["shapes"]:
        if name in ("in_even", "in_tongue"):
            assert set(made["found"][0]["numbers"][at : at + int(np.prod(shape))]) == {1}
        at += int(np.prod(shape))


def test_the_tables_are_those_of_python() -> None:
    assert draw_tables.FILE.read_text() == draw_tables.text(), "run `python -m pipelines.make.draw_tables`"


def test_what_is_held_fits_a_scene() -> None:
    told, arrays = held_numbers(_source("mara.jpg"))
    assert json.loads(json.dumps(told)) == told
    assert all(array.dtype == np.float32 for array in arrays.values())
    assert sum(array.nbytes for array in arrays.values()) < 40_000
