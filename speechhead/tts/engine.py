"""The engines that voices come from: found in this folder and in installed packages."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import get_type_hints

from .speech import Voice, VoiceInfo

log = logging.getLogger("speechhead")

GROUP = "speechhead.voices"
"""Entry-point group of engines in other packages: `NAME = "module:ENGINE"`, a `VoiceEngine`."""


@dataclass(frozen=True)
class VoiceEngine:
    """Everything that the rest of the library asks about an engine.

    It is the `ENGINE` of a module of `speechhead/tts`, or of a module of anybody's package, which names it under the
    entry-point group `speechhead.voices`.

    name : of the engine
    voices : its voices by their own names
    missing : what to install or set before it can speak; empty if nothing
    open : a voice by its name, and the worker threads it may use
    others : `NAME:VOICE` opens further voices, too, NAME being the engine's name
    files : ending of voice files that it opens by their path, such as '.onnx'
    """

    name: str
    voices: tuple[VoiceInfo, ...]
    missing: Callable[[], str]
    open: Callable[[str, int], Voice]
    others: bool = False
    files: str = ""


@cache
def engines() -> tuple[VoiceEngine, ...]:
    """Every engine; one whose package is broken, or whose name is taken, is left out, with one warning."""
    here = [f"{__package__}.{module.name}" for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = [importlib.import_module(module) for module in here if module != __name__]
    found: list[VoiceEngine] = [module.ENGINE for module in modules if hasattr(module, "ENGINE")]
    for entry in entry_points(group=GROUP):
        try:
            engine = _checked(entry.load())
            if engine.name in {other.name for other in found}:
                raise ValueError(f"another engine is named '{engine.name}'")
        except (Exception, SystemExit) as error:
            package = entry.dist.name if entry.dist else entry.value
            leave_out(f"voices of '{entry.name}'", f"{entry.value} of package '{package}' is not usable", error)
            continue
        found.append(_without_doubles(engine, {voice.name for other in found for voice in other.voices}, entry))
    return tuple(found)


@cache
def _warn(line: str) -> None:
    """Warn once."""
    log.warning("%s", line)


def leave_out(what: str, why: str, error: BaseException) -> None:
    """Say once that something is left out, and for which error."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:100]
    _warn(f"{what} left out: {why} ({reason}).")


def _checked(engine: object) -> VoiceEngine:
    """An engine of anybody's package, if it is one in every field.

    Raises
    ------
    TypeError that names the field, or what `missing` raises.
    """
    if not isinstance(engine, VoiceEngine):
        raise TypeError(f"no VoiceEngine but {type(engine).__name__}")
    for field, kind in (("name", str), ("voices", (tuple, list)), ("files", str)):
        if not isinstance(getattr(engine, field), kind):
            raise TypeError(f"field {field} is {type(getattr(engine, field)).__name__}")
    for voice in engine.voices:
        if not isinstance(voice, VoiceInfo):
            raise TypeError(f"a voice is no VoiceInfo but {type(voice).__name__}")
        for field, kind in get_type_hints(VoiceInfo).items():
            if not isinstance(getattr(voice, field), kind):
                raise TypeError(f"field {field} of voice '{voice.name}' is no {kind.__name__}")
    if not callable(engine.open):
        raise TypeError("field open is no function")
    absent = engine.missing()
    if not isinstance(absent, str):
        raise TypeError(f"missing() gives {type(absent).__name__}, not str")
    return engine


def _without_doubles(engine: VoiceEngine, taken: set[str], entry: EntryPoint) -> VoiceEngine:
    """An engine without the voices whose names are taken."""
    kept: dict[str, VoiceInfo] = {}
    for voice in engine.voices:
        if voice.name in taken or voice.name in kept:
            _warn(f"voice '{voice.name}' of {entry.value} left out: another voice has that name.")
        else:
            kept[voice.name] = voice
    return replace(engine, voices=tuple(kept.values()))


def engine_of(name: str) -> VoiceEngine | None:
    """The engine of a voice: the one that has it, or opens voices of such names or files."""
    for engine in engines():
        if any(voice.name == name for voice in engine.voices):
            return engine
    for engine in engines():
        if engine.others and name.startswith(f"{engine.name}:"):
            return engine
    return next((engine for engine in engines() if engine.files and name.endswith(engine.files)), None)
