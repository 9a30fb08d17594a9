"""The loss on people who are not learnt from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import default_collate

from speechhead.generators.families.family import Family

from .config import FamilyTraining
from .data import FamilyPairs
from .fitting import fit
from .objectives import Objective, objective_class
from .sources import FamilyClip

PAIRS = 1
"""Seed of the pairs that are judged: the same in every run on the same clips."""


class HeldOut:
    """The same pairs of held-out people, judged again and again."""

    def __init__(self, clips: Sequence[FamilyClip], options: FamilyTraining, device: torch.device) -> None:
        self.pairs = FamilyPairs(clips, PAIRS, False, objective_class(options.stage).neighbours)
        self.count, self.batch, self.device = options.judged, options.batch, device

    @torch.no_grad()
    def __call__(self, objective: Objective, family: Family) -> dict[str, float]:
        """The objective's weighted losses with the averaged weights of the family, without the discriminator's; `l1`,
        the mean absolute difference from the true pictures in 0..1, where it draws."""
        own, training = objective.family, {module: module.training for module in objective.modules()}
        objective.family = family
        objective.eval()
        sums: dict[str, list[float]] = {}
        try:
            for first in range(0, self.count, self.batch):
                numbers = range(first, min(first + self.batch, self.count))
                batch = {k: v.to(self.device) for k, v in default_collate([self.pairs[n] for n in numbers]).items()}
                losses, made, _ = objective(batch, first)
                if made is not None:
                    losses["l1"] = (made.float() - fit(batch["driver"], made.shape[-1])).abs().mean()
                for name, value in losses.items():
                    sums.setdefault(name, []).extend([value.item()] * len(numbers))
        finally:
            objective.family = own
            for module, mode in training.items():
                module.training = mode
        return {name: float(np.mean(values)) for name, values in sums.items()}

    @staticmethod
    def tell(step: int, found: dict[str, float], output: Path) -> None:
        """A line on the terminal, and one in `validation.jsonl`."""
        line = {"step": step} | {name: round(value, 5) for name, value in found.items()}
        with (output / "validation.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        print("held out: " + " ".join(f"{name} {value:.4g}" for name, value in line.items()), flush=True)
