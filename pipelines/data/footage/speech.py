"""Samples of footage as Speech2Landmarks' trainer reads them: wav, catalogue, meshes, offsets.

    python -m pipelines.data.footage.speech FOLDER OUT

Then `python -m pipelines.train.speech.prepare --media OUT --out DIR`, and in the training config "media": OUT,
"landmarks": OUT/landmarks, "lags": OUT/lags.json. Offsets are undone already, so all of them are 0.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipelines.command import command
from speechhead.audio.io import save_wav

from .shards import open_samples

COLUMNS = ("file", "split", "identity", "seconds", "audio", "language", "source", "source_file", "licence", "notes")


def export(folder: Path, out: Path) -> int:
    """Write the samples of a folder whose sound is in step; returns their number."""
    (out / "landmarks").mkdir(parents=True, exist_ok=True)
    samples, rows = open_samples(folder, sound=True), []
    for sample in samples:
        about = sample.about
        save_wav(out / f"{about['id']}.wav", sample.waveform)
        np.savez(out / "landmarks" / f"{about['id']}.npz", mesh=sample["mesh"])
        row = {column: about.get(column, "") for column in COLUMNS}
        rows.append(row | {"file": f"{about['id']}.wav", "audio": True, "source_file": about["video"]})
    with (out / "catalog.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    lags = {sample.about["id"]: {"lag": 0.0, "usable": True} for sample in samples}
    (out / "lags.json").write_text(json.dumps(lags, indent=1), encoding="utf-8")
    return len(samples)


def main(
    folder: Annotated[Path, typer.Argument(help="Samples made by pipelines.data.footage.")],
    out: Annotated[Path, typer.Argument(help="Folder for the recordings.")],
) -> None:
    """Write the recordings and print their number."""
    print(f"{out}: {export(folder, out)} recordings")


app = command(main)


if __name__ == "__main__":
    app()
