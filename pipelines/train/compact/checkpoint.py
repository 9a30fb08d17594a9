"""Checkpoints of the compact generator's training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

from pipelines.train.run_files import RESUME, write_state, write_tensors

from .learner import CompactTraining, Learner
from .networks import CompactConfig, CompactNetworks


def save(
    output: Path, options: CompactTraining, model: nn.Module, average: nn.Module, learner: Learner, step: int
) -> None:
    """Write `checkpoint.safetensors` (averaged weights, config inside) and `resume.pt` (all that training needs)."""
    metadata = {"config": json.dumps(asdict(options)), "family": "compact", "kind": "generator", "step": str(step)}
    write_tensors(output / "checkpoint.safetensors", average.state_dict(), metadata)
    write_state(
        output / RESUME,
        {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "networks": {name: network.state_dict() for name, network in learner.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, (optimiser, _) in learner.optimisers.items()},
            "step": step,
        },
    )


def load_checkpoint(path: Path) -> tuple[CompactNetworks, dict[str, str]]:
    """The averaged network of a checkpoint, rebuilt from the configuration inside it, and its metadata."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    config = json.loads(metadata["config"])["network"]
    model = CompactNetworks(CompactConfig(**config))
    model.load_state_dict(load_file(path))
    return model.eval(), metadata
