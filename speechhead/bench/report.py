"""A report in words: tables for a terminal and for a page in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speechhead.core.clocks import FPS
from speechhead.core.errors import MediaError
from speechhead.core.stages import STAGES

from .case import CaseResult
from .run import BenchReport

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
"""Lines of a page between which the tables stand."""


BUSY = 0.25
"""Load, of a core, from which a machine was not quiet."""


@dataclass(frozen=True)
class BenchTable:
    """A table: title, names of the columns, rows of text; the first column is words, the others are numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def markdown(self) -> str:
        """The table in Markdown, under its title."""
        lines = ["|" + "|".join(f" {cell} " for cell in row) + "|" for row in (self.head, *self.rows)]
        lines.insert(1, "|---|" + "--:|" * (len(self.head) - 1))
        return "\n".join([f"**{self.title}**", "", *lines])


def tables(report: BenchReport) -> list[BenchTable]:
    """All tables of a report: cases beside each other, then stages and networks of each."""
    results = report.results
    found = [_overview(results), _startup(results), _sessions(results)]
    found += [_stages(result) for result in results]
    seen: dict[str, CaseResult] = {result.case.generator: result for result in reversed(results)}
    return [*found, *(_networks(seen[name]) for name in dict.fromkeys(result.case.generator for result in results))]


def title(result: CaseResult) -> str:
    """A case in a few words."""
    whose = " (random weights)" if result.weights == "random" else ""
    return f"{result.case.generator}{whose}, {result.case.size} px, {result.device}"


def _overview(results: Sequence[CaseResult]) -> BenchTable:
    rows = [
        (
            title(result),
            f"{result.frames_per_second:.1f}",
            f"{result.realtime:.2f}",
            f"{sum(stage.frame for stage in result.stages):.1f}",
            "-" if result.plain is None else f"{result.plain:.1f}",
            f"{result.track:.1f}",
            f"{result.memory:.0f}" + ("" if result.gpu_memory is None else f" + {result.gpu_memory:.0f}"),
            f"{result.drawn:.3g} of {result.case.seconds:g}",
            f"{result.whole:.0f}",
        )
        for result in results
    ]
    head = ("case", "frames/s", "real time", "ms a frame, one thread", "plain torch, ms", "tracking, ms", "MiB")
    return BenchTable("Speaking", (*head, "seconds drawn", "whole, s"), tuple(rows))


def _startup(results: Sequence[CaseResult]) -> BenchTable:
    names = list(dict.fromkeys(name for result in results for name in result.startup))
    rows = [(title(result), *(f"{result.startup.get(name, 0):.2f}" for name in names)) for result in results]
    return BenchTable("Start-up, seconds", ("case", *(name.replace("_", " ") for name in names)), tuple(rows))


def _sessions(results: Sequence[CaseResult]) -> BenchTable:
    rows = [
        (
            title(result),
            str(rate.sessions),
            f"{rate.frames_per_second:.1f}",
            f"{rate.each:.1f}",
            "yes" if rate.each >= FPS else "no",
            "one call" if rate.batched else "threads",
        )
        for result in results
        for rate in result.sessions
    ]
    head = ("case", "sessions", "frames/s", "each", f"{FPS} each", "drawn in")
    return BenchTable("Sessions, without encoding", head, tuple(rows))


def _stages(result: CaseResult) -> BenchTable:
    rows = [
        (
            STAGES.get(stage.name, "other"),
            f"{stage.calls:.2f}",
            f"{stage.median:.2f}",
            f"{stage.p95:.2f}",
            f"{stage.frame:.2f}",
            f"{stage.share:.0%}",
        )
        for stage in result.stages
    ]
    head = ("stage", "calls a frame", "median, ms", "p95, ms", "ms a frame", "share")
    return BenchTable(f"Stages: {title(result)}", head, tuple(rows))


def _networks(result: CaseResult) -> BenchTable:
    rows = [
        (
            cost.name,
            f"{cost.parameters / 1e6:.3f}" if cost.parameters else "",
            f"{cost.gflops:.4f}" if cost.gflops < 1 else f"{cost.gflops:.1f}",
            f"{cost.ms:.2f}",
        )
        for cost in result.networks
    ]
    head = ("network", "million parameters", "GFLOP a call", "ms a call")
    return BenchTable(f"Networks: {result.case.generator}", head, tuple(rows))


def summary(report: BenchReport) -> str:
    """What it ran on, in a line, and what else ran there."""
    told = report.machine
    load, least = told["load"], BUSY * told["cores"]
    busy = "" if load is None else f" Load before it began: {load:.2f}"
    busy += "" if not busy else "." if load < least else "; others ran beside it, so its times are too long."
    gpu = f", {told['gpu']}" if told["gpu"] else ""
    return (
        f"{told['processor']}, {told['cores']} cores{gpu}; {told['system']}, Python {told['python']}, onnxruntime "
        f"{told['onnxruntime']}.{busy}"
    )


def markdown(report: BenchReport, command: str) -> str:
    """The report as a part of a page: machine, command, tables, notes."""
    parts = [summary(report), f"```bash\n{command}\n```", *(table.markdown for table in tables(report))]
    return "\n\n".join([*parts, *(f"- {note}" for note in report.notes)])


def write_into(page: Path, text: str) -> Path:
    """Put a report between the markers of a page; what stood there goes.

    Raises
    ------
    MediaError if the page can not be read or written, or has not the two markers.
    """
    before, after = around(page)
    try:
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    except OSError as error:
        raise _unusable(page, error) from error
    return page


def around(page: Path) -> tuple[str, str]:
    """What stands before and after the tables of a page; raises as `write_into`, before anything is measured."""
    try:
        with page.open("r+", encoding="utf-8") as file:
            before, found, rest = file.read().partition(BEGIN)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(page, error) from error
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise MediaError(f"{page}: has no lines {BEGIN} and {END}. Put them where the tables are to stand.")
    return before, after


def _unusable(page: Path, error: Exception) -> MediaError:
    return MediaError(f"{page}: can not be read and written as text ({error}). Choose another page.")
