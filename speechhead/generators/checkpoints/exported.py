"""Families whose networks were exported to ONNX: the heavy steps by onnxruntime, the rest by torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from speechhead.core.errors import WeightsError
from speechhead.engines.onnx import load_session
from speechhead.generators.families.family import Appearance, Drawn, Family, Motion

STEPS = ("appearance", "motion", "render")
"""Graphs of a family, one file each."""


def description_path(weights: Path) -> Path:
    """Where the description of a weight file's exported graphs lies: beside it, NAME.onnx.json."""
    return weights.with_name(weights.name.removesuffix(".safetensors") + ".onnx.json")


def use_exported(model: Family, weights: Path, device: str = "auto", threads: int | None = None) -> Family:
    """Let onnxruntime compute `appearance`, `motion` and `render` of a family, in place.

    Parameters
    ----------
    model : opened from `weights`, on the CPU
    weights : beside which `python -m pipelines.make.export_families` has written the graphs

    Raises
    ------
    WeightsError if they are missing, damaged or of other weights; DeviceError as in `providers`.
    """
    path = description_path(weights)
    if not path.is_file():
        raise WeightsError(
            f"engine 'onnx': {path.name} is missing beside the weights. Run `python -m pipelines.make.export_families "
            f"{weights}`, or use --engine torch."
        )
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        files = {step: path.with_name(described["graphs"][step]["file"]) for step in STEPS}
        outputs = {step: list(described["graphs"][step]["outputs"]) for step in STEPS}
        names = {step: {*described["graphs"][step]["inputs"], *outputs[step]} for step in STEPS}
        fits = described["family"] == model.name and described["image_size"] == model.image_size
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: not readable. Export the weights anew.") from error
    if not fits:
        raise WeightsError(
            f"{path}: exported from other weights. Export these: pipelines.make.export_families {weights}."
        )
    sessions = {step: load_session(file, device, threads, names[step]) for step, file in files.items()}

    def run(step: str, tensors: dict[str, Tensor]) -> list[Tensor]:
        asked = {entry.name for entry in sessions[step].get_inputs()}
        feeds = {name: tensor.cpu().contiguous().numpy() for name, tensor in tensors.items() if name in asked}
        return [torch.from_numpy(array) for array in sessions[step].run(outputs[step], feeds)]

    def named(step: str, image: Tensor) -> dict[str, Tensor]:
        return dict(zip((name.split(".")[1] for name in outputs[step]), run(step, {"image": image})))

    def draw(appearance: Appearance, source: Motion, driving: Motion) -> Drawn:
        parts = {"appearance": appearance, "source": source, "driving": driving}
        given = {f"{part}.{key}": value for part, some in parts.items() for key, value in some.items()}
        count = len(source["value"])
        if count == 1:
            made = run("render", given)
        else:  # the graph is of one portrait
            alone = [run("render", {key: value[i : i + 1] for key, value in given.items()}) for i in range(count)]
            made = [torch.cat(some) for some in zip(*alone)]
        return Drawn(**dict(zip(outputs["render"], made)))

    replaced: dict[str, Any] = {
        "appearance": lambda image: named("appearance", image),
        "motion": lambda image: named("motion", image),
        "draw": draw,
        "render": lambda *parts: draw(*parts).picture,
    }
    for step, method in replaced.items():
        setattr(model, step, method)
    return model
