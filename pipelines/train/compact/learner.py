"""What the training of the compact generator is told, and how it learns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.train.config import from_values, read_json

from .networks import CompactConfig, CompactNetworks


@dataclass(frozen=True)
class CompactTraining:
    """How the generator is trained; stored in the checkpoint beside the network's sizes.

    data: folders of prepared samples, one or several; shares: how often each is drawn from, relative to the others
    start: checkpoint, or folder of exported ONNX files, whose weights are gone on from
    steps: of the optimiser; the learning rate falls with them, so that a run that stops and goes on is the same run
    landmarks_of: pairs of a batch that the landmark loss looks at
    """

    data: tuple[str, ...] = ("runs/data/train",)
    shares: tuple[float, ...] = (1.0,)
    validation: str = "runs/data/val"
    latents: str = "weights/landmarks2latents_compact.onnx"
    output: str = "runs/generator"
    start: str | None = None
    batch: int = 8
    threads: int = 1
    workers: int = 1
    learning_rate: float = 4e-4
    critic_rate: float = 0.5
    steps: int = 6000
    adversarial_after: int = 600
    l1: float = 2.0
    adversarial: float = 0.1
    matching: float = 1.0
    features: float = 0.5
    texture: float = 3.0
    landmarks: float = 0.02
    landmarks_of: int = 2
    change_cost: float = 0.05
    ema: float = 0.997
    shown: int = 24
    seed: int = 0
    network: CompactConfig = field(default_factory=CompactConfig)

    @classmethod
    def read(cls, path: Path) -> CompactTraining:
        """From a JSON file; ConfigError for a field that is unknown, or a value of the wrong type."""
        values = read_json(path)
        for name in ("data", "shares"):  # one may stand there without a list
            if name in values and not isinstance(values[name], list):
                values[name] = [values[name]]
        values.pop("family", None)
        return from_values(cls, values, str(path))


class Learner(ABC):
    """What is trained: its losses, and its optimisers.

    networks: modules that learn or judge, by name; optimisers likewise, with the factor on the learning rate
    """

    def __init__(self) -> None:
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, tuple[torch.optim.Optimizer, float]] = {}

    @abstractmethod
    def learn(self, batch: dict[str, Tensor], step: int) -> dict[str, float]:
        """One step; what is logged of it."""

    @abstractmethod
    def judge(self, model: CompactNetworks, batch: dict[str, Tensor]) -> dict[str, float]:
        """How well validation pairs are met."""

    @abstractmethod
    def sheet(self, model: CompactNetworks, batch: dict[str, Tensor]) -> np.ndarray:
        """A picture uint8 [H, W, 3] of validation pairs."""


def channels_last(value: Tensor) -> Tensor:
    """The layout that convolutions on a CPU like best."""
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def tiles(columns: list[Tensor]) -> np.ndarray:
    """Columns of pictures [N, 3, H, W] in 0..1, one row per N, as uint8 [H, W, 3]."""
    rows = torch.cat(columns, 3).permute(0, 2, 3, 1).reshape(-1, sum(c.shape[3] for c in columns), 3)
    return (rows.clamp(0, 1).numpy() * 255).astype(np.uint8)
