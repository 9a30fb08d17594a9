"""Checkpoints of Speech2Landmarks' training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file

from .network import Network, NetworkConfig


def save_checkpoint(path: Path, network: Network, notes: dict[str, Any] | None = None) -> None:
    """Weights as safetensors, the config as JSON in its metadata: enough to rebuild the network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"config": json.dumps(network.config.to_dict()), "notes": json.dumps(notes or {})}
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path, metadata)


def load_checkpoint(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network of a checkpoint, in evaluation mode, and its notes."""
    with safe_open(path, "pt") as stream:
        metadata = stream.metadata()
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    network = Network(NetworkConfig.from_dict(json.loads(metadata["config"])))
    network.load_state_dict(tensors)
    return network.eval(), json.loads(metadata["notes"])
