"""Evaluate the shipped weights: every metric on every clip, beside the baselines.

    python -m pipelines.evaluate --clips DIR --json OUT

DIR is any folder of talking-face clips; sound and a catalog.csv are optional. See pipelines/README.md for the metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from pipelines.judge.clips import Entry, list_clips
from pipelines.judge.run import NO_GENERATOR, Evaluator, Row, Settings, mean
from speechhead.core import weights
from speechhead.core.errors import SpeechheadError

from .judge import detail, earlier, failures, markdown, shifts, targets

_evaluator: Evaluator | None = None  # one per worker process: networks are opened once


def _open(settings: Settings) -> None:
    global _evaluator
    _evaluator = Evaluator(settings)


def _clip(entry: Entry) -> Row:
    assert _evaluator is not None
    return _evaluator.clip(entry)


def evaluate(entries: Sequence[Entry], settings: Settings, workers: int = 1) -> Iterator[Row]:
    """Rows of all clips in order, made by `workers` processes.

    Raises
    ------
    WeightsError if the networks can not be opened.
    """
    if workers <= 1:
        evaluator = Evaluator(settings)
        yield from map(evaluator.clip, entries)
        return
    Evaluator(settings)  # a missing weight is one clear error here, not a broken pool
    with ProcessPoolExecutor(workers, get_context("spawn"), _open, (settings,)) as pool:
        yield from pool.map(_clip, entries)


def report(rows: Sequence[Row], settings: Settings, before: str = "", sharpness: Sequence[Row] = ()) -> dict[str, Any]:
    """The JSON document: what ran, every clip, the means over clips, over people and over subsets, and the rest.

    before: what `earlier` is; sharpness: rows of `detail.measure`.
    """
    try:
        code = version("speechhead")
    except PackageNotFoundError:
        code = "source tree"
    shown = {"generator": settings.generator, "size": settings.size, "seconds": settings.seconds}
    chosen = targets.subsets(list(rows))
    shifted = [row["shifts"] for row in rows if "shifts" in row]
    return {
        "code": code,
        "weights": {name: weight.sha256 for name, weight in weights.manifest().items()},
        "weights_bytes": sum(weights.path(name).stat().st_size for name in weights.manifest()),
        "settings": shown,
        "earlier": before,
        "clips": list(rows),
        "mean": mean(rows),
        "mean_over_people": mean(rows, by_person=True),
        "subset_clips": {name: [row["file"] for row in own] for name, own in chosen.items()},
        "subsets": {name: mean(own) for name, own in chosen.items()},
        "shifts": shifts.summary(shifted) if shifted else [],
        "detail": list(sharpness),
    }


def table(task: str, means: Row) -> Table:
    """Means of one task as a table for people, methods as rows."""
    shown = Table(title=task.replace("_", "-"), title_justify="left")
    shown.add_column("")
    for name in markdown.COLUMNS[task]:
        shown.add_column(name.replace("_", " "), justify="right")
    for method in markdown.methods(means[task]):
        cells = (markdown.number(means[task][method].get(name)) for name in markdown.COLUMNS[task])
        shown.add_row(method.replace("_", " "), *cells)
    return shown


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Command line options."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder of talking-face clips")
    parser.add_argument("--json", type=Path, required=True, help="where the report goes")
    parser.add_argument("--generator", default="compact", help=f"a generator, or {NO_GENERATOR} for baselines alone")
    parser.add_argument("--catalog", type=Path, help="catalogue with identity and split (default: DIR/catalog.csv)")
    parser.add_argument("--split", help="only this split of the catalogue, such as val")
    parser.add_argument("--limit-seconds", type=float, help="only the first seconds of each clip")
    parser.add_argument("--size", type=int, help="side of the rendered face crop (default: the clip's own resolution)")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--markdown", type=Path, help="also write the report as a page to read")
    parser.add_argument("--notes", type=Path, help="Markdown written by hand, to stand after the failures of that page")
    before = parser.add_mutually_exclusive_group()
    before.add_argument("--weights-before", type=Path, help="folder of other weights, evaluated too, as 'earlier'")
    before.add_argument("--weights-before-rev", help="the same from a git revision, run with that revision's own code")
    parser.add_argument(
        "--portraits", type=Path, nargs="*", help="pictures to measure detail on (default: the shipped)"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    return parser.parse_args(arguments)


def revision_arguments(options: argparse.Namespace) -> list[str]:
    """The options that choose clips and generator, for an evaluation that runs elsewhere."""
    chosen = [
        "--clips",
        str(options.clips.resolve()),
        "--generator",
        options.generator,
        "--workers",
        str(options.workers),
    ]
    for name in ("catalog", "split", "limit_seconds", "size"):
        value = getattr(options, name)
        if value is not None:
            given = str(value.resolve()) if isinstance(value, Path) else str(value)
            chosen += [f"--{name.replace('_', '-')}", given]
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: evaluate, write the report, print the means."""
    options = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else 170)
    if not options.clips.is_dir():
        print(f"{options.clips}: no such folder. Name a folder of clips.", file=sys.stderr)
        return 2
    entries = list_clips(options.clips, options.split, options.catalog)
    if not entries:
        print(f"{options.clips}: no clips{f' of split {options.split}' if options.split else ''}.", file=sys.stderr)
        return 2
    settings = Settings(
        options.generator, options.size, options.limit_seconds, options.sheets, before=options.weights_before
    )
    workers = min(options.workers, len(entries))
    if workers == 1:
        settings = replace(settings, threads=os.cpu_count() or 1)
    started = time.monotonic()
    try:
        rows = list(progress(evaluate(entries, settings, workers), "clips", len(entries), console=Console(stderr=True)))
        if options.weights_before_rev:
            earlier.beside(rows, earlier.revision_rows(options.weights_before_rev, revision_arguments(options)))
        sharpness = []
        if settings.generator != NO_GENERATOR:
            sharpness = [detail.measure(path, settings.generator) for path in detail.portraits(options.portraits)]
    except SpeechheadError as error:
        print(error, file=sys.stderr)
        return 2
    if options.sheets is not None:
        failures.sheet(rows, options.sheets)
    before = ""
    if options.weights_before_rev:
        before = f"revision `{options.weights_before_rev}`, its weights run by its own code"
    elif options.weights_before:
        before = f"the weights in `{options.weights_before}`, run by today's code"
    document = report(rows, settings, before, sharpness)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.markdown is not None:
        given = sys.argv[1:] if arguments is None else arguments
        command = shlex.join(["python", "-m", "pipelines.evaluate", *given])
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        notes = options.notes.read_text(encoding="utf-8") if options.notes else ""
        options.markdown.write_text(markdown.page(document, command, notes), encoding="utf-8")
    for row in rows:
        if "skipped" in row:
            console.print(f"skipped {row['skipped']}")
    for task in markdown.COLUMNS:
        if document["mean"][task]:
            console.print(table(task, document["mean"]))
    print(f"{len(rows)} clips in {time.monotonic() - started:.0f} s: {options.json}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
