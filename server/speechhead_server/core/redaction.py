"""Logs that hold neither secrets nor what users say: ids, kinds of errors and places in the code."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from errno import errorcode
from pathlib import Path
from types import CodeType
from typing import Any
from urllib.parse import quote, quote_plus

import speechhead

HIDDEN = "***"

SHORTEST = 4
"""Characters from which a secret is looked for anywhere; a shorter one would be found in ordinary words."""

_CARRIED = re.compile(r"(token=|bearer[ +])[^\s&\"'<>,;)\]]+", re.IGNORECASE)
"""Where requests carry a token: a wrong one may be a right one mistyped."""

DEBUG = "SPEECHHEAD_DEBUG"
"""Environment variable that lets exceptions into the log with their messages. Secrets stay hidden."""

STANDARD = Path(sysconfig.get_paths()["stdlib"])
"""Where Python's own modules are."""

OURS = (Path(speechhead.__file__).parent, Path(__file__).parents[1])
"""Where the library and the server are, be it among installed packages."""

PASSING = (OURS[1] / "http" / "running.py",)
"""Of the server, what only hands bytes on to the parsers of libraries."""

TRACE = "Traceback (most recent call last):"

log = logging.getLogger("speechhead.server")


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that hides secrets in a text, however they are spelled there: plain, quoted, in an address."""
    known = {s for s in secrets if len(s) >= SHORTEST}
    spelled = {form for s in known for form in (s, quote(s, ""), quote_plus(s), repr(s)[1:-1], json.dumps(s)[1:-1])}
    literal = re.compile("|".join(map(re.escape, sorted(spelled, key=len, reverse=True))) or r"(?!)")
    return lambda text: literal.sub(HIDDEN, _CARRIED.sub(rf"\g<1>{HIDDEN}", text))


def outline(error: BaseException) -> str:
    """An exception's kind and where it came from, with its causes, and without any message: that may quote a user."""
    lines = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for other in (*([before] if before else []), *getattr(error, "exceptions", ())):
        lines.append(outline(other))
    lines += ["Traceback (most recent call last):\n" + "".join(traceback.format_tb(error.__traceback__)).rstrip()]
    return "\n".join([*lines, type(error).__name__])


@contextlib.contextmanager
def private_logs(secrets: Iterable[str]) -> Iterator[None]:
    """Clean the records of every logger in the process, whatever handlers there are or will be."""
    hide, make, failed = hider(secrets), logging.getLogRecordFactory(), threading.excepthook

    def cleaned(*args: Any, **options: Any) -> logging.LogRecord:
        record = make(*args, **options)
        _clean(record, hide)
        return record

    def tell(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            log.error("thread %s failed", args.thread and args.thread.name, exc_info=args.exc_value)

    logging.setLogRecordFactory(cleaned)
    threading.excepthook = tell
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
        threading.excepthook = failed


def from_outside(error: BaseException) -> bool:
    """Whether an exception came up in libraries alone: what a stranger sent has met a parser, and no step of ours."""
    return all(_is_library(code.co_filename) for code, _ in _frames(error))


def place(error: BaseException) -> str:
    """An exception's kind and the place where it came up, without its message."""
    frames = _frames(error)
    system = errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else ""
    where = "".join(f" at {Path(code.co_filename).name}:{line}" for code, line in frames[-1:])
    return f"{type(error).__name__}{f' {system}' if system else ''}{where}"


def _frames(error: BaseException) -> list[tuple[CodeType, int]]:
    return [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]


def _is_library(file: str) -> bool:
    path = Path(file)
    ours = any(folder in path.parents for folder in OURS) and path not in PASSING
    return not ours and ("site-packages" in path.parts or STANDARD in path.parents or file.startswith("<frozen"))


def _headline(record: logging.LogRecord) -> str:
    """A message without what others add to it."""
    ends = r"[(\n]" if record.name == "asyncio" else r"\n"  # it adds tasks and callbacks with all they were given
    return re.split(ends, record.getMessage(), maxsplit=1)[0].rstrip()


def _message(record: logging.LogRecord) -> str:
    """What a record says; nothing where its format is wrong, of which `logging` would print the arguments."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return ""


def _without_trace(text: str) -> str:
    """A message into which a library wrote a whole traceback: its first words, the exception's kind and its place."""
    head, _, trace = text.partition(TRACE)
    kind = trace.strip().splitlines()[-1].partition(":")[0]
    places = re.findall(r'File "(.+)", line (\d+)', trace)
    where = "".join(f" at {Path(file).name}:{line}" for file, line in places[-1:])
    return f"{head.strip()} ({kind}{where})"


def _clean(record: logging.LogRecord, hide: Callable[[str], str]) -> None:
    frank = bool(os.environ.get(DEBUG))
    error = record.exc_info[1] if record.exc_info else None
    if record.name == "asyncio" and not frank:
        record.msg, record.args = _headline(record), ()
    if error is not None:
        if not frank and not record.name.startswith("speechhead") and from_outside(error):
            record.msg, record.args = f"{_headline(record)} ({place(error)})", ()
        else:
            record.exc_text = hide("".join(traceback.format_exception(error)).rstrip() if frank else outline(error))
        record.exc_info = None
    if not frank and not record.name.startswith("speechhead") and TRACE in (text := _message(record)):
        record.msg, record.args = _without_trace(text), ()
    if isinstance(record.args, tuple):
        record.args = tuple(hide(value) if isinstance(value, str) else value for value in record.args)
    message = _message(record)
    if not message or (shown := hide(message)) != message:
        record.msg, record.args = (shown if message else hide(str(record.msg))), ()
