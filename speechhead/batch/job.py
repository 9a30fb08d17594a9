"""A job: one video to make, as a line of a manifest or a form says it."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Union, get_args, get_origin

from speechhead.avatar.named import named_portraits
from speechhead.core.controls import Controls
from speechhead.core.errors import BatchError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import RenderOptions
from speechhead.core.outputs import keep_inputs
from speechhead.core.records import Entry, entries, shortened
from speechhead.core.results import ResultOptions
from speechhead.media.targets import check_name, is_frames
from speechhead.render.head import TABLES

RECORDS: dict[str, type] = {
    "options": RenderOptions,
    "controls": Controls,
    "film": FilmOptions,
    "results": ResultOptions,
}
"""Records whose options are columns of a manifest, under the names that they have at the command line."""

OWN = ("text", "audio", "source", "voice", "output")
SAME = {"portrait": "source"}
"""Columns of a job itself, and other names for them."""

FILES = (("results", "background"), ("controls", "head"), ("controls", "keyframes"))
"""Options that may name a file, which is taken from the manifest's folder."""

BESIDES = (("results", "subtitles"), ("results", "export_motion"), ("results", "blendshapes"), ("film", "report"))
"""Options that name a file to write besides the video, which goes into the folder of results."""

YES, NO = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


@dataclass(frozen=True)
class Job:
    """One video to make; values are plain, so that it travels between processes as JSON.

    output: file in the folder of results; text or audio: what is said; source: portrait or video, the default portrait
    if None; options, controls, film, results: fields of the records, by name.
    """

    output: str
    text: str | None = None
    audio: str | None = None
    source: str | None = None
    voice: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    controls: Mapping[str, Any] = field(default_factory=dict)
    film: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files that it reads."""
        further = (getattr(self, record).get(name) for record, name in FILES)
        given = (self.audio, self.source, *further)
        paths = [Path(each) for each in given if each]
        frames = (sorted(path.parent.glob("*.png")) if is_frames(path) else [path] for path in paths)
        return tuple(path for several in frames for path in several if path.is_file())

    @property
    def media(self) -> tuple[Path, ...]:
        """Those of its inputs that libav or Pillow reads: no tables."""
        tables = [self.controls.get("keyframes")]
        if Path(str(self.controls.get("head", ""))).suffix.lower() in TABLES:
            tables.append(self.controls["head"])
        return tuple(path for path in self.inputs if path not in [Path(each) for each in tables if each])

    @property
    def besides(self) -> tuple[str, ...]:
        """Files that it writes besides the video, by name in the folder of results."""
        given = (getattr(self, record).get(name) for record, name in BESIDES)
        return tuple(str(name) for name in given if name)


def job_of(line: Mapping[str, Any], number: int, home: Path, target: Path | None = None) -> Job:
    """The job that a line of a manifest asks for, checked as far as can be done without decoding anything.

    Parameters
    ----------
    line : column to value; empty values are not given. Names as at the command line, --size or size
    number : of the line; names a video that has no output
    home : folder that paths are taken from
    target : folder of the results

    Raises
    ------
    SpeechheadError, in one line, for an unknown column, an unusable value or a missing file.
    """
    values = _named(line)
    own = {name: str(values.pop(name)).strip() for name in OWN if name in values}
    parts: dict[str, dict[str, Any]] = {name: {} for name in RECORDS}
    for name, value in values.items():
        if name not in COLUMNS:
            known = ", ".join(sorted({*OWN, *SAME, *COLUMNS}))
            raise BatchError(f"column '{name[:40]}' is unknown. Columns are {known}.")
        record, entry = COLUMNS[name]
        parts[record][entry.name] = _typed(entry, value)
    text, audio = own.get("text"), own.get("audio")
    if bool(text) == bool(audio):
        given = "both text and audio are given" if text else "nothing to say"
        raise BatchError(f"{given}. Fill in either text or audio.")
    if audio and own.get("voice"):
        raise BatchError(f"voice '{own['voice']}': a recording is spoken as it is. Leave voice out, or give a text.")
    source = _source(own.get("source"), home)
    sound = None if audio is None else str(_file(audio, home, "sound"))
    for record, name in FILES:
        if (file := parts[record].get(name)) and (home / file).is_file():
            parts[record][name] = str((home / file).resolve())
    for name, kind in RECORDS.items():
        kind(**parts[name])
    for record, name in BESIDES:
        if name in parts[record]:
            parts[record][name] = inside(str(parts[record][name]))
    output = inside(own.get("output") or f"{number:04}-{Path(source or audio or 'speech').stem}.mp4")
    check_name(Path(output), bool(parts["results"].get("alpha")))
    job = Job(output, text, sound, source, own.get("voice"), **parts)
    if target is not None:
        keep_inputs(target / output, *map(str, job.inputs))
    return job


def _named(line: Mapping[str, Any]) -> dict[str, Any]:
    """Values that are given, by the names of columns."""
    values: dict[str, Any] = {}
    for column, value in line.items():
        name = re.sub(r"[\s-]+", "_", str(column).strip().lstrip("-")).lower()
        name = SAME.get(name, name)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        if isinstance(value, dict | list):
            raise BatchError(f"{name} {shortened(value)} is not usable. Give one value.")
        if name in values:
            raise BatchError(f"{name} is given twice. Leave one of them out.")
        values[name] = value
    return values


def _columns() -> dict[str, tuple[str, Entry]]:
    found: dict[str, tuple[str, Entry]] = {}
    for record, kind in RECORDS.items():
        for entry in entries(kind):
            if entry.option.command:
                flag = entry.option.flag.lstrip("-").replace("-", "_")
                found |= {name: (record, entry) for name in {entry.name, flag} if name}
    return found


COLUMNS = _columns()
"""Options by the names of their columns: the record, and the field."""


def _typed(entry: Entry, value: Any) -> Any:
    """A value of a manifest, where most are text, as the field's type."""
    kind = entry.option.kind or entry.kind
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if not isinstance(value, str) or kind not in (bool, int, float):
        return str(value) if kind in (str, Path) else value
    word = value.strip()
    if kind is bool:
        if word.lower() in YES + NO:
            return word.lower() in YES
        raise BatchError(f"{entry.name} '{word[:40]}' is not usable. Write yes or no.")
    try:
        number = float(word)
    except ValueError:
        raise BatchError(f"{entry.name} '{word[:40]}' is not a number. Give {entry.option.meaning}.") from None
    return int(number) if kind is int and number.is_integer() else number


def inside(name: str) -> str:
    """A file's name within the folder of results.

    Raises
    ------
    BatchError if it leads out of it, or among the folder's own files.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or re.match(r"[A-Za-z]:", name) or ".." in path.parts or "\0" in name:
        raise BatchError(f"output '{name[:80]}' leads out of the folder. Give a name within it.")
    if not path.name or any(part.startswith(".") for part in path.parts):
        raise BatchError(f"output '{name[:80]}' is no name of a file here. Use one that does not start with a dot.")
    return path.as_posix()


def _source(name: str | None, home: Path) -> str | None:
    if name is None or name in named_portraits():
        return name
    return str(_file(name, home, "picture or video"))


def _file(name: str, home: Path, what: str) -> Path:
    try:
        path = (home / name).resolve()
        if path.is_file() or (what != "sound" and (path.is_dir() or is_frames(path))):
            return path
    except (OSError, ValueError):
        pass
    raise BatchError(f"{name[:120]}: no such {what}. Paths are taken from the manifest's folder.")
