"""One run of Speech2Landmarks' training: networks, optimiser and chance, all of which a checkpoint holds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipelines.train.config import ConfigError
from pipelines.train.run_files import going_on, write_state

from .batches import Sampler
from .losses import label_loss, motion_loss, point_weights
from .network import Network


class Gains(nn.Module):
    """How far each training speaker moves the mouth, which the sound does not tell; 1 for anybody else."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.zeros(people))

    def forward(self, who: Tensor) -> Tensor:
        return self.log.clamp(-1.2, 1.2).exp()[who][:, None, None, None]


class SpeechLearner:
    """Takes optimiser steps.

    Parameters
    ----------
    network : with its statistics set
    sampler : of the recordings
    rate, decay : learning rate at its highest, and weight decay
    weights : of each loss term
    """

    def __init__(
        self, network: Network, sampler: Sampler, rate: float, decay: float, weights: dict[str, float]
    ) -> None:
        self.network, self.sampler, self._rate, self._weights = network.train(), sampler, rate, weights
        self.gains = Gains(len(sampler.identities))
        self.average = deepcopy(network).eval().requires_grad_(False)
        self.step = 0
        matrices = [p for p in network.parameters() if p.ndim > 1]
        others = [p for p in network.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": decay},
            {"params": [*others, *self.gains.parameters()], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
        self._points = point_weights()

    def learn(self, batch: int, label_batch: int, progress: float) -> dict[str, float]:
        """One step at a part 0..1 of the way; returns the loss terms."""
        warm, cosine = min(1.0, (self.step + 1) / 100), 0.5 * (1 + math.cos(math.pi * progress))
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * warm * (0.02 + 0.98 * cosine)
        terms = self._motion_terms(batch)
        if self.sampler.labelled:
            terms |= self._label_terms(label_batch)
        loss = (
            sum(self._weights.get(name, 0.0) * value for name, value in terms.items())
            + 0.05 * self.gains.log.pow(2).mean()
            + self.gains.log.mean() ** 2
        )
        if not torch.isfinite(loss):
            wrong = ", ".join(name for name, value in terms.items() if not torch.isfinite(value))
            raise ConfigError(f"step {self.step}: {wrong or 'the loss'} is not finite. Lower learning_rate.")
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self.step += 1
        keep = min(0.995, self.step / (self.step + 19))
        with torch.no_grad():
            for ours, theirs in zip(self.average.parameters(), self.network.parameters(), strict=True):
                ours.lerp_(theirs, 1 - keep)
        return {name: value.item() for name, value in terms.items()}

    def _motion_terms(self, count: int) -> dict[str, Tensor]:
        batch = self.sampler.motion(count)
        neutral = batch.neutral + 0.01 * torch.randn_like(batch.neutral)
        condition = self.network.condition(batch.emotion, neutral)
        drop = torch.rand(len(condition), 2) < torch.tensor([0.3, 0.5])  # often no emotion given, often the mean face
        condition = torch.cat([condition[:, :7] * ~drop[:, :1], condition[:, 7:] * ~drop[:, 1:]], -1)
        coefficients, _, _ = self.network(batch.blocks, condition)
        motion = self.network.motion(self.network.smooth(coefficients)) * self.gains(batch.who)
        return motion_loss(motion, batch.motion, batch.mask, self._points)

    def _label_terms(self, count: int) -> dict[str, Tensor]:
        speech = self.sampler.labels(count)
        nobody = torch.zeros(len(speech.blocks), self.network.film.in_features)
        coefficients, logits, _ = self.network(speech.blocks, nobody)
        spoken = self.network.motion(self.network.smooth(coefficients))
        return label_loss(spoken, logits, speech.labels, speech.mask, speech.still)

    def save(self, path: Path) -> None:
        """Everything that the run needs to go on in the same bits, chance included."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "gains": self.gains.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "chance": torch.get_rng_state(),
            "sampler": self.sampler.rng.bit_generator.state,
        }
        write_state(path, state)

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        with going_on(path) as state:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.gains.load_state_dict(state["gains"])
            self._optimiser.load_state_dict(state["optimiser"])
            self.step = int(state["step"])
            torch.set_rng_state(state["chance"])
            self.sampler.rng.bit_generator.state = state["sampler"]


def running(seen: dict[str, float], terms: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Moving averages of the loss terms."""
    return seen | {name: 0.98 * seen.get(name, value) + 0.02 * value for name, value in terms}
