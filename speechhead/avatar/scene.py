"""Scenes: portraits prepared for who draws them without Python, a browser (docs/scene.md)."""

from __future__ import annotations

import numpy as np

from speechhead.core.errors import ControlError
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.scene.pack import packed
from speechhead.generators.protocol import Generator
from speechhead.motion.emotion import fitted
from speechhead.motion.rest import rest_face

from .portrait import Avatar


def scene_of(avatar: Avatar, generator: Generator) -> bytes:
    """The scene of a portrait, a safetensors file.

    Parameters
    ----------
    avatar : of `square.on_stage`, whose square is what is shown
    generator : compact, of the avatar's size

    Raises
    ------
    ControlError for another generator: only compact's pictures are drawn without Python.
    """
    if not isinstance(generator, CompactGenerator):
        raise ControlError(f"generator '{generator.family}' has no scenes. Choose compact.")
    scene = packed(avatar.source(generator))
    rest, pose = rest_face(avatar.neutral), avatar.pose  # what a browser that hears by itself moves the face from
    scene.put("rest", rest)
    scene.put("emotions", fitted(rest))
    scene.put("pose", np.array([*pose.rotation.ravel(), *pose.translation, pose.scale], np.float32))
    scene.told |= {"name": avatar.name, "box": list(avatar.box)}
    if avatar.box != (0, 0, len(avatar.picture)):
        scene.put_picture("picture", avatar.picture)
    return scene.bytes()
