"""Weight files of the generator families: safetensors that carry the config which rebuilds the network."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import WeightsError
from speechhead.core.typed import FieldError, from_json

if TYPE_CHECKING:
    import torch

    from speechhead.generators.families.family import Family
from speechhead.core.weights import read_metadata
from speechhead.engines.need import need_torch
from speechhead.generators.families.registry import build, canonical, config_class, is_form

FORMAT = "speechhead family"
"""Metadata entry 'format' of a weight file of ours."""

VERSION = "1"


def config_from_json(kind: Any, data: Any) -> Any:
    """A frozen dataclass, nested ones and tuples included, from what `dataclasses.asdict` and JSON made of it.

    Raises
    ------
    WeightsError if fields are missing, unknown or of the wrong kind.
    """
    try:
        return from_json(kind, data)
    except FieldError as error:
        raise WeightsError(f"config: {error}. Import the weights anew.") from error


def save_family(model: Family, path: str | Path, half: bool = False, **notes: str) -> Path:
    """Write a family's weights with its config; see `save_state`."""
    return save_state(model.state_dict(), model.name, model.config, path, half, **notes)


def save_state(
    state: typing.Mapping[str, torch.Tensor], name: str, config: Any, path: str | Path, half: bool = False, **notes: str
) -> Path:
    """Write a state dict of a family to safetensors, replacing an older file in one step.

    Parameters
    ----------
    state : tensors by `<submodule>.<published key>`
    config : the family's frozen dataclass, stored as JSON in the file's metadata
    half : float16 instead of float32; half the size, computed in float32 all the same
    notes : further metadata: where the weights come from

    Raises
    ------
    WeightsError if the file can not be written, or numbers are too large for half precision.
    """
    need_torch("writing weights")
    import torch
    from safetensors.torch import save_file

    kind = torch.float16 if half else torch.float32
    tensors = {}
    for key, tensor in state.items():
        tensor = tensor.detach().to("cpu")
        tensors[key] = tensor.to(kind).contiguous() if tensor.is_floating_point() else tensor.contiguous()
        if half and tensor.is_floating_point() and torch.isinf(tensors[key]).any():
            raise WeightsError(f"{path}: {key} has numbers too large for half precision. Leave --half out.")
    # Tensors that share memory are stored once each: safetensors knows no views.
    tensors = {key: tensor.clone() for key, tensor in tensors.items()}
    metadata = {"format": FORMAT, "version": VERSION, "family": name, "config": json.dumps(dataclasses.asdict(config))}
    metadata |= notes
    path = Path(path)
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}.", suffix=".part")
        os.close(handle)
        save_file(tensors, part, metadata)
        os.chmod(part, 0o644)
        os.replace(part, path)
    except Exception as error:  # safetensors raises a class of its own when the disk is full
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
        raise WeightsError(f"{path}: can not be written ({reason}). Choose another place.") from error
    finally:
        if part is not None and os.path.exists(part):
            os.unlink(part)
    return path


def open_family(path: str | Path, name: str | None = None) -> Family:
    """The family in a weight file, ready to run (eval, float32, on the CPU).

    Parameters
    ----------
    path : safetensors written by `save_family` or `speechhead weights import`
    name : the family that it must be, or None

    Raises
    ------
    WeightsError if the file is missing, damaged, another family's, does not fit its own config, or has a number that is
    none.
    """
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: weights without a config. Import them: speechhead weights import {path} --family NAME."
        )
    if metadata.get("version") != VERSION:
        raise WeightsError(f"{path}: made by a newer speechhead (format {metadata.get('version')}). Update speechhead.")
    found = canonical(metadata.get("family", ""))
    if name is not None and not is_form(found, canonical(name)):
        raise WeightsError(f"{path}: weights of {found}, not of {canonical(name)}. Use --generator {found}.")
    need_torch(f"generator '{found}'")
    from safetensors.torch import load_file

    from .shapes import compare, refuse_broken, skeleton

    try:
        config = config_from_json(config_class(found), json.loads(metadata["config"]))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except (KeyError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: config not readable. Import the weights anew.") from error
    state = load_file(str(path))
    compare(state, skeleton(found, config), str(path), found)
    refuse_broken(state, str(path))
    model = build(found, config)
    model.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in state.items()})
    return model.eval().requires_grad_(False)
