"""Earlier weights beside ours: the generator and the speech network of a revision of this repository, run by its own
code. Motion, crops and measures are today's, so that only the pictures differ."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import WeightsError
from speechhead.face.landmarks import Pose
from speechhead.media.image import Picture

ROOT = Path(__file__).parents[2]

START = "import runpy, sys; runpy.run_path(sys.argv[1])['serve']()"
"""Starts `revision_process` with the revision's folder, not this one, first on the path."""


@contextmanager
def unpacked(revision: str) -> Iterator[Path]:
    """A folder with the files of a revision, as git names it.

    Raises
    ------
    WeightsError if there is no such revision.
    """
    packed = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        said = packed.stderr.decode(errors="replace").strip().splitlines()
        raise WeightsError(f"revision {revision}: {said[-1] if said else 'not found'}. Name one of this repository.")
    with tempfile.TemporaryDirectory() as place:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(place, filter="data")
        yield Path(place)


class Kept:
    """Something that stays in the revision's process until nobody here holds it."""

    def __init__(self, revision: Revision, number: int) -> None:
        self.number = number
        weakref.finalize(self, revision.dropped.append, number)


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a process and its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


class Revision:
    """The process in a folder that `unpacked` gave; one request at a time."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.threads = threads
        self.dropped: list[int] = []
        command = [sys.executable, "-c", START, str(Path(__file__).with_name("revision_process.py"))]
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        weakref.finalize(self, ended, self._process)

    def ask(self, method: str, *arguments: Any) -> Any:
        """What a method of `revision_process.Stage` returns.

        Raises
        ------
        WeightsError if it fails.
        """
        if self.dropped:
            gone, self.dropped[:] = list(self.dropped), []
            self._sent("forget", gone)
        return self._sent(method, arguments)

    def kept(self, method: str, *arguments: Any) -> Kept:
        """The same, of what stays there."""
        return Kept(self, self.ask(method, *arguments))

    def _sent(self, method: str, arguments: Any) -> Any:
        writer, reader = self._process.stdin, self._process.stdout
        assert writer is not None and reader is not None
        try:
            pickle.dump((method, tuple(arguments)), writer, pickle.HIGHEST_PROTOCOL)
            writer.flush()
            done, answer = pickle.load(reader)
        except (EOFError, OSError) as error:
            raise WeightsError("the earlier revision's code stopped. Does its base install work here?") from error
        if not done:
            raise WeightsError(f"the earlier revision can not {method}: {answer}")
        return answer


class EarlierGenerator:
    """A revision's generator for crops of `size` pixels, as `speechhead.generators.protocol.Generator`."""

    def __init__(self, revision: Revision, family: str, size: int) -> None:
        self.family, self.size, self._revision = family, size, revision
        self._kept = revision.kept("generator", family, size, revision.threads)

    def prepare(self, crop: Picture, mesh: Array) -> Kept:
        """Features of a crop, which stay with the revision."""
        return self._revision.kept("prepare", self._kept.number, crop, mesh)

    def render(self, source: Kept, normalised: Array, pose: Pose) -> Picture:
        """A frame [S, S, 3]."""
        posed = (pose.rotation, pose.translation, pose.scale)
        frame = self._revision.ask("render", self._kept.number, source.number, normalised, posed)
        return np.asarray(frame, np.uint8)

    def keypoints(self, source: Kept, normalised: Array) -> Array:
        """Driving keypoints [478, 3]."""
        return np.asarray(self._revision.ask("keypoints", self._kept.number, source.number, normalised), np.float32)


class EarlierSpeech:
    """A revision's speech network."""

    def __init__(self, revision: Revision) -> None:
        self._revision, self._kept = revision, revision.kept("speech", revision.threads)

    def whole(self, audio: Array, emotion: Mapping[str, float] | None = None, neutral: Array | None = None) -> Array:
        """Motion [T, 70, 3] of a whole recording, of a neutral speaker."""
        assert not emotion
        return np.asarray(self._revision.ask("whole", self._kept.number, audio, neutral), np.float32)
