"""What runs inside an earlier revision of this repository: its generator and speech network, asked through a pipe.

`earlier.Revision` starts it in a copy of that revision, where `speechhead` is the revision's own. Therefore it imports
nothing of today's, and looks for what it needs by name: rooms move.
"""

from __future__ import annotations

import importlib
import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def found(name: str) -> Any:
    """The class or function of this name, wherever the revision keeps it."""
    pattern = re.compile(rf"^(?:class|def) {name}\b", re.MULTILINE)
    for path in sorted(Path("speechhead").rglob("*.py")):
        if pattern.search(path.read_text(encoding="utf-8")):
            return getattr(importlib.import_module(".".join(path.with_suffix("").parts)), name)
    raise LookupError(f"the revision has no {name}")


class Stage:
    """Answers requests; what stays here is a number there.

    A pose travels as (rotation, translation, scale).
    """

    def __init__(self) -> None:
        self.kept: dict[int, Any] = {}
        self.pose: Callable[..., Any] = found("Pose")

    def keep(self, thing: Any) -> int:
        """The number under which it stays."""
        number = max(self.kept, default=0) + 1
        self.kept[number] = thing
        return number

    def forget(self, *numbers: int) -> None:
        """Let go of them."""
        for number in numbers:
            self.kept.pop(number, None)

    def generator(self, name: str, size: int, threads: int) -> int:
        """A generator for crops of this size."""
        return self.keep(found("open_generator")(name, size, threads=threads))

    def prepare(self, generator: int, crop: Any, mesh: Any) -> int:
        """The features of a portrait."""
        return self.keep(self.kept[generator].prepare(crop, mesh))

    def render(self, generator: int, source: int, normalised: Any, pose: tuple[Any, Any, float]) -> Any:
        """A frame."""
        return self.kept[generator].render(self.kept[source], normalised, self.pose(*pose))

    def keypoints(self, generator: int, source: int, normalised: Any) -> Any:
        """Driving keypoints [478, 3]; a method of the generator since it has one."""
        owner, prepared = self.kept[generator], self.kept[source]
        if hasattr(owner, "keypoints"):
            return owner.keypoints(prepared, normalised)
        return owner._latents.keypoints(normalised[None], prepared.canonical)[0]

    def speech(self, threads: int) -> int:
        """The speech network."""
        return self.keep(found("Speech2Landmarks").load(threads=threads))

    def whole(self, speech: int, audio: Any, neutral: Any) -> Any:
        """Motion [T, 70, 3] of a whole recording."""
        return self.kept[speech].whole(audio, neutral=neutral)


def serve() -> None:
    """Answer (method, arguments) with (True, result) or (False, what went wrong) until the pipe ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    stage = Stage()
    while True:
        try:
            method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, getattr(stage, method)(*arguments))
        except Exception as error:  # whatever it is, who asked has to hear it
            answer = (False, f"{type(error).__name__}: {error}")
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
