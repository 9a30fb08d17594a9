"""Keys and shapes of the published checkpoints."""

from __future__ import annotations

import gzip
from pathlib import Path

from support.paths import DATA


def published_keys(model: str, shared: Path) -> dict[str, dict[str, tuple[tuple[int, ...], str]]]:
    """By group and key: shape and dtype, of the full-size state dicts of a model of the fixtures."""
    own = DATA / "published_keys" / f"{model}.tsv.gz"
    path = own if own.is_file() else shared / "parity" / model / "published_keys.tsv.gz"
    groups: dict[str, dict[str, tuple[tuple[int, ...], str]]] = {}
    with gzip.open(path, "rt") as lines:
        next(lines)
        for line in lines:
            group, key, shape, dtype = line.rstrip("\n").split("\t")
            size = () if shape == "scalar" else tuple(map(int, shape.split("x")))
            groups.setdefault(group, {})[key] = (size, dtype)
    return groups


def own_keys(module) -> dict[str, tuple[tuple[int, ...], str]]:
    """The same of a network."""
    return {
        key: (tuple(value.shape), str(value.dtype).removeprefix("torch.")) for key, value in module.state_dict().items()
    }
