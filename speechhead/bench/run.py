"""Cases, each measured in a process of its own, one after the other."""

from __future__ import annotations

import dataclasses
import json
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

MODULE = "speechhead.bench.child"

LONGEST = 1800.0
"""Seconds that a case may take."""


@dataclass(frozen=True)
class BenchReport:
    """What `speechhead bench` found. machine: what it ran on, by name; results: of the cases, in their order."""

    machine: dict[str, Any]
    results: tuple[CaseResult, ...]

    @property
    def record(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {
            "format": FORMAT,
            "version": __version__,
            "machine": self.machine,
            "results": [self._record(result) for result in self.results],
        }

    @staticmethod
    def _record(result: CaseResult) -> dict[str, Any]:
        each = [{**dataclasses.asdict(rate), "each": rate.each} for rate in result.sessions]
        return {**dataclasses.asdict(result), "sessions": each, "whole": result.whole}


def bench(asked: Iterable[BenchCase], progress: Callable[[BenchCase], None] | None = None) -> BenchReport:
    """Measure cases one after the other.

    Parameters
    ----------
    progress : called with each case before it begins

    Raises
    ------
    DeviceError with what a case's process says, or where it dies or takes too long.
    """
    results = []
    for case in asked:
        if progress is not None:
            progress(case)
        results.append(one(case))
    return BenchReport(machine(), tuple(results))


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
    """What this machine is: processor, cores, system, versions."""
    import onnxruntime

    return {
        "processor": _processor(),
        "cores": cores(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "gpu": _gpu(),
    }


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
