"""The torch families against recordings of the published implementations, array by array.

    python -m pipelines.parity DIR [--device cuda]

DIR is a fixture (`config.json`, `weights.safetensors`, `io.npz`) or a folder of them. One JSON line per recorded array:
{"model", "array", "max_abs_diff", "max_abs_ref"}; the difference is null where the array is missing on either side, has
another shape, or is not finite. Exit 1 if any array is missing or differs by more than 1e-3 of its range, or more than
ten times the rounding noise that the fixture states for it, whichever is larger; 2 if DIR is no fixture.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from pipelines.command import command
from pipelines.judge.parity.compare import run
from speechhead.core.errors import DeviceError


def main(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A parity fixture, or a folder of them.")],
    device: Annotated[str, typer.Option(help="What computes: auto, cpu or cuda.", metavar="NAME")] = "cpu",
) -> None:
    """Compare, and exit with what the comparison says."""
    if find_spec("torch") is None:
        raise DeviceError("parity needs torch, which is not installed. pip install 'speechhead[train]'.")
    raise typer.Exit(run(folder, device))


app = command(main)

if __name__ == "__main__":
    app()
