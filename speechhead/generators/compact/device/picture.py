"""Frames drawn on a device: all of what a batch's parts hold, as one function of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import eyes, flow, inside, lips, windows
from .frames import Batch, BatchRows, Parts, Sizes, packed
from .networks import WindowPainter

BALLS, LIDS = "balls.", "lids."


@dataclass(frozen=True)
class Plan:
    """What is drawn, beside the tensors: frames of `size` a side; of frames, and of the eyes that look aside and that
    close, the sizes; None where there is none."""

    size: int
    frames: Sizes
    balls: Sizes | None
    lids: Sizes | None

    def grown(self, other: Plan) -> Plan:
        """Large enough for both; with eyes where the other has them."""
        balls, lids = (
            theirs and (mine.grown(theirs) if mine else theirs)
            for mine, theirs in ((self.balls, other.balls), (self.lids, other.lids))
        )
        return Plan(self.size, self.frames.grown(other.frames), balls, lids)


def planned(frames: Sequence[BatchRows], balls: Sequence[BatchRows], lids: Sequence[BatchRows], size: int) -> Plan:
    """What is drawn of the rows of frames, eyeballs and lids."""
    aside, shut = (Sizes.of(rows, size) if rows else None for rows in (balls, lids))
    return Plan(size, Sizes.of(frames, size), aside, shut)


def uploaded(
    plan: Plan, frames: Sequence[BatchRows], balls: Sequence[BatchRows], lids: Sequence[BatchRows], device: torch.device
) -> Parts:
    """All tensors of a batch. Eyes are as many as there are powers of two: the last is laid once more, the same."""
    parts = packed(frames, plan.frames, plan.size, device)
    for name, rows, sizes in ((BALLS, balls, plan.balls), (LIDS, lids, plan.lids)):
        if rows and sizes is not None:
            count = 1 << (sum(len(row.frames) for row in rows) - 1).bit_length()
            parts |= {name + key: part for key, part in packed(rows, sizes, plan.size, device, count).items()}
    return parts


def unmarked(_: str) -> AbstractContextManager[Any]:
    """No stage: nothing is waited for while a graph is made."""
    return nullcontext()


def drawn(
    parts: Parts,
    plan: Plan,
    painters: Mapping[str, WindowPainter],
    mark: Callable[[str], AbstractContextManager[Any]] = unmarked,
) -> tuple[Tensor, Tensor]:
    """Frames [B, 3, S, S] in 0..255, and the flow [B, 2, n, n] that their persons were read through.

    mark : marks stages, as `speechhead.core.stages.stage`
    """
    batch = Batch(parts, plan.frames, plan.size)
    with mark("warps"):
        fields = flow.fields(batch)
        moves = fields.flow
        frames = flow.person(batch, fields)
    with mark("composite"):
        lips.laid(batch, frames)
        if batch.most("smile"):
            frames = flow.rested(batch, frames, moves)
    with mark("networks"):
        windows.painted(batch, frames, painters)
    with mark("composite"):
        if batch.most("open"):
            inside.shown(batch, frames)
        for name, sizes, layers in ((BALLS, plan.balls, eyes.balls), (LIDS, plan.lids, eyes.lids)):
            if sizes is not None:
                own = {key.removeprefix(name): part for key, part in parts.items() if key.startswith(name)}
                each = Batch(own, sizes, plan.size)
                eyes.lay(each, frames, layers(each))
        if batch.most("room"):
            frames = flow.lit(batch, frames, moves)
    return frames, moves
