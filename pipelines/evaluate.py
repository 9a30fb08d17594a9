"""Every metric of a generator on every clip, beside the baselines.

    python -m pipelines.evaluate --clips DIR --json OUT

DIR is any folder of talking-face clips; sound and a catalog.csv are optional. See pipelines/README.md for the metrics.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from pipelines.command import command, spelled
from pipelines.judge.clips import ClipEntry, list_clips
from pipelines.judge.portraits import PortraitJudge, PortraitSettings
from pipelines.judge.run import NO_GENERATOR, EvaluationSettings, Evaluator, Row, mean
from speechhead.core import weights
from speechhead.core.errors import SpeechheadError
from speechhead.core.options import check_landmarks

from .judge import closeness, detail, earlier, failures, markdown, portraits, shifts, speaking, tables, targets

CLIPS = "clips"
"""Name of the set of clips that everything is measured on."""

_judge: Callable[[Any], Row] | None = None  # one per worker process: networks are opened once


def _of(settings: EvaluationSettings | PortraitSettings) -> Callable[[Any], Row]:
    if isinstance(settings, PortraitSettings):
        return PortraitJudge(settings).portrait
    return Evaluator(settings).clip


def _open(settings: EvaluationSettings | PortraitSettings) -> None:
    global _judge
    cv2.setNumThreads(1)
    _judge = _of(settings)


def _row(entry: ClipEntry | Path) -> Row:
    assert _judge is not None
    return _judge(entry)


def evaluate(
    entries: Sequence[ClipEntry] | Sequence[Path], settings: EvaluationSettings | PortraitSettings, workers: int = 1
) -> Iterator[Row]:
    """Rows of all clips, or of all portraits where the settings are theirs, in order, made by `workers` processes.

    Raises
    ------
    WeightsError if the networks can not be opened.
    """
    judge = _of(settings)  # a missing weight is one clear error here, not a broken pool
    if workers <= 1:
        yield from map(judge, entries)
        return
    del judge
    with ProcessPoolExecutor(workers, get_context("spawn"), _open, (settings,)) as pool:
        yield from pool.map(_row, entries)


@dataclass(frozen=True)
class Measured:
    """All rows: of clips, of the table of detail (`detail.measure`), of portraits (`portraits.PortraitJudge`).

    people: rows of further clips by the name of their set, in which only the life of faces is measured.
    """

    clips: Sequence[Row]
    detail: Sequence[Row] = ()
    portraits: Sequence[Row] = ()
    people: Mapping[str, Sequence[Row]] = field(default_factory=dict)


def report(measured: Measured, settings: EvaluationSettings, before: str = "") -> dict[str, Any]:
    """The JSON document: what ran, every clip, the means over clips, over people and over subsets, and the rest.

    before: what `earlier` is.
    """
    rows = measured.clips
    try:
        code = version("speechhead")
    except PackageNotFoundError:
        code = "source tree"
    shown = {"generator": settings.generator, "size": settings.size, "seconds": settings.seconds}
    chosen = targets.subsets(list(rows))
    shifted = [row["shifts"] for row in rows if "shifts" in row]
    sets = {CLIPS: rows, **measured.people}
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
        "detail": list(measured.detail),
        "portraits": list(measured.portraits),
        "portrait_summary": portraits.summary(measured.portraits),
        "portrait_limit": portraits.limit(measured.portraits),
        "speech_frames": speaking.rule(),
        "life": {name: found for name, own in sets.items() if (found := closeness.summary(own))},
        "people": [row for own in measured.people.values() for row in own],
    }


def table(task: str, means: Row) -> Table:
    """Means of one task as a table for people, methods as rows."""
    shown = Table(title=task.replace("_", "-"), title_justify="left")
    shown.add_column("")
    for name in markdown.COLUMNS[task]:
        shown.add_column(name.replace("_", " "), justify="right")
    for method in markdown.methods(means[task]):
        cells = (tables.number(means[task][method].get(name)) for name in markdown.COLUMNS[task])
        shown.add_row(method.replace("_", " "), *cells)
    return shown


@dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated, on which clips, and where the report goes."""

    clips: Annotated[Path, typer.Option(help="Folder of talking-face clips.")]
    json: Annotated[Path, typer.Option(help="Where the report goes.")]
    generator: Annotated[str, typer.Option(help=f"A generator, or {NO_GENERATOR} for baselines alone.")] = "compact"
    catalog: Annotated[
        Path | None, typer.Option(help="Catalogue with identity and split; CLIPS/catalog.csv if not given.")
    ] = None
    split: Annotated[str | None, typer.Option(help="Only this split of the catalogue, such as val.")] = None
    limit_seconds: Annotated[float | None, typer.Option(help="Only the first seconds of each clip.")] = None
    size: Annotated[
        int | None, typer.Option(help="Side of the rendered face crop; the clip's own resolution if not given.")
    ] = None
    sheets: Annotated[Path | None, typer.Option(help="Folder for contact sheets.")] = None
    markdown: Annotated[Path | None, typer.Option(help="Also write the report as a page to read.")] = None
    notes: Annotated[
        Path | None, typer.Option(help="Markdown written by hand, to stand after the failures of that page.")
    ] = None
    weights_before: Annotated[
        Path | None, typer.Option(help="Folder of other weights, evaluated too, as 'earlier'.")
    ] = None
    weights_before_rev: Annotated[
        str | None, typer.Option(help="The same from a git revision, run with that revision's own code.")
    ] = None
    portraits: Annotated[Path | None, typer.Option(help="Folder of still portraits to measure too.")] = None
    portrait_list: Annotated[
        Path | None, typer.Option(help="Names of those portraits, one a line; the held-out ones if not given.")
    ] = None
    portrait_sound: Annotated[
        Path | None, typer.Option(help="What they speak; the first clip with sound if not given.")
    ] = None
    people: Annotated[
        list[str] | None,
        typer.Option(help="FOLDER:SPLIT of further clips, in which only the life of faces is measured."),
    ] = None
    detail: Annotated[
        list[Path] | None, typer.Option(help="Pictures to measure detail on; the shipped ones if not given.")
    ] = None
    landmarks: Annotated[str, typer.Option(help="What finds landmarks: mesh or face-alignment.")] = "mesh"
    workers: Annotated[int, typer.Option(help="Processes; one per core if not given.")] = os.cpu_count() or 1


