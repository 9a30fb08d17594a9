"""Who is judged: today's weights, other weights, or an earlier revision, each with its generator and speech network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.speech.model import Speech2Landmarks

from .earlier import EarlierGenerator, EarlierSpeech, Revision


class WholeSpeech(Protocol):
    """A speech network as far as recordings need it."""

    def whole(self, audio: Array, emotion: Mapping[str, float] | None = None, neutral: Array | None = None) -> Array:
        """Motion [T, 70, 3] of a recording [n] at 16 kHz."""


class Performer(Protocol):
    """A speech network, and a generator for any size."""

    speech: WholeSpeech

    def generator(self, size: int) -> Generator:
        """For square crops of `size` pixels."""


class Today:
    """Today's code with the shipped weights, or with those of another folder."""

    def __init__(self, name: str, folder: Path | None = None, threads: int = 1) -> None:
        self.name, self.folder, self.threads = name, folder, threads
        self.generator(256)  # what is missing is an error now, not at a clip
        with weights.using(folder):
            self.speech: WholeSpeech = Speech2Landmarks.load(threads=threads)

    def generator(self, size: int) -> Generator:
        """Opened anew."""
        with weights.using(self.folder):
            return open_generator(self.name, size, threads=self.threads)


class Then:
    """An earlier revision in the folder where it is unpacked, run by its own code."""

    def __init__(self, name: str, folder: Path, threads: int = 1) -> None:
        self.name, self._revision = name, Revision(folder, threads)
        self.generator(256)
        self.speech: WholeSpeech = EarlierSpeech(self._revision)

    def generator(self, size: int) -> Generator:
        """Opened anew."""
        return EarlierGenerator(self._revision, self.name, size)


def performers(
    name: str, before: Path | None = None, revision: Path | None = None, threads: int = 1
) -> dict[str, Performer]:
    """`ours`, and `earlier` where there is one.

    before : folder of other weights; revision : folder of an unpacked revision
    """
    found: dict[str, Performer] = {"ours": Today(name, None, threads)}
    if before is not None:
        found["earlier"] = Today(name, before, threads)
    if revision is not None:
        found["earlier"] = Then(name, revision, threads)
    return found
