"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Average(Generic[Network]):
    """`family` is a copy of the network whose weights follow: w' = d w' + (1 - d) w.

    d grows with the steps n as (1 + n) / (10 + n) up to `decay`, so that the beginning is soon forgotten (Karras et
    al., 2018, use the average for all pictures that they show). Running statistics and counters are copied.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.family: Network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay, self.steps = decay, 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Follow the network's weights as they are now."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for mine, theirs in zip(self.family.parameters(), network.parameters()):
            mine.lerp_(theirs, 1 - decay)
        for kept, current in zip(self.family.buffers(), network.buffers()):
            kept.copy_(current)
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        """The averaged weights and how many steps they saw."""
        return {"weights": self.family.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.family.load_state_dict(state["weights"])
        self.steps = int(state["steps"])
