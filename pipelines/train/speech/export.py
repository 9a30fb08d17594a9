"""Write the trained network and the encoder as ONNX files that speechhead loads."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from pipelines.make.pack import pack
from speechhead.core.controls import EMOTIONS
from speechhead.speech.encoders import WindowConfig

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


def export(network: Network, path: Path) -> None:
    """Network -> `path` (float16-packed ONNX of one block) and the JSON config beside it."""
    config = network.config
    inputs = {
        "features": torch.zeros(1, config.window.block + config.window.ahead, config.channels),
        "emotion": torch.zeros(1, len(EMOTIONS)),
        "neutral": torch.zeros(1, POINTS, 3),
        "state": torch.zeros(1, 1, config.width),
    }
    to_onnx(Step(network), inputs, ["motion", "next_state"], path)
    pack(path, path, "float16")
    values = {
        "encoder": config.encoder,
        "window": asdict(config.window),
        "channels": config.channels,
        "width": config.width,
        "smooth": config.smooth,
    }
    path.with_suffix(".json").write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def export_encoder(path: Path, layers: int, window: WindowConfig) -> None:
    """Whisper tiny.en's first layers -> int8-packed ONNX for windows of this length."""
    encoder = WhisperEncoder.from_ctranslate2(packaged_model(), layers)
    positions = window.window_samples // 320
    encoder.positions = nn.Parameter(encoder.positions[:positions].clone(), requires_grad=False)
    to_onnx(encoder, {"mel": torch.zeros(1, 80, 2 * positions)}, ["features"], path)
    pack(path, path, "int8")


def main() -> None:
    """`python -m pipelines.train.speech.export encoder OUT --layers 3` or `network OUT --checkpoint FILE`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("what", choices=("encoder", "network"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--checkpoint", type=Path)
    options = parser.parse_args()
    if options.what == "encoder":
        export_encoder(options.out, options.layers, WindowConfig())
    else:
        from .checkpoint import load_checkpoint

        export(load_checkpoint(options.checkpoint)[0], options.out)
    print(options.out)


if __name__ == "__main__":
    main()
