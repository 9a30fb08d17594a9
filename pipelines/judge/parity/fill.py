"""Weights of the full-size fixtures: each number follows from the name of its key, so that none is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array64


def normal(name: str, shape: tuple[int, ...]) -> Array64:
    """Standard normal numbers of numpy's frozen legacy stream, seeded by the CRC-32 of a name."""
    return np.random.RandomState(crc32(name.encode())).standard_normal(shape)


def fill(
    group: str, shapes: Mapping[str, tuple[int, ...]], rule: Mapping[str, Any], stats: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """State dict of one submodule by the rule that parity/fullsize/README.md states.

    Parameters
    ----------
    group : the submodule's name in the rule
    shapes : of its state dict, by key
    rule : rule.json: "norm_modules" by group, and "table" of gains and offsets by "group/key"
    stats : float16 running means and variances by "group::key"

    Returns
    -------
    float32 (int64 for counters) by key; anti-alias kernels are left out, they keep what their constructor computes
    """
    norms = set(rule["norm_modules"][group])
    state: dict[str, NDArray[Any]] = {}
    for key, shape in shapes.items():
        module, _, leaf = key.rpartition(".")
        if leaf == "num_batches_tracked":
            state[key] = np.zeros(shape, np.int64)
        elif leaf in ("running_mean", "running_var"):
            state[key] = stats[f"{group}::{key}"].astype(np.float32)
        elif leaf not in ("weight_u", "weight_v") and not (leaf == "weight" and module.split(".")[-1] == "down"):
            values = _parameter(module in norms, leaf, normal(f"{group}/{key}", shape))
            state[key] = _adjust(values, leaf, rule["table"].get(f"{group}/{key}", {}))
    for key, shape in shapes.items():
        if key.endswith("weight_u"):  # singular vectors of the stored weight, u at random
            start = key.removesuffix("weight_u")
            matrix = state[f"{start}weight_orig"].astype(np.float64).reshape(shape[0], -1)
            u = normal(f"{group}/{key}", shape)
            u /= np.linalg.norm(u)
            v = matrix.T @ u
            state[key] = u.astype(np.float32)
            state[f"{start}weight_v"] = (v / np.linalg.norm(v)).astype(np.float32)
    return state


def _parameter(norm: bool, leaf: str, r: Array64) -> Array64:
    if norm:
        return 1 + 0.2 * r if leaf == "weight" else 0.2 * r
    if leaf == "gamma" and r.ndim == 1:  # DaGAN's attention gate
        return np.full(r.shape, 0.7)
    if leaf in ("gamma", "beta"):  # ConvNeXt V2's global response normalisation
        return 0.3 * r
    if leaf == "bias":
        return 0.1 * r
    return r / np.sqrt(np.prod(r.shape[1:]))


def _adjust(values: Array64, leaf: str, entry: Mapping[str, Any]) -> NDArray[np.float32]:
    values = values * entry.get("mul", 1.0)
    if leaf == "bias" and "add" in entry:
        values = values + np.resize(np.asarray(entry["add"], np.float64), values.shape)
    return values.astype(np.float32)
