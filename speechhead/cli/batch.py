"""The command `batch`: many videos from one list."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer


def batch(
    manifest: Annotated[
        Path,
        typer.Argument(metavar="MANIFEST", help="CSV with a head line, or JSON, an object a line: a video a line."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the videos and the report.", metavar="DIR")
    ],
    workers: Annotated[int | None, typer.Option(min=1, help="Jobs at a time; one for each core if not given.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds after which a job is given up; none if not given.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Work on a Ray cluster that sees these folders: auto, local, HOST:PORT."),
    ] = None,
    gpus: Annotated[float, typer.Option(min=0, help="Part of a GPU that each worker on Ray holds, as 0.25.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print an event a line, as JSON.")] = False,
) -> None:
    """Make the videos of a list; what is done already is skipped, what fails hinders no other."""
    from speechhead.batch.cluster import RayPool
    from speechhead.batch.local import LocalPool
    from speechhead.batch.run import run_batch

    with _shown(as_json) as tell:
        pool = LocalPool(workers, timeout) if ray is None else RayPool(ray, workers, timeout, gpus)
        try:
            outcomes = run_batch(manifest, output, pool, tell)
        except KeyboardInterrupt:
            print("interrupted. The same command goes on with what is left.", file=sys.stderr)
            sys.exit(130)
        finally:
            pool.close()
    if not as_json:
        print(output / "report.html")
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


@contextmanager
def _shown(as_json: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """How events are shown: JSON on stdout; or on stderr, a bar on a terminal, and a line for each job."""
    if as_json:
        yield lambda event: print(json.dumps(event, ensure_ascii=False), flush=True)
        return
    if not sys.stderr.isatty():
        yield lambda event: _say(event, lambda line: print(line, file=sys.stderr, flush=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("jobs", total=None)

        def tell(event: dict[str, Any]) -> None:
            shown.update(task, completed=event.get("number"), total=event.get("jobs"))
            _say(event, lambda line: shown.console.print(line, markup=False, highlight=False))

        yield tell


def _say(event: dict[str, Any], put: Callable[[str], None]) -> None:
    kind = event["event"]
    if kind == "end":
        put(f"{event['done']} done, {event['skipped']} skipped, {event['failed']} failed")
    elif kind in ("done", "skipped", "failed"):
        what = event.get("error") or f"{event['frames']} frames, {event['seconds']:.1f} s"
        put(f"[{event['number']}/{event['jobs']}] {kind} {event['output']}: {what}")
