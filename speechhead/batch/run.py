"""A batch: the lines of a manifest to videos in a folder; what is done already stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .job import Job
from .ledger import Ledger, Record, fingerprint
from .local import Pool
from .manifest import Line, read_manifest
from .report import Outcome, write_report
from .task import Done

Tell = Callable[[dict[str, Any]], None]
"""Takes an event: `event` is start, job, progress, done, skipped, failed or end."""


def run_batch(manifest: str | Path, folder: str | Path, pool: Pool, tell: Tell | None = None) -> list[Outcome]:
    """Do the jobs of a manifest, and write their videos, a summary and a report into a folder.

    What goes wrong with one job is recorded and hinders no other. A second run does what is left: jobs whose line,
    inputs and files are as they were are skipped. An interrupt leaves a folder that a later run goes on with.

    Parameters
    ----------
    manifest : see `read_manifest`
    folder : made if it is not there
    pool : does the jobs
    tell : called with each event

    Returns
    -------
    An outcome for each line, in order.

    Raises
    ------
    BatchError if the manifest or the folder is not usable.
    """
    tell = tell or (lambda event: None)
    lines = read_manifest(manifest, Path(folder))
    outcomes: dict[int, Outcome] = {}
    with Ledger(folder) as ledger:
        try:
            tell({"event": "start", "jobs": len(lines)})
            for line, outcome in _outcomes(lines, ledger, pool, tell):
                outcomes[line.number] = outcome
                tell(_event(outcome, len(outcomes), len(lines)))
        finally:
            ordered = [outcomes.get(line.number, Outcome(line, "left")) for line in lines]
            write_report(ledger.folder, ordered)
    tell(
        {
            "event": "end",
            **{name: sum(each.status == name for each in ordered) for name in ("done", "skipped", "failed")},
        }
    )
    return ordered


def _outcomes(lines: list[Line], ledger: Ledger, pool: Pool, tell: Tell) -> Iterator[tuple[Line, Outcome]]:
    todo: list[tuple[Line, Job, str]] = []
    for line in lines:
        if line.job is None:
            yield line, Outcome(line, "failed")
            continue
        mark = fingerprint(line.job)
        record = ledger.find(line.job, mark)
        if record is not None:
            yield line, Outcome(line, "skipped", record)
        else:
            todo.append((line, line.job, mark))
    tasks = [(job, ledger.work(job)) for _, job, _ in todo]
    for number, news, attempt in pool.run(tasks):
        line, job, mark = todo[number]
        if not isinstance(news, Done):
            tell({"event": "progress", "line": line.number, "output": line.output, **news})
            continue
        record = _settled(ledger, job, tasks[number][1], news, mark, attempt)
        ledger.keep(record)
        yield line, Outcome(line, record.status, record)


def _settled(ledger: Ledger, job: Job, work: Path, done: Done, mark: str, attempt: int) -> Record:
    """The record of a job that ended, its files moved to their places if it went well."""
    about = {"notes": done.notes, "frames": done.frames, "seconds": done.seconds, "attempts": attempt}
    error = done.error
    if error is None:
        try:
            files = ledger.settle(job, work)
            return Record(job.output, mark, "done", files=files, **about)  # type: ignore[arg-type]
        except OSError as fault:
            error = f"{job.output}: can not be put there ({(fault.strerror or 'not writable').lower()})."
    clean = error.replace(f"{work}/", "")
    return Record(job.output, mark, "failed", clean, **about)  # type: ignore[arg-type]


def _event(outcome: Outcome, number: int, jobs: int) -> dict[str, Any]:
    about = {name: value for name, value in outcome.row.items() if name in ("line", "output", "frames", "seconds")}
    wrong = {"error": outcome.error} if outcome.error else {}
    return {"event": outcome.status, "number": number, "jobs": jobs, **about, **wrong}
