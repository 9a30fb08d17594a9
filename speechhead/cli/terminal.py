"""What commands read and print: a text on stdin, aligned tables on stdout, a progress bar on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


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
    """A progress bar on stderr where that is a terminal; stdout stays free for the path."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("frames", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
