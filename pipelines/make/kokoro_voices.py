"""Make weights/kokoro_voices.npz from the voices of the npm package kokoro-js (Apache-2.0).

python -m pipelines.make.kokoro_voices package/voices weights/kokoro_voices.npz

A voice is a style for every number of tokens, 510 x 256 numbers; all of them lie in a space of few dimensions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipelines.command import command
from speechhead.core.arrays import Array
from speechhead.tts.kokoro import VOICES, unpacked

RANK = 8
"""Dimensions kept: what is left out is under a thousandth of a style, and less than half precision loses."""

LENGTHS, SIZE = 510, 256

LARGEST_ERROR = 2e-3
"""Largest difference of a style from the original, in its own units (their standard deviation is about 0.2)."""


def packed(styles: Array) -> dict[str, Array]:
    """Styles [510, 256] as their mean [256] and factors [510, 8] and [8, 256], half precision."""
    mean = styles.mean(0)
    left, size, right = np.linalg.svd(styles - mean, full_matrices=False)
    root = np.sqrt(size[:RANK])
    parts = {"mean": mean, "length": left[:, :RANK] * root, "style": root[:, None] * right[:RANK]}
    return {name: part.astype(np.float16) for name, part in parts.items()}


def main(
    folder: Annotated[Path, typer.Argument(help="Folder with af_heart.bin and the others.")],
    target: Annotated[Path, typer.Argument(help="File to write.")],
) -> None:
    """Write the voices, and how far each is from the original."""
    arrays: dict[str, Array] = {}
    for name in VOICES:
        path = folder / f"{name}.bin"
        if not path.is_file() or path.stat().st_size != 4 * LENGTHS * SIZE:
            raise typer.BadParameter(
                f"{path}: no voice of {LENGTHS} x {SIZE} float32. Unpack kokoro-js and name voices/."
            )
        styles = np.fromfile(path, np.float32).reshape(LENGTHS, SIZE)
        parts = packed(styles)
        error = float(np.abs(unpacked(parts) - styles).max())
        print(f"{name}: off by {error:.1e} at most")
        if error > LARGEST_ERROR:
            raise typer.BadParameter(f"{path}: not of {RANK} dimensions ({error:.1e}). Raise RANK.")
        arrays |= {f"{name}_{part}": values for part, values in parts.items()}
    np.savez_compressed(target, allow_pickle=False, **arrays)
    print(target)


app = command(main)


if __name__ == "__main__":
    app()
