"""Portraits measured one by one: what can not be opened is named and left out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import FaceError, SpeechheadError
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator


def avatars_of(folder: Path, names: Iterable[str], size: int) -> Iterator[tuple[str, Avatar]]:
    """Pictures of a folder as avatars with face crops of `size` pixels."""
    tracker = FaceTracker(threads=1)
    for name in names:
        try:
            avatar = Avatar.from_image(folder / name, size, tracker=tracker).resampled(size)
        except SpeechheadError as error:
            print(f"left out: {name}: {error}")
            continue
        yield name, avatar


def rows_of(
    portraits: Iterable[str], size: int, generator: str, measure: Callable[[Avatar, Generator], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What `measure` tells of each portrait, a picture or a shipped name, by its file's name.

    Raises
    ------
    FaceError if none could be measured.
    """
    rows: dict[str, dict[str, Any]] = {}
    for portrait in portraits:
        try:
            avatar = Avatar.open(portrait, size)
            rows[Path(portrait).name] = measure(avatar, open_generator(generator, avatar.size))
        except SpeechheadError as error:
            print(error, file=sys.stderr)
    if not rows:
        raise FaceError("no portrait could be measured; the reasons are above. Give others.")
    return rows


def told(rows: dict[str, dict[str, Any]], found: dict[str, float], output: Path | None) -> None:
    """Print a summary, and write it with its rows if there is a file for them."""
    if output:
        output.write_text(json.dumps({"summary": found, "portraits": rows}, indent=1), encoding="utf-8")
    print(json.dumps({key: round(value, 3) for key, value in found.items()}))
