"""Cases, each measured in a process of its own, one after the other."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from speechhead import __version__
from speechhead.core.children import child_command
from speechhead.core.errors import DeviceError
from speechhead.core.threads import cores

from .case import FORMAT, BenchCase, CaseResult, NetworkCost, SessionRate, StageTime
from .subject import check_named

MODULE = "speechhead.bench.child"

LONGEST = 1800.0
"""Seconds that a case may take."""


@dataclass(frozen=True)
class BenchReport:
    """What `speechhead bench` found. machine: what it ran on, by name; results: of the cases, in their order; failed:
    a line for each case that could not be measured."""

    machine: dict[str, Any]
    results: tuple[CaseResult, ...]
    failed: tuple[str, ...] = ()

    @property
    def record(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "format": FORMAT,
            "version": __version__,
            "machine": self.machine,
            "results": [self._record(result) for result in self.results],
            "failed": list(self.failed),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be measured, and why, each once."""
        return tuple(dict.fromkeys([*self.failed, *(note for result in self.results for note in result.notes)]))

    @staticmethod
    def _record(result: CaseResult) -> dict[str, Any]:
        each = [{**dataclasses.asdict(rate), "each": rate.each} for rate in result.sessions]
        return {**dataclasses.asdict(result), "sessions": each, "whole": result.whole}


def bench(asked: Iterable[BenchCase], progress: Callable[[BenchCase], None] | None = None) -> BenchReport:
    """Measure cases one after the other; one that fails hinders no other, but for a name that nobody knows.

    Parameters
    ----------
    progress : called with each case before it begins

    Raises
    ------
    WeightsError for an unknown generator, before anything is measured; DeviceError where no case could be measured,
    with what the first one's process says, or that it died or took too long.
    """
    asked = list(asked)
    for name in dict.fromkeys(case.generator for case in asked):
        check_named(name)
    results: list[CaseResult] = []
    errors: list[DeviceError] = []
    about = machine()  # before anything is measured: its load is that of others
    for case in asked:
        if progress is not None:
            progress(case)
        try:
            results.append(one(case))
        except DeviceError as error:
            errors.append(error)
    if errors and not results:
        raise errors[0]
    return BenchReport(about, tuple(results), tuple(map(str, errors)))


def one(case: BenchCase) -> CaseResult:
    """The result of a case, measured in a process of its own; raises as `bench`."""
    words = [json.dumps(dataclasses.asdict(case)), repr(time.time())]
    try:
        done = subprocess.run([*child_command(MODULE), *words], capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{case.generator}: not done after {LONGEST / 60:.0f} minutes. Use less --seconds."
        ) from error
    try:
        told = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]
        raise DeviceError(
            f"{case.generator} at {case.size} px: the process that measures died ({last}). Use a smaller --size."
        ) from error
    if "error" in told:
        raise DeviceError(told["error"])
    return result_of(told)


def result_of(told: dict[str, Any]) -> CaseResult:
    """A result as its process printed it."""
    case = {**told["case"], "sessions": tuple(told["case"]["sessions"])}
    parts = {
        "case": BenchCase(**case),
        "stages": tuple(StageTime(**stage) for stage in told["stages"]),
        "sessions": tuple(SessionRate(**rate) for rate in told["sessions"]),
        "networks": tuple(NetworkCost(**cost) for cost in told["networks"]),
        "notes": tuple(told["notes"]),
    }
    return CaseResult(**{**told, **parts})


def machine() -> dict[str, Any]:
    """What this machine is: processor, cores, system, versions, and how busy it is."""
    import onnxruntime

    return {
        "processor": _processor(),
        "cores": cores(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "gpu": _gpu(),
        "load": _load(),
    }


def _load() -> float | None:
    """Processes that ran or waited in the mean of the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as told:
            names = [line.partition(":")[2].strip() for line in told if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def _gpu() -> str | None:
    """Name of the first GPU that the driver lists; None where there is none."""
    try:
        asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else None
