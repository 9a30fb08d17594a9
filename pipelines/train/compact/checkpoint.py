"""Checkpoints of the compact generator's training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from .learner import CompactTraining, Learner
from .networks import CompactConfig, CompactNetworks


def save(
    output: Path, options: CompactTraining, model: nn.Module, average: nn.Module, learner: Learner, step: int
) -> None:
    """Write `checkpoint.safetensors` (averaged weights, config inside) and `resume.pt` (all that training needs)."""
    metadata = {"config": json.dumps(asdict(options)), "family": "compact", "kind": "generator", "step": str(step)}
    state = {key: value.contiguous() for key, value in average.state_dict().items()}
    save_file(state, output / "checkpoint.safetensors", metadata)
    torch.save(
        {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "networks": {name: network.state_dict() for name, network in learner.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, (optimiser, _) in learner.optimisers.items()},
            "step": step,
        },
        output / "resume.new",
    )
    (output / "resume.new").replace(output / "resume.pt")


def load_checkpoint(path: Path) -> tuple[CompactNetworks, dict[str, str]]:
    """The averaged network of a checkpoint, rebuilt from the configuration inside it, and its metadata."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    config = json.loads(metadata["config"])["network"]
    model = CompactNetworks(CompactConfig(**config))
    model.load_state_dict(load_file(path))
    return model.eval(), metadata
