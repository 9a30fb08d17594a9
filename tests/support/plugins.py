"""Packages of other people, put where Python finds them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from speechhead.cli import main
from speechhead.generators.families import registry
from speechhead.tts import engine


@contextmanager
def installed(folder: Path, file: Path, group: str, name: str, value: str) -> Iterator[None]:
    """One file in a folder on the path, with the metadata that pip writes of its entry point."""
    metadata = folder / f"{file.stem}-1.0.dist-info"
    metadata.mkdir(parents=True)
    shutil.copy(file, folder / file.name)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {file.stem}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    found = (registry._packaged, registry.entries, registry._note, engine.engines, engine._warn, main.joined)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        for cached in found:
            cached.cache_clear()
        yield
    for cached in found:
        cached.cache_clear()


@contextmanager
def package(folder: Path, name: str, code: str, group: str, entry: str, attribute: str) -> Iterator[None]:
    """A package of one module of this name and code, whose entry point is the module's attribute."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(code)
    with installed(folder / f"site_{name}", file, group, entry, f"{name}:{attribute}"):
        yield
