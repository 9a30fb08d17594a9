"""The scene's file: safetensors whose arrays may be coded pictures, or whole numbers in steps."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load, save

from speechhead.core.arrays import Array
from speechhead.core.errors import ImageError, WeightsError
from speechhead.core.weights import read_metadata

FORMAT, VERSION = "speechhead-scene", 1
"""Of the file; the version is raised when older readers can no longer read it."""

SUFFIX = ".scene"
"""Ending of its name."""

PIXELS, STEPS, GREY = "pictures", "steps", 1
"""Where the metadata says how arrays are coded; and channels of a picture without colours."""

Told = dict[str, Any]


@dataclass
class SceneWriter:
    """What is gathered of a scene.

    told : metadata, as JSON may hold it; arrays : as they are written
    """

    told: Told = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    _pictures: dict[str, Told] = field(default_factory=dict)
    _steps: dict[str, float] = field(default_factory=dict)

    def put(self, name: str, values: NDArray[Any]) -> None:
        """An array as it is: float32, float16 or whole numbers."""
        self.arrays[name] = np.ascontiguousarray(values)

    def put_steps(self, name: str, values: Array, kind: type[np.integer[Any]], step: float | None = None) -> None:
        """An array rounded to whole steps; the finest that `kind` can hold, if None."""
        step = float(np.abs(values).max()) / np.iinfo(kind).max or 1.0 if step is None else step
        self._steps[name] = step
        self.put(name, np.round(values / step).astype(kind))

    def put_picture(self, name: str, values: Array | NDArray[np.uint8], step: float = 1.0, offset: float = 0.0) -> None:
        """A picture [h, w] or [h, w, 3 or 4] of 256 steps from `offset` on, coded without loss beside that; a fourth
        channel is in 0..1, whatever the step."""
        shape = values.shape if values.ndim == 3 else (*values.shape, GREY)
        whole = np.clip(np.round((values.reshape(shape) - offset) / _steps(shape[2], step)), 0, 255).astype(np.uint8)
        rest = shape[2] - shape[2] % 3
        parts = [whole[..., :rest]] if rest else []
        parts += [np.repeat(whole[..., rest:], 3, 2)] if rest < shape[2] else []
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(np.concatenate(parts))).save(buffer, "WEBP", lossless=True, quality=90)
        self._pictures[name] = {"shape": list(values.shape), "step": step, "offset": offset}
        self.put(name, np.frombuffer(buffer.getvalue(), np.uint8))

    def bytes(self) -> bytes:
        """The file."""
        told = {**self.told, PIXELS: self._pictures, STEPS: self._steps}
        texts = {name: json.dumps(value, separators=(",", ":")) for name, value in told.items()}
        return save(self.arrays, {"format": FORMAT, "version": str(VERSION), **texts})


class SceneFile:
    """A scene as it was written; told : its metadata."""

    def __init__(self, data: bytes) -> None:
        self._arrays, self.told = _read(data)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def array(self, name: str) -> Array:
        """An array float32: of a coded one what it stands for."""
        stored, picture = self._arrays[name], self.told[PIXELS].get(name)
        if picture is not None:
            whole = _joined(self.pixels(name), picture["shape"])
            values = whole * _steps(whole.shape[2], picture["step"]) + np.float32(picture["offset"])
            return np.asarray(values.reshape(picture["shape"]), np.float32)
        return np.asarray(stored.astype(np.float32) * np.float32(self.told[STEPS].get(name, 1)), np.float32)

    def pixels(self, name: str) -> NDArray[np.uint8]:
        """A coded picture as a browser decodes it: uint8 [h, w, 4]."""
        try:
            return np.asarray(Image.open(io.BytesIO(self._arrays[name].tobytes())).convert("RGBA"))
        except (OSError, SyntaxError) as error:
            raise ImageError(f"the scene's {name} is damaged. Write the scene anew.") from error

    def within(self, folder: str) -> dict[str, Array]:
        """All arrays whose names begin with `folder`, by what follows."""
        return {name.removeprefix(folder): self.array(name) for name in self._arrays if name.startswith(folder)}


def check_scene(path: Path) -> None:
    """Check that a file may become a scene: by its name, and by what is there already.

    Raises
    ------
    ImageError for another ending than .scene, or a file that is no scene.
    """
    if path.suffix.lower() != SUFFIX:
        raise ImageError(f"{path}: '{path.suffix}' is no ending of a scene. Use {SUFFIX}.")
    if not path.is_file():
        return
    try:
        kind = read_metadata(path).get("format")
    except WeightsError:
        kind = None
    if kind != FORMAT:
        raise ImageError(f"{path}: is there already and is no scene. Choose another name.")


def _read(data: bytes) -> tuple[Mapping[str, NDArray[Any]], Told]:
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        texts = json.loads(data[8 : 8 + length]).get("__metadata__", {})
        if texts.get("format") != FORMAT:
            raise KeyError("format")
        told = {name: json.loads(value) for name, value in texts.items() if name != "format"}
    except (SafetensorError, ValueError, KeyError) as error:
        raise ImageError("the file is no scene, or a damaged one. Make it again by `speechhead scene`.") from error
    if told["version"] > VERSION:
        raise ImageError(f"a scene of version {told['version']}: {VERSION} is the newest known. Update speechhead.")
    return arrays, told


def _joined(pixels: NDArray[np.uint8], shape: list[int]) -> Array:
    whole, height, channels = pixels[..., :3].astype(np.float32), shape[0], shape[2] if len(shape) > 2 else GREY
    parts = [whole[:height]] if channels >= 3 else []
    parts += [whole[-height:, :, :1]] if channels % 3 else []
    return np.concatenate(parts, 2)


def _steps(channels: int, step: float) -> Array:
    return np.array([step, step, step, 1 / 255][:channels], np.float32)