def entries_of(folder: Path, split: str | None, catalogue: Path | None = None) -> list[ClipEntry]:
    """Clips of a folder; an error if there are none."""
    if not folder.is_dir():
        raise SpeechheadError(f"{folder}: no such folder. Name a folder of clips.")
    entries = list_clips(folder, split, catalogue)
    if not entries:
        of_split = f" of split {split}" if split else ""
        raise SpeechheadError(f"{folder}: no clips{of_split}.")
    return entries


def people_rows(options: EvaluateOptions, settings: EvaluationSettings) -> dict[str, list[Row]]:
    """Rows of the further sets of clips, by what names them."""
    own = replace(settings, life_only=True, before=None, revision=None)
    sets = {}
    for name in options.people or []:
        folder, _, split = name.rpartition(":")
        named = bool(folder) and not set("/\\") & set(split)
        sets[name] = entries_of(Path(folder if named else name), split if named else None)
    return {
        name: shown(name, evaluate(found, own, min(options.workers, len(found))), len(found))
        for name, found in sets.items()
    }


def clip_rows(options: EvaluateOptions, settings: EvaluationSettings) -> list[Row]:
    """Rows of all clips."""
    entries = entries_of(options.clips, options.split, options.catalog)
    workers = min(options.workers, len(entries))
    if workers == 1:
        settings = replace(settings, threads=os.cpu_count() or 1)
    return shown("clips", evaluate(entries, settings, workers), len(entries))


