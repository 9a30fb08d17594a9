"""The trained Speech2Landmarks, or its sound encoder, as an ONNX file that speechhead loads.

python -m pipelines.train.speech.export encoder OUT --layers 3
python -m pipelines.train.speech.export network OUT --checkpoint FILE
python -m pipelines.train.speech.export network OUT --checkpoint weights/speech2landmarks.onnx --linear FILE
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import nn

from pipelines.command import command
from pipelines.make.pack import pack
from pipelines.train.config import ConfigError
from speechhead.core.controls import EMOTIONS
from speechhead.speech.encoders import WindowConfig

from .checkpoint import load_checkpoint, load_networks
from .linear import LinearVoice, load_voice
from .network import POINTS, Network, Step
from .whisper import WhisperEncoder, packaged_model


def to_onnx(module: nn.Module, inputs: dict[str, torch.Tensor], outputs: list[str], path: Path) -> None:
    """Export with fixed shapes through the TorchScript exporter."""
    torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        str(path),
        input_names=list(inputs),
        output_names=outputs,
        opset_version=17,
        dynamo=False,
    )


def export(
    networks: Sequence[Network], path: Path, shares: Sequence[float] = (), voice: LinearVoice | None = None
) -> None:
    """One network, or the mean of several -> `path` (float16-packed ONNX of one block) and the JSON config beside it.

    Parameters
    ----------
    networks : of one encoder and one window
    shares : of each in the mean; alike if there are none
    voice : a linear map that speaks beside them

    Raises
    ------
    ConfigError if the networks do not go together.
    """
    first = networks[0].config
    for config in [network.config for network in networks] + ([voice.config] if voice else []):
        if (config.encoder, config.identity, config.window) != (first.encoder, first.identity, first.window):
            raise ConfigError(f"{path}: networks of several encoders or windows. Export those of one.")
    step = Step(networks, shares or [1.0] * len(networks), voice)
    inputs = {
        "features": torch.zeros(1, first.window.block + first.window.ahead, first.channels),
        "emotion": torch.zeros(1, len(EMOTIONS)),
        "neutral": torch.zeros(1, POINTS, 3),
        "state": torch.zeros(1, 1, step.width),
    }
    to_onnx(step, inputs, ["motion", "next_state"], path)
    pack(path, path, "float16")
    values = {
        "encoder": first.encoder,
        "window": asdict(first.window),
        "channels": first.channels,
        "width": step.width,
        "smooth": first.smooth,
    } | ({"identity": first.identity} if first.identity else {})
    path.with_suffix(".json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def export_encoder(path: Path, layers: int, window: WindowConfig) -> None:
    """Whisper tiny.en's first layers -> int8-packed ONNX for windows of this length."""
    encoder = WhisperEncoder.from_ctranslate2(packaged_model(), layers)
    positions = window.window_samples // 320
    encoder.positions = nn.Parameter(encoder.positions[:positions].clone(), requires_grad=False)
    to_onnx(encoder, {"mel": torch.zeros(1, 80, 2 * positions)}, ["features"], path)
    pack(path, path, "int8")


def opened(path: Path) -> list[Network]:
    """The networks of a checkpoint or of an exported file."""
    return load_networks(path) if path.suffix == ".onnx" else [load_checkpoint(path)[0]]


def main(
    what: Annotated[str, typer.Argument(help="encoder or network")],
    out: Annotated[Path, typer.Argument(help="ONNX file to write.")],
    layers: Annotated[int, typer.Option(help="Of the encoder, from the first.")] = 3,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="Of the network, or an ONNX file of some; several speak as one.")
    ] = None,
    share: Annotated[list[float] | None, typer.Option(help="Of each network in their mean; alike if none.")] = None,
    linear: Annotated[Path | None, typer.Option(help="A linear map that speaks beside them.")] = None,
) -> None:
    """Export one of the two."""
    if what == "encoder":
        export_encoder(out, layers, WindowConfig())
    elif what != "network":
        raise typer.BadParameter(f"'{what}' is unknown. Use encoder or network.")
    elif not checkpoint:
        raise typer.BadParameter("--checkpoint FILE is missing.")
    else:
        networks = [network for path in checkpoint for network in opened(path)]
        if share and len(share) != len(networks):
            raise typer.BadParameter(
                f"--share is given {len(share)} times for {len(networks)} networks. Give one each."
            )
        export(networks, out, share or (), load_voice(linear) if linear else None)
    print(out)


app = command(main)


if __name__ == "__main__":
    app()
