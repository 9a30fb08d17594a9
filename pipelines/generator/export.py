"""Export a trained compact generator to the four ONNX files that run it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn

from pipelines.pack import pack
from speechhead.generators.windows import WINDOWS

from .networks import CompactGenerator
from .train import load_checkpoint

app = typer.Typer(add_completion=False, help=__doc__)

FRAME_INPUTS = ("warped", "shapes", "motion", "source", "source_shapes", "quarter", "eighth")
"""Of a window's network, in order; all but the first three belong to the portrait."""


class SourceGraph(nn.Module):
    """Once per portrait: small picture and window patches to appearance features."""

    def __init__(self, model: CompactGenerator) -> None:
        super().__init__()
        self.model = model

    def forward(self, small: Tensor, *windows: Tensor) -> tuple[Tensor, ...]:
        outputs = [self.model.appearance(small)]
        for name, image, shapes in zip(WINDOWS, windows[::2], windows[1::2]):
            outputs += self.model.encoders[name](image, shapes)
        return tuple(outputs)


class MotionGraph(nn.Module):
    """Per frame, first half: which motion holds where. Warping is left to the runtime, which is quicker at it."""

    def __init__(self, model: CompactGenerator) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.model.motion.choose(*inputs)


class HiddenGraph(nn.Module):
    """Per frame, second half: what the portrait does not show, from its appearance features in their new places."""

    def __init__(self, model: CompactGenerator) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.model.motion.fill(*inputs)


class WindowsGraph(nn.Module):
    """Per frame and window: what to add and what to cover, faded out towards the window's edge."""

    def __init__(self, model: CompactGenerator) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = []
        for number, (name, window) in enumerate(WINDOWS.items()):
            change, cover = self.model.windows[name](*inputs[7 * number : 7 * number + 7])
            outputs.append(torch.cat([change, cover], 1) * torch.tensor(window.edge())[None, None])
        return tuple(outputs)


def export(checkpoint: Path, folder: Path) -> list[Path]:
    """Write compact_source, _motion, _hidden and _windows.onnx (float16 storage) and compact.json."""
    model, metadata = load_checkpoint(checkpoint)
    config, m = model.config, model.config.motion_resolution
    half, w = m // 2, config.window_width
    inputs, names = [torch.zeros(1, 3, m, m)], ["small"]
    frame, frame_names, feature_names = [], [], ["appearance"]
    for name, window in WINDOWS.items():
        h, v = window.height, window.width
        inputs += [torch.zeros(1, 3, h, v), torch.zeros(1, 2, h, v)]
        names += [f"{name}_source", f"{name}_source_shapes"]
        feature_names += [f"{name}_quarter", f"{name}_eighth"]
        frame += [torch.zeros(1, 3, h, v), torch.zeros(1, 2, h, v), torch.zeros(1, window.motion_size)]
        frame += [torch.zeros(1, 3, h, v), torch.zeros(1, 2, h, v)]
        frame += [torch.zeros(1, 3 * w, h // 4, v // 4), torch.zeros(1, 4 * w, h // 8, v // 8)]
        frame_names += [f"{name}_{part}" for part in FRAME_INPUTS]
    flow, picture = torch.zeros(1, 2, m, m), torch.zeros(1, 3, m, m)
    motion = (flow, flow, torch.zeros(1, 1, m, m), picture, picture)
    c = config.motion_width
    hidden = (torch.zeros(1, config.appearance, half, half), torch.zeros(1, 2 * c, half, half), torch.zeros(1, c, m, m))
    graphs = {
        "compact_source": (SourceGraph(model), tuple(inputs), names, feature_names),
        "compact_motion": (
            MotionGraph(model),
            motion,
            ["prior", "rigid", "coverage", "small", "warped"],
            ["masks", "residual", "half", "whole"],
        ),
        "compact_hidden": (HiddenGraph(model), hidden, ["features", "half", "whole"], ["occlusion", "hidden"]),
        "compact_windows": (WindowsGraph(model), tuple(frame), frame_names, list(WINDOWS)),
    }
    written = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, (graph, example, input_names, output_names) in graphs.items():
            raw = Path(scratch) / f"{name}.onnx"
            torch.onnx.export(
                graph.eval(),
                example,
                str(raw),
                input_names=input_names,
                output_names=output_names,
                opset_version=17,
                dynamo=False,
            )
            pack(raw, folder / f"{name}.onnx", "float16")
            written.append(folder / f"{name}.onnx")
    card = {"family": "compact", "step": int(metadata["step"]), "training": json.loads(metadata["config"])}
    (folder / "compact.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return written


def parameters(model: nn.Module) -> int:
    """Number of trained values."""
    return int(np.sum([p.numel() for p in model.parameters()]))


@app.command()
def main(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.safetensors of a training run.")],
    folder: Annotated[Path, typer.Option(help="Where the ONNX files go.")] = Path("weights"),
) -> None:
    """Export the compact generator."""
    for path in export(checkpoint, folder):
        print(f"{path} {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    app()