def portrait_rows(options: EvaluateOptions, clips: Sequence[Row], settings: EvaluationSettings) -> list[Row]:
    """Rows of all portraits; none if no folder of them is given."""
    if options.portraits is None:
        return []
    pictures = portraits.chosen(options.portraits, options.portrait_list)
    heard = [options.clips / row["file"] for row in clips if "speech" in row]
    if not pictures or not (options.portrait_sound or heard):
        raise SpeechheadError(f"{options.portraits}: no portrait of the list, or no sound. Name --portrait-sound.")
    sound = options.portrait_sound or heard[0]
    how = PortraitSettings(
        settings.generator, sound, before=settings.before, revision=settings.revision, sheets=settings.sheets
    )
    workers = min(options.workers, len(pictures))
    return shown("portraits", evaluate(pictures, how, workers), len(pictures))


def shown(name: str, rows: Iterator[Row], count: int) -> list[Row]:
    """All rows, with a bar on a terminal as they come."""
    return list(progress(rows, name, count, console=Console(stderr=True)))


def measure(options: EvaluateOptions) -> tuple[Measured, EvaluationSettings]:
    """Everything that is asked for, and what it was measured with."""
    settings = EvaluationSettings(
        options.generator,
        options.size,
        options.limit_seconds,
        options.sheets,
        before=options.weights_before,
        landmarks=check_landmarks(options.landmarks),
    )
    revision, judged = options.weights_before_rev, settings.generator != NO_GENERATOR
    if options.portraits is not None and judged:
        portraits.check(settings.generator)  # before clips are measured, which takes long
    with earlier.unpacked(revision) if revision and judged else nullcontext() as folder:
        settings = replace(settings, revision=folder)
        clips = clip_rows(options, settings)
        if not judged:
            return Measured(clips), settings
        stills = portrait_rows(options, clips, settings)
    people = people_rows(options, settings)
    sharpness = [detail.measured(path, settings.generator) for path in detail.portraits(options.detail)]
    return Measured(clips, sharpness, stills, people), settings


def before(options: EvaluateOptions) -> str:
    """What `earlier` is, in words."""
    if options.weights_before_rev:
        return f"revision `{options.weights_before_rev}`, run by its own code, driven and measured by today's"
    if options.weights_before:
        return f"the weights in `{options.weights_before}`, run by today's code"
    return ""


def write(path: Path, text: str) -> None:
    """A text file, and the folder it goes to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main(options: EvaluateOptions, context: typer.Context) -> None:
    """Evaluate, write the report, print the means."""
    if options.weights_before and options.weights_before_rev:
        raise typer.BadParameter("--weights-before and --weights-before-rev exclude each other.")
    started = time.monotonic()
    measured, settings = measure(options)
    rows = measured.clips
    if options.sheets is not None:
        failures.sheet(rows, options.sheets, measured.portraits)
    document = report(measured, settings, before(options))
    write(options.json, json.dumps(document, indent=1) + "\n")
    if options.markdown is not None:
        notes = options.notes.read_text(encoding="utf-8") if options.notes else ""
        write(options.markdown, markdown.page(document, spelled("pipelines.evaluate", context), notes))
    console = Console(width=None if sys.stdout.isatty() else 170)
    skipped = markdown.skipped(document)
    for words in skipped:
        console.print(f"skipped {words}")
    for task in markdown.COLUMNS:
        if document["mean"][task]:
            console.print(table(task, document["mean"]))
    for method, groups in document["portrait_summary"].items():
        found = {name: round(value, 3) for name, value in groups["all"].items() if value is not None}
        print(f"portraits, {method}: {json.dumps(found)}")
    without = f", {len(skipped)} skipped" if skipped else ""
    print(f"{len(rows)} clips{without} in {time.monotonic() - started:.0f} s: {options.json}")


app = command(main)


if __name__ == "__main__":
    app()
