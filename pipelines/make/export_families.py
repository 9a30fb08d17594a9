"""A published family's networks as ONNX, checked against torch.

    python -m pipelines.make.export_families NAME_OR_FILE [-o DIR]

Three graphs beside the weights, as `speechhead animate --engine onnx` looks for them: NAME.appearance.onnx (once per
portrait), NAME.motion.onnx (per driving frame) and NAME.render.onnx (per frame), with NAME.onnx.json, which says what
goes in and out. Batches are dynamic. Face-vid2vid and LivePortrait sample volumes: 5-D GridSample, so opset 20.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from pathlib import Path
from typing import Annotated, Any

import onnxruntime
import torch
import typer
from torch import Tensor, nn

from pipelines.command import command
from speechhead.core.errors import WeightsError
from speechhead.engines.onnx import load_session
from speechhead.generators.checkpoints.imported import find_generator
from speechhead.generators.checkpoints.stored import open_family
from speechhead.generators.families.family import Family, Motion

OPSET = 20
BATCH = 2
"""Frames in the check, and in the trace: a dynamic size must not be 1."""

TOLERANCE = 1e-3
"""Largest difference from torch, in parts of an output's range."""

ROUNDING = 1.2e-7
"""Relative, of float32."""


class Graph(nn.Module):
    """One step of a family, from tensors in a fixed order to tensors in a fixed order.

    Parameters
    ----------
    model : the family
    step : appearance, motion or render
    inputs : names of the tensors; of `render` as 'appearance.volume', 'source.value', 'driving.value'
    outputs : names of the results; for `render` the fields of `Drawn` that the family has
    """

    def __init__(self, model: Family, step: str, inputs: list[str], outputs: list[str]) -> None:
        super().__init__()
        self.model, self.step, self.inputs, self.outputs = model, step, inputs, outputs
        self.eval()

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The outputs, in the order of their names."""
        if self.step != "render":
            found = getattr(self.model, self.step)(tensors[0])
            return tuple(found[name.split(".")[1]] for name in self.outputs)
        parts: dict[str, dict[str, Tensor]] = {"appearance": {}, "source": {}, "driving": {}}
        for name, tensor in zip(self.inputs, tensors):
            part, key = name.split(".")
            parts[part][key] = tensor
        drawn = self.model.draw(parts["appearance"], parts["source"], parts["driving"])._asdict()
        return tuple(drawn[name] for name in self.outputs)


def needed(model: Family, appearance: Motion, source: Motion, driving: Motion) -> list[str]:
    """Names of the tensors that `render` reads: those without which it fails."""
    parts = {"appearance": dict(appearance), "source": dict(source), "driving": dict(driving)}
    expected = model.render(*parts.values())
    for part, tensors in parts.items():
        for key in list(tensors):
            without = {**parts, part: {k: v for k, v in parts[part].items() if k != key}}
            try:
                same = torch.equal(model.render(*without.values()), expected)
            except (KeyError, IndexError, StopIteration):
                same = False
            if same:
                parts = without
    return [f"{part}.{key}" for part, tensors in parts.items() for key in tensors]


def export(model: Family, stem: Path) -> dict[str, Any]:
    """Write the three graphs and their description.

    Parameters
    ----------
    model : on the CPU, in eval mode
    stem : path of the files without their endings

    Returns
    -------
    The description, with the largest difference from torch by graph and output

    Raises
    ------
    WeightsError if onnxruntime's results differ from torch's.
    """
    image = torch.rand(BATCH, 3, model.image_size, model.image_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        appearance, motion = model.appearance(image[:1]), model.motion(image)
        source = {key: value[:1] for key, value in motion.items()}
        named = {
            f"{part}.{key}": value
            for part, tensors in {"appearance": appearance, "source": source, "driving": motion}.items()
            for key, value in tensors.items()
        }
        inputs = needed(model, appearance, source, motion)
        drawn = model.draw(appearance, source, motion)._asdict()
    graphs = {
        "appearance": (Graph(model, "appearance", ["image"], [f"appearance.{key}" for key in appearance]), [image[:1]]),
        "motion": (Graph(model, "motion", ["image"], [f"motion.{key}" for key in motion]), [image]),
        "render": (
            Graph(model, "render", inputs, [name for name, value in drawn.items() if value is not None]),
            [named[name] for name in inputs],
        ),
    }
    description: dict[str, Any] = {
        "family": model.name,
        "config": dataclasses.asdict(model.config),
        "image_size": model.image_size,
        "opset": OPSET,
        "graphs": {},
    }
    for step, (graph, tensors) in graphs.items():
        path = stem.with_name(f"{stem.name}.{step}.onnx")
        _write(graph, tensors, path)
        differences = check(graph, tensors, path)
        description["graphs"][step] = {
            "file": path.name,
            "inputs": graph.inputs,
            "outputs": graph.outputs,
            "difference": differences,
        }
    text = json.dumps(description, indent=1) + "\n"
    stem.with_name(f"{stem.name}.onnx.json").write_text(text, encoding="utf-8")
    return description


def _write(graph: Graph, tensors: list[Tensor], path: Path) -> None:
    # What belongs to a frame comes in batches; the portrait is one.
    frames = torch.export.Dim("frames", min=1, max=256)
    varies = [name.startswith("driving.") or graph.step == "motion" for name in graph.inputs]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            tuple(tensors),
            str(path),
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_shapes=(tuple({0: frames} if one else None for one in varies),),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def check(graph: Graph, tensors: list[Tensor], path: Path) -> dict[str, float]:
    """Largest difference of onnxruntime from torch by output, in parts of its range; of all frames, and of one.

    Raises
    ------
    WeightsError if it is over TOLERANCE, and over ten times what the rounding of the inputs does to the output.
    """
    session = load_session(path)
    asked = {entry.name for entry in session.get_inputs()}
    worst: dict[str, float] = {}
    for count in (BATCH, 1):
        cut = [tensor[:count] for tensor in tensors]
        with torch.no_grad():
            expected = graph(*cut)
            rounded = graph(*(tensor * (1 + ROUNDING * torch.randn_like(tensor)) for tensor in cut))
        feeds = {name: tensor.numpy() for name, tensor in zip(graph.inputs, cut) if name in asked}
        for name, ours, theirs, near in zip(graph.outputs, session.run(None, feeds), expected, rounded):
            reach = max(1e-6, float(theirs.abs().max()))
            difference, noise = (
                float((other - theirs).abs().max()) / reach for other in (torch.from_numpy(ours), near)
            )
            worst[name] = max(worst.get(name, 0.0), difference)
            if not difference <= max(TOLERANCE, 10 * noise):
                raise WeightsError(
                    f"{path}: {name} differs from torch by {difference:.1e} of its range. Use another onnxruntime "
                    f"than {onnxruntime.__version__}."
                )
    return worst


def main(
    generator: Annotated[str, typer.Argument(metavar="NAME_OR_FILE", help="Imported weights, or a weight file.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder; beside the weights if not given.")
    ] = None,
) -> None:
    """Export a family's per-frame networks to ONNX and print how far they are from torch."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    path = find_generator(generator)
    model = open_family(path)
    folder = output or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    description = export(model, folder / path.name.removesuffix(".safetensors"))
    for entry in description["graphs"].values():
        worst = max(entry["difference"].values())
        print(json.dumps({"file": str(folder / entry["file"]), "max_difference": worst, "inputs": entry["inputs"]}))


app = command(main)

if __name__ == "__main__":
    app()
