"""What is measured, and what comes of it: the records that `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from speechhead.core.clocks import FPS
from speechhead.core.errors import ControlError, DeviceError
from speechhead.core.options import (
    ENGINES,
    GRAPHS,
    PORTRAIT_SIZE,
    PRECISIONS,
    check_device,
    check_engine,
    check_size,
)
from speechhead.core.records import check, option

FORMAT = "speechhead bench 1"
"""Of the JSON object; the number rises where a field changes its meaning."""

LENGTHS = (1.0, 3600.0)
"""Seconds of speech that may be asked for."""

SAMPLE = 2.0
"""Seconds of speech that are drawn in one run; of longer speech it is a sample."""

LEAST = 0.2
"""Seconds of speech that are drawn however slow that is, and before anything is measured: caches fill, kernels are
chosen."""

PATIENCE = 8.0
"""Seconds that the drawing of one run should not exceed."""

MOST_SESSIONS, MOST_RUNS = 64, 50


@dataclass(frozen=True)
class BenchCase:
    """One generator at one size on one device.

    generator, engine, device, precision, graph, size : as for `say`
    sessions : numbers of portraits that speak at the same time, each measured
    seconds : length of the speech, of which a `sample` is drawn
    runs : how often all is done; figures are medians over them

    Raises
    ------
    ControlError, DeviceError or ImageError naming the value and the remedy.
    """

    generator: str = "compact"
    engine: str = "auto"
    device: str = "auto"
    size: int = PORTRAIT_SIZE
    sessions: tuple[int, ...] = (1,)
    seconds: float = 10.0
    runs: int = 3
    precision: str = "auto"
    graph: str = "auto"

    def __post_init__(self) -> None:
        check_engine(self.engine)
        check_device(self.device)
        check_size(self.size)
        low, high = LENGTHS
        if not low <= self.seconds <= high:
            raise ControlError(f"seconds {self.seconds:g} is out of range. Use {low:g} to {high:g}.")
        if not 1 <= self.runs <= MOST_RUNS:
            raise ControlError(f"runs {self.runs} is out of range. Use 1 to {MOST_RUNS}.")
        if not self.sessions or not all(1 <= count <= MOST_SESSIONS for count in self.sessions):
            raise ControlError(
                f"sessions {list(self.sessions)} is out of range. Use numbers from 1 to {MOST_SESSIONS}."
            )

    def sample(self, frame: float) -> float:
        """Seconds of speech that one run draws where a frame takes `frame` seconds: less of what is slow."""
        return min(self.seconds, SAMPLE, max(LEAST, PATIENCE / max(frame, 1e-9) / FPS))


@dataclass(frozen=True)
class StageTime:
    """A stage of a run, one frame after the other in one thread.

    name : of `core.stages.STAGES`, or "other", what no stage accounts for
    calls : per frame; median, p95 : ms of those frames or pieces of sound that have the stage
    frame : ms per frame, in the mean; share : of the whole run, 0..1
    """

    name: str
    calls: float
    median: float
    p95: float
    frame: float
    share: float


@dataclass(frozen=True)
class NetworkCost:
    """A network: name; parameters; gflops : of one call, multiply and add apart; ms : of one call."""

    name: str
    parameters: int
    gflops: float
    ms: float


@dataclass(frozen=True)
class SessionRate:
    """Portraits that speak at the same time: speech, motion, drawing and pasting, without encoding.

    frames_per_second : of all together; batched : whether one call draws a picture of each
    """

    sessions: int
    frames_per_second: float
    batched: bool

    @property
    def each(self) -> float:
        """Frames per second of each session."""
        return self.frames_per_second / self.sessions


@dataclass(frozen=True)
class CaseResult:
    """What was measured of a case; ms, seconds and MiB.

    weights : "own", or "random" where a family has none here and its full-size network was filled with noise
    device, running : where the networks were, and how
    drawn : seconds of speech that each run drew
    startup : seconds of import, load, face, prepare, and until the first frame from the start of the process
    stages : of a run in one thread; accounted : part of that run that stages account for
    frames_per_second, realtime : of `say`, drawing and encoding beside each other; seconds of video in a second
    track : ms to follow the face through a driver's frame
    memory, gpu_memory : most MiB that the process held
    plain : ms a frame of the same networks in torch as they are written: float32, one frame, no graph; None without
    """

    case: BenchCase
    weights: str
    device: str
    running: str
    drawn: float
    startup: dict[str, float]
    stages: tuple[StageTime, ...]
    accounted: float
    frames_per_second: float
    realtime: float
    track: float
    sessions: tuple[SessionRate, ...]
    networks: tuple[NetworkCost, ...]
    memory: float
    gpu_memory: float | None = None
    plain: float | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def whole(self) -> float:
        """Seconds that the whole speech takes, start-up included, at this rate."""
        return self.startup["first_frame"] + self.case.seconds / self.realtime


@dataclass(frozen=True)
class BenchOptions:
    """What is to be measured: every generator on every device at every size; every field is checked.

    Raises
    ------
    ControlError, DeviceError or ImageError naming the field, the value and the remedy.
    """

    generator: str = option(
        "compact", help="Names, as for say; a family without weights is measured filled with noise", metavar="A,B"
    )
    engine: str = option("auto", help="What runs the networks", choices=ENGINES, metavar="NAME", error=DeviceError)
    device: str = option("auto", help="Where they run", metavar="A,B")
    precision: str = option(
        "auto", help="Numbers in which a family draws", choices=PRECISIONS, metavar="NAME", error=DeviceError
    )
    graph: str = option(
        "auto", help="How a family's networks are launched", choices=GRAPHS, metavar="NAME", error=DeviceError
    )
    size: str = option("256,512", help="Sides of the face crop in pixels", metavar="N,N")
    sessions: str = option("1", help="Portraits that speak at the same time", metavar="N,N")
    seconds: float = option(
        10.0, help="Length of the speech", unit="seconds", low=LENGTHS[0], high=LENGTHS[1],
        note=f"{SAMPLE:g} of it are drawn at most", metavar="S",
    )  # fmt: skip
    runs: int = option(
        3, help="How often all is done", whole=True, low=1, high=MOST_RUNS, note="figures are medians", metavar="N"
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def cases(self) -> list[BenchCase]:
        """Every generator on every device at every size."""
        names, devices = _words(self.generator, "generator"), _words(self.device, "device")
        several = product(names, devices, _numbers(self.size, "size"))
        how = {"engine": self.engine, "precision": self.precision, "graph": self.graph}
        many = _numbers(self.sessions, "sessions")
        return [
            BenchCase(name, device=device, size=size, sessions=many, seconds=self.seconds, runs=self.runs, **how)
            for name, device, size in several
        ]


def _words(given: str, what: str) -> list[str]:
    """Names with commas between them; ControlError if there is none."""
    found = [word.strip() for word in given.split(",") if word.strip()]
    if not found:
        raise ControlError(f"{what} '{given}' names nothing. Give one, or several with commas between them.")
    return list(dict.fromkeys(found))


def _numbers(given: str, what: str) -> tuple[int, ...]:
    """Whole numbers with commas between them; ControlError if one is no number, or there is none."""
    found = _words(given, what)
    if not all(word.isdecimal() for word in found):
        raise ControlError(f"{what} '{given}' is not usable. Give whole numbers with commas between them.")
    return tuple(map(int, found))
