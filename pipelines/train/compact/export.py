"""A trained compact generator as the three ONNX files that run it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

from pipelines.command import command
from pipelines.make.pack import pack
from speechhead.generators.compact.device.networks import WindowPainter
from speechhead.generators.compact.device.stored import stored
from speechhead.generators.compact.windows import FRAME_INPUTS, REACH, WINDOWS, painter_file

from .checkpoint import load_checkpoint
from .networks import CompactNetworks, as_seen, patch_of


class SourceGraph(nn.Module):
    """Once per portrait: window patches to appearance features."""

    def __init__(self, model: CompactNetworks) -> None:
        super().__init__()
        self.model = model

    def forward(self, *windows: Tensor) -> tuple[Tensor, ...]:
        outputs: list[Tensor] = []
        for name, image, shapes in zip(WINDOWS, windows[::2], windows[1::2]):
            outputs += self.model.encoders[name](image, shapes)
        return tuple(outputs)


class WindowGraph(nn.Module):
    """Per frame, of one window: what to add and what to cover, faded out towards the window's edge.

    Of the mouth's window only the surroundings of the lips are shown (`Window.reach`). What is further off is 0 and is
    not drawn: an eighth of the work.
    """

    def __init__(self, model: CompactNetworks, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, *given: Tensor) -> Tensor:
        window, network = WINDOWS[self.name], cast(WindowPainter, self.model.windows[self.name])
        edge = torch.tensor(window.edge())[None, None]
        if not network.mouth:
            return torch.cat(patch_of(network, given), 1) * edge
        half, full = network.outlined(*as_seen(given))
        shapes = given[1]
        top, bottom = near_lips(shapes[0, 1].amax(1))
        left, right = near_lips(shapes[0, 1].amax(0))
        full, shapes, edge = (x[:, :, 2 * top : 2 * bottom, 2 * left : 2 * right] for x in (full, shapes, edge))
        drawn = torch.cat(network.drawn(half[:, :, top:bottom, left:right], full, shapes), 1) * edge
        outside = (2 * left, window.width - 2 * right, 2 * top, window.height - 2 * bottom)
        return F.pad(drawn, outside)  # type: ignore[arg-type]  # numbers that the graph works out


FARTHEST = 2 * (REACH.lips // 2) + 5
"""Pixels from the lips of what is shown, and of what that is drawn from: three convolutions, one at half resolution."""


def near_lips(lips: Tensor) -> tuple[Tensor, Tensor]:
    """First row (or column) at half the resolution of what is drawn of a mouth, and the one after the last.

    lips: [n], the most in each row of the mouth's second mask of `Window.shapes`
    """
    count, margin = len(lips) // 2, (FARTHEST + 1) // 2
    rows = torch.arange(len(lips))
    first = torch.where(lips > 0, rows, len(lips)).amin() // 2 - margin
    last = torch.where(lips > 0, rows, 0).amax() // 2 + margin + 1
    first = first.clamp(0, count - 1)
    return first, torch.maximum(last, first + 1).clamp(max=count)


def export(checkpoint: Path, folder: Path) -> list[Path]:
    """Write compact_source, compact_mouth and compact_eyes.onnx (float16 storage) and compact.json."""
    model, painted = load_checkpoint(checkpoint)
    w = model.config.window_width
    inputs, names, feature_names = [], [], []
    graphs: dict[str, tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]] = {}
    for name, window in WINDOWS.items():
        h, v = window.height, window.width
        inputs += [torch.zeros(1, 3, h, v), torch.zeros(1, 2, h, v)]
        names += [f"{name}_source", f"{name}_source_shapes"]
        feature_names += [f"{name}_quarter", f"{name}_eighth"]
        frame = [torch.zeros(1, 3, h, v), torch.zeros(1, 2, h, v), torch.zeros(1, window.motion_size)]
        frame += [torch.zeros(1, 3, h, v), torch.zeros(1, 2, h, v)]
        frame += [torch.zeros(1, 3 * w, h // 4, v // 4), torch.zeros(1, 4 * w, h // 8, v // 8)]
        own = [f"{name}_{part}" for part in FRAME_INPUTS]
        graphs[painter_file(name)] = (WindowGraph(model, name), tuple(frame), own, [name])
    graphs["compact_source.onnx"] = (SourceGraph(model), tuple(inputs), names, feature_names)
    written = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, (graph, example, input_names, output_names) in graphs.items():
            raw = Path(scratch, name)
            torch.onnx.export(
                graph.eval(),
                example,
                str(raw),
                input_names=input_names,
                output_names=output_names,
                opset_version=17,
                dynamo=False,
            )
            pack(raw, folder / name, "float16")
            written.append(folder / name)
    card: dict[str, Any] = {"family": "compact"}
    card["windows"] = {"step": int(painted["step"]), "training": json.loads(painted["config"])}
    (folder / "compact.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return written


def read_exported(folder: Path) -> dict[str, Tensor]:
    """Arrays of a compact generator by their names in torch, from its ONNX files in a folder."""
    files = ["compact_source.onnx", *map(painter_file, WINDOWS)]
    return {key: torch.from_numpy(array) for name in files for key, array in stored(folder / name).items()}


def parameters(model: nn.Module) -> int:
    """Number of trained values."""
    return int(np.sum([p.numel() for p in model.parameters()]))


def main(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.safetensors of the training.")],
    folder: Annotated[Path, typer.Option(help="Where the ONNX files go.")] = Path("weights"),
) -> None:
    """Export the compact generator."""
    for path in export(checkpoint, folder):
        print(f"{path} {path.stat().st_size / 1024:.0f} KiB")


app = command(main)


if __name__ == "__main__":
    app()
