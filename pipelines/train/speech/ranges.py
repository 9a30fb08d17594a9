"""Give back to a trained network the range that averaging over people takes from it.

    python -m pipelines.train.speech.ranges CHECKPOINT OUT --chin 1.6 --corners 1.8 --width 1.15 --protrusion 2

Where the sound does not tell how far, a network moves less than anybody does: chin and corners half as far. The motion
basis is stretched in four directions, each leaving the opening as it is; correlations stay, ranges grow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from pipelines.command import command
from speechhead.core.arrays import Array

from .checkpoint import load_checkpoint, save_checkpoint
from .losses import CHIN, CORNERS, LIPS
from .network import POINTS

AT_CORNERS = {48: 1.0, 54: 1.0, 60: 1.0, 64: 1.0, 49: 0.5, 53: 0.5, 55: 0.5, 59: 0.5}
"""How far points of the lips go with their corner."""
JAW = 17
"""Points of the jaw line; its middle is the chin."""


def stretched(motion: Array, chin: float, corners: float, width: float, protrusion: float) -> Array:
    """Motion [..., 70, 3] with factors on how far the chin falls, the corners rise and part, and the lips come forward.

    A linear map: what goes with a direction is moved by as much as the direction has grown, less to the sides.
    """
    result = np.array(motion, np.float32)
    fall = motion[..., CHIN, 1].mean(-1)
    share = np.sin(np.linspace(0, np.pi, JAW)).astype(np.float32)
    result[..., :JAW, 1] += (chin - 1) * fall[..., None] * share
    rise = motion[..., CORNERS, 1].mean(-1)
    part = (motion[..., CORNERS[1], 0] - motion[..., CORNERS[0], 0]) / 2
    for point, weight in AT_CORNERS.items():
        side = 1 if point in (54, 64, 53, 55) else -1
        result[..., point, 1] += weight * (corners - 1) * rise
        result[..., point, 0] += weight * (width - 1) * side * part
    result[..., LIPS, 2] += (protrusion - 1) * motion[..., LIPS, 2].mean(-1)[..., None]
    return result


def main(
    checkpoint: Annotated[Path, typer.Argument(help="A network as training saved it.")],
    out: Annotated[Path, typer.Argument(help="Checkpoint to write.")],
    chin: Annotated[float, typer.Option(min=0.5, max=3, help="Factor on how far the chin falls.")] = 1.0,
    corners: Annotated[float, typer.Option(min=0.5, max=3, help="Factor on how far the corners rise.")] = 1.0,
    width: Annotated[float, typer.Option(min=0.5, max=3, help="Factor on how far the corners part.")] = 1.0,
    protrusion: Annotated[float, typer.Option(min=0.5, max=3, help="Factor on how far the lips come forward.")] = 1.0,
) -> None:
    """Stretch the basis and write the checkpoint."""
    network, notes = load_checkpoint(checkpoint)
    basis = network.basis.numpy().reshape(-1, POINTS, 3)
    moved = stretched(basis, chin, corners, width, protrusion).reshape(len(basis), -1)
    network.basis.copy_(torch.from_numpy(moved))
    stretch = {"chin": chin, "corners": corners, "width": width, "protrusion": protrusion}
    save_checkpoint(out, network, notes | {"stretch": stretch})
    print(out)


app = command(main)


if __name__ == "__main__":
    app()
