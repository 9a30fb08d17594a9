"""Parity fixtures on disk: a configuration, recorded arrays, and weights that are stored or follow from a rule."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn

from speechhead.core.errors import WeightsError

from .fill import fill

Module = TypeVar("Module", bound=nn.Module)


class MissingArray(KeyError):
    """An array that a stage reads is not in the fixture."""


class Arrays(dict[str, NDArray[Any]]):
    """The recorded arrays by name; `recorded` gives one to torch, on `device`."""

    device = "cpu"

    def __missing__(self, name: str) -> NDArray[Any]:
        raise MissingArray(name)

    def recorded(self, name: str) -> Tensor:
        """An array as a float32 tensor; pictures `*_u8` as [0, 1]."""
        array = torch.from_numpy(np.ascontiguousarray(self[name])).to(self.device).float()
        return array / 255 if name.endswith("_u8") else array


class Weights(ABC):
    """Weights of a fixture, by the names of its submodules ("groups"); networks go to `device` with them."""

    device = "cpu"

    @abstractmethod
    def has(self, group: str) -> bool:
        """Whether there are weights of this submodule."""

    def load(self, group: str, module: Module) -> Module:
        """Fill a network, strictly: the same keys and shapes; then eval, without gradients.

        Raises
        ------
        WeightsError if a key is missing, unknown or of another shape.
        """
        state = self._state(group, module)
        wanted = module.state_dict()
        wrong = sorted(wanted.keys() ^ state.keys()) + [
            key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape
        ]
        if wrong:
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise WeightsError(f"{group}: weights do not fit the network at {wrong[0]}{more}. Check the configuration.")
        module.load_state_dict(state)
        return module.to(self.device).eval().requires_grad_(False)

    @abstractmethod
    def _state(self, group: str, module: nn.Module) -> dict[str, Tensor]:
        """The submodule's state dict."""


class StoredWeights(Weights):
    """weights.safetensors, keys `<group>.<published key>`."""

    def __init__(self, path: Path) -> None:
        with safe_open(str(path), framework="pt") as file:
            self._tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118

    def has(self, group: str) -> bool:
        return any(key.startswith(f"{group}.") for key in self._tensors)

    def _state(self, group: str, module: nn.Module) -> dict[str, Tensor]:
        prefix = f"{group}."
        return {key.removeprefix(prefix): v for key, v in self._tensors.items() if key.startswith(prefix)}


class RuleWeights(Weights):
    """rule.json and bn_stats_f16.npz: weights that follow from the names of the keys; see `fill`."""

    def __init__(self, rule: Mapping[str, Any], stats: Mapping[str, NDArray[Any]]) -> None:
        self._rule, self._stats = rule, stats

    def has(self, group: str) -> bool:
        return group in self._rule["groups"]

    def _state(self, group: str, module: nn.Module) -> dict[str, Tensor]:
        own = module.state_dict()
        filled = fill(group, {key: tuple(value.shape) for key, value in own.items()}, self._rule, self._stats)
        return {key: torch.from_numpy(filled[key]) if key in filled else value for key, value in own.items()}


@dataclass(frozen=True)
class Fixture:
    """One model's fixture.

    model: its name; config: what config.json says, or what rule.json says under "config"; full: a full-size one;
    noise: by array, what rounding alone changes end to end (rule.json states it); device: what computes.
    """

    model: str
    path: Path
    config: dict[str, Any]
    full: bool
    noise: dict[str, float]
    device: str = "cpu"

    def arrays(self) -> Arrays:
        """The recorded arrays; WeightsError if they can not be read."""
        try:
            with np.load(self.path / "io.npz", allow_pickle=False) as stored:
                arrays = Arrays({name: stored[name] for name in stored.files})
        except Exception as error:  # a damaged zip raises whatever it meets
            raise WeightsError(
                f"{self.path / 'io.npz'}: not readable ({_brief(error)}). Copy the fixture anew."
            ) from error
        arrays.device = self.device
        return arrays

    def weights(self) -> Weights:
        """The weights; WeightsError if they can not be read."""
        weights = self._stored()
        weights.device = self.device
        return weights

    def _stored(self) -> Weights:
        name = "bn_stats_f16.npz" if self.full else "weights.safetensors"
        try:
            if not self.full:
                return StoredWeights(self.path / name)
            with np.load(self.path / name, allow_pickle=False) as stored:
                stats = {key: stored[key] for key in stored.files}
            return RuleWeights(_read_json(self.path / "rule.json"), stats)
        except Exception as error:
            raise WeightsError(f"{self.path / name}: not readable ({_brief(error)}). Copy the fixture anew.") from error


def find(folder: Path, device: str = "cpu") -> Iterator[Fixture]:
    """The fixtures in a folder and below it, or the folder itself as one; in order of their paths.

    Raises
    ------
    WeightsError if there is none, or a description of one can not be read.
    """
    if not folder.is_dir():
        raise WeightsError(f"{folder}: no such folder. Give a parity fixture, or a folder of them.")
    found = False
    for file in sorted([*folder.rglob("config.json"), *folder.rglob("rule.json")]):
        if not (file.parent / "io.npz").is_file():
            continue
        found = True
        full = file.name == "rule.json"
        try:
            data = _read_json(file)
            noise = {
                name: float(value)
                for name, value in data.get("float64_minus_float32_max_abs", {}).items()
                if isinstance(value, int | float) and math.isfinite(value)
            }
            yield Fixture(data["model"], file.parent, data["config"] if full else data, full, noise, device)
        except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise WeightsError(f"{file}: no description of a fixture ({_brief(error)}). Copy it anew.") from error
    if not found:
        raise WeightsError(f"{folder}: no parity fixture here (config.json or rule.json beside io.npz).")


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
