"""The command `speechhead bench`."""

from __future__ import annotations

import json as notation
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechhead.bench.case import BenchCase, BenchOptions

from .records import from_records

if TYPE_CHECKING:
    from speechhead.bench.run import BenchReport


@from_records()
def bench(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the tables into this page, between its markers.", metavar="FILE")
    ] = None,
    *,
    options: BenchOptions,
) -> None:
    """Measure how fast this machine is, stage by stage."""
    from speechhead.bench.report import around, write_into
    from speechhead.bench.report import markdown as as_markdown
    from speechhead.bench.run import bench as run

    if markdown is not None:
        around(markdown)
    report = run(options.cases, _tell)
    if markdown is not None:
        print(write_into(markdown, as_markdown(report, shlex.join(["speechhead", *sys.argv[1:]]))), file=sys.stderr)
    if json:
        print(notation.dumps(report.record))
    elif markdown is None:
        show(report)
    if report.failed:
        raise typer.Exit(1)


def _tell(case: BenchCase) -> None:
    """Say on stderr which case is measured."""
    print(f"measuring {case.generator} at {case.size} px, device {case.device} ...", file=sys.stderr, flush=True)


def show(report: BenchReport) -> None:
    """Print the tables to the terminal, as wide as they are."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from speechhead.bench.report import summary, tables

    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(summary(report), highlight=False, markup=False)
    for one in tables(report):
        table = Table(title=one.title, title_justify="left", box=SIMPLE_HEAD)
        for column, name in enumerate(one.head):
            table.add_column(name, justify="right" if column else "left", overflow="fold")
        for row in one.rows:
            table.add_row(*row)
        console.print(table)
    for note in report.notes:
        console.print(note, highlight=False, markup=False)
