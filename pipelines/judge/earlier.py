"""Earlier weights beside ours: a revision of this repository, run with its own code on the same clips."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechhead.core.errors import WeightsError

Row = dict[str, Any]

ROOT = Path(__file__).parents[2]


def revision_rows(revision: str, arguments: Sequence[str]) -> list[Row]:
    """Rows of all clips as the revision itself evaluates them: networks change their form along with their weights.

    Parameters
    ----------
    revision : as git names it
    arguments : of `python -m pipelines.evaluate`, without --json

    Raises
    ------
    WeightsError if there is no such revision, or its evaluation fails.
    """
    packed = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        said = packed.stderr.decode(errors="replace").strip().splitlines()
        raise WeightsError(f"revision {revision}: {said[-1] if said else 'not found'}. Name one of this repository.")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        report = folder / "earlier.json"
        command = [sys.executable, "-m", "pipelines.evaluate", *arguments, "--json", str(report)]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode or not report.is_file():
            said = done.stdout.decode(errors="replace").strip().splitlines()
            raise WeightsError(f"revision {revision}: its evaluation failed ({said[-1] if said else 'no word'}).")
        rows: list[Row] = json.loads(report.read_text(encoding="utf-8"))["clips"]
    return rows


def beside(rows: Sequence[Row], earlier: Sequence[Row]) -> None:
    """Put `ours` of earlier rows into the rows of the same clips, as the method `earlier`."""
    by_file = {row["file"]: row for row in earlier}
    for row in rows:
        before = by_file.get(row["file"], {})
        for task in ("self_reenactment", "speech"):
            for name, values in before.get(task, {}).items():
                if task in row and name.startswith("ours"):
                    row[task][name.replace("ours", "earlier", 1)] = values
