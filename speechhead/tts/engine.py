"""The engines that voices come from: found in this folder and in installed packages."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

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
    """Every engine; one whose package is broken is left out, with a warning."""
    here = [f"{__package__}.{module.name}" for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    modules = [importlib.import_module(module) for module in here if module != __name__]
    found = [module.ENGINE for module in modules if hasattr(module, "ENGINE")]
    for entry in entry_points(group=GROUP):
        try:
            found.append(entry.load())
        except (ImportError, AttributeError) as error:
            reason = " ".join(str(error).split())[:100]
            log.warning("voices of '%s' left out: %s can not be imported (%s).", entry.name, entry.value, reason)
    return tuple(found)


def engine_of(name: str) -> VoiceEngine | None:
    """The engine of a voice: the one that has it, or opens voices of such names or files."""
    for engine in engines():
        if any(voice.name == name for voice in engine.voices):
            return engine
    for engine in engines():
        if engine.others and name.startswith(f"{engine.name}:"):
            return engine
    return next((engine for engine in engines() if engine.files and name.endswith(engine.files)), None)
