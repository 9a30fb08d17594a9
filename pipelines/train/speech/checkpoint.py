"""Checkpoints of Speech2Landmarks' training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from pipelines.train.config import ConfigError
from pipelines.train.run_files import write_tensors
from speechhead.core.arrays import Array
from speechhead.speech.model import ModelConfig

from .network import Network, NetworkConfig

BUFFERS = ("feature_mean", "feature_std", "basis", "face_mean", "face_basis")
"""Of a network, beside what it has learned."""


def save_checkpoint(path: Path, network: Network, notes: dict[str, Any] | None = None) -> None:
    """Weights as safetensors, the config as JSON in its metadata: enough to rebuild the network."""
    metadata = {"config": json.dumps(network.config.to_dict()), "notes": json.dumps(notes or {})}
    write_tensors(path, network.state_dict(), metadata)


def load_checkpoint(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network of a checkpoint, in evaluation mode, and its notes."""
    with safe_open(path, "pt") as stream:
        metadata = stream.metadata()
        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    network = Network(NetworkConfig.from_dict(json.loads(metadata["config"])))
    network.load_state_dict(tensors)
    return network.eval(), json.loads(metadata["notes"])


def load_onnx(path: Path) -> Network:
    """The network of an ONNX file that `export` wrote of one; the viseme head does not ship and is new.

    Raises
    ------
    ConfigError if the file holds several networks that speak as one.
    """
    networks = load_networks(path)
    if len(networks) != 1:
        raise ConfigError(f"{path}: {len(networks)} networks. Start from the checkpoint of one.")
    return networks[0]


def load_networks(path: Path) -> list[Network]:
    """All networks of an ONNX file that `export` wrote, in their order, without a linear voice."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    known = {one.name.removesuffix("_stored"): numpy_helper.to_array(one) for one in graph.initializer}
    layers = {node.output[0].split("/MatMul")[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    recurrent = {node.output[0].split("/")[1]: node.input[1:4] for node in graph.node if node.op_type == "GRU"}
    model = ModelConfig.load(path.with_suffix(".json"))
    found = []
    for place, gru in recurrent.items():
        state = {name: _shared(known, recurrent, place, name) for name in BUFFERS}
        state |= {name.removeprefix(f"{place}."): one for name, one in known.items() if name.startswith(f"{place}.")}
        for name in ("project", "mix", "head.0", "head.2"):
            node = f"/{place}/head/{name}" if "." in name else f"/{place}/{name}"
            state[f"{name}.weight"] = known[layers[node]].T
        inputs, hidden, biases = (known[name][0] for name in gru)
        state["gru.weight_ih_l0"], state["gru.weight_hh_l0"] = _torch_gates(inputs), _torch_gates(hidden)
        state["gru.bias_ih_l0"], state["gru.bias_hh_l0"] = (_torch_gates(half) for half in np.split(biases, 2))
        found.append(_network(model, state))
    return found


def _shared(known: Mapping[str, Array], places: Iterable[str], place: str, name: str) -> Array:
    """A buffer of a network; those that are equal in several are stored once.

    Raises
    ------
    ConfigError if it is not told which.
    """
    own = known.get(f"{place}.{name}")
    if own is not None:
        return own
    others = [known[f"{other}.{name}"] for other in places if f"{other}.{name}" in known]
    if len(others) != 1:
        raise ConfigError(f"'{name}' of {place} is not in the file. Export from the checkpoints.")
    return others[0]


def _network(model: ModelConfig, state: dict[str, Array]) -> Network:
    project, vector = state["project.weight"].shape
    config = NetworkConfig(
        encoder=model.encoder, identity=model.identity,
        window=model.window, channels=model.channels, positions=model.channels // vector,
        project=project, width=state["gru.weight_hh_l0"].shape[1], modes=len(state["basis"]),
        face_codes=state["face_basis"].shape[1], smooth=model.smooth,
    )  # fmt: skip
    network = Network(config)
    own = network.state_dict()
    own |= {k: torch.from_numpy(np.array(v, np.float32)) for k, v in state.items() if k in own}
    network.load_state_dict(own)
    return network.eval()


def _torch_gates(stacked: Array) -> Array:
    """ONNX stacks update, reset, new along the first axis; torch reset, update, new."""
    update, reset, new = np.split(stacked, 3)
    return np.concatenate([reset, update, new])
