"""What commands read and print: a text on stdin, aligned tables on stdout, a progress bar on stderr."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Tell = Callable[[int, "int | None"], None]
"""Called with the frames done and, where it is known, their number."""

LINE_SECONDS = 10.0
"""Seconds between lines about a run where there is no terminal: a short run says nothing."""


def standard_input() -> str:
    """The text that comes on stdin, with a line break at its end, so that it is never taken for a file's name.

    Raises
    ------
    SpeechSynthesisError if it is too long, or no text.
    """
    from speechhead.render.track import MOST_TEXT, decoded

    return decoded(sys.stdin.buffer.read(MOST_TEXT + 1), "standard input") + "\n"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print aligned columns, the last one as long as it is: read by people and by `cut` alike."""
    rows = [head, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip())


@contextmanager
def bar() -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on stderr where that is a terminal, lines otherwise; stdout stays free for the path."""
    if not sys.stderr.isatty():
        yield _plain()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("frames", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def _plain() -> Callable[[int, int | None], None]:
    """Lines on stderr about a long run, for logs: the first after LINE_SECONDS, then as far apart."""
    said = time.monotonic()
    first: tuple[float, int] | None = None

    def tell(done: int, total: int | None) -> None:
        nonlocal said, first
        now = time.monotonic()
        first = first or (now, done)
        if now - said < LINE_SECONDS:
            return
        said = now
        of = f" of {total} ({done / total:.0%})" if total else ""
        if total and done > first[1]:  # the time before the first frame tells nothing of the others
            of += f", {(now - first[0]) / (done - first[1]) * (total - done):.0f} s left"
        print(f"{done} frame{'' if done == 1 else 's'}{of}", file=sys.stderr, flush=True)

    return tell


class JsonLines(logging.Handler):
    """What happens as JSON on stdout, a line each: progress, notes, and how it ends."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said = 0.0

    def event(self, name: str, **fields: object) -> None:
        """Say that something has happened."""
        print(json.dumps({"event": name, **fields}), flush=True)

    def emit(self, record: logging.LogRecord) -> None:
        self.event("note", text=record.getMessage())

    def progress(self, done: int, total: int | None) -> None:
        """Say how many frames are done, once a second and at the end."""
        now = time.monotonic()
        if now - self._said >= 1 or done == total:
            self._said = now
            self.event("progress", done=done, total=total)


@contextmanager
def told(as_json: bool, **start: object) -> Iterator[tuple[Tell | None, Callable[[Path], None]]]:
    """How a run tells what it does, and what it has made: in words, or as JSON lines for programs.

    Parameters
    ----------
    start : what the first of the lines says
    """
    if not as_json:
        with bar() as shown:
            yield shown, print
        return
    lines, log = JsonLines(), logging.getLogger("speechhead")
    before, log.handlers = log.handlers, [lines]
    lines.event("start", **start)
    try:
        yield lines.progress, lambda path: lines.event("done", output=str(path))
    except BaseException as error:
        text = "interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else " ".join(str(error).split())
        lines.event("error", text=text)
        raise
    finally:
        log.handlers = before
