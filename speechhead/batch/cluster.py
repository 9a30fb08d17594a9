"""Jobs done by actors of a Ray cluster, which sees the same folders as this machine."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechhead.core.errors import BatchError
from speechhead.core.threads import CORES_VARIABLE

from .job import Job
from .local import ATTEMPTS, News, emptied
from .task import Done, perform, prepare
from .worker import THREADS

LOCAL = "local"
"""Address of a cluster that is started here, for this batch, and ended with it."""


class JobActor:
    """What a cluster runs: opens networks and voices once, for as many jobs as it is given."""

    def __init__(self) -> None:
        prepare()

    def perform(self, job: dict[str, Any], folder: str) -> Done:
        """Do a job; see `task.perform`."""
        return perform(Job(**job), Path(folder))


@dataclass
class _Seat:
    """An actor, and the task that it is at: its number, the attempt and when it is given up."""

    actor: Any
    number: int
    attempt: int
    until: float


class RayPool:
    """Actors of a cluster: one job in each at a time, so that no more is under way than there are actors.

    Parameters
    ----------
    address : auto (the cluster that this machine belongs to), local (one that is started for this), or HOST:PORT,
        ray://HOST:PORT
    workers : actors; as many as the cluster has cores, or the GPUs that it has hold, if None
    seconds : after which a job is given up
    gpus : part of a GPU that an actor holds, such as 0.25

    Raises
    ------
    BatchError if Ray is not installed or no cluster answers.
    """

    def __init__(
        self, address: str, workers: int | None = None, seconds: float | None = None, gpus: float = 0.0
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise BatchError("--ray needs Ray. pip install 'speechhead[ray]'.") from error
        self._ray, self.seconds, self.gpus = ray, seconds, gpus
        variables = dict.fromkeys(THREADS, "1") | {CORES_VARIABLE: "1"}
        try:
            self._owned = not ray.is_initialized()
            if self._owned:
                ray.init(
                    address=None if address == LOCAL else address,
                    runtime_env={"env_vars": variables},
                    configure_logging=False,
                    log_to_driver=False,
                    **({"include_dashboard": False} if address == LOCAL else {}),
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise BatchError(
                f"ray '{address}': no cluster answers ({reason}). Give auto, local or HOST:PORT."
            ) from error
        self.workers = workers or self._room()

    def _room(self) -> int:
        """Actors that the cluster holds."""
        has = self._ray.cluster_resources()
        room = int(has.get("CPU", 1))
        return max(1, min(room, int(has.get("GPU", 0) / self.gpus)) if self.gpus else room)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._owned:
            self._ray.shutdown()

    def run(self, tasks: Sequence[tuple[Job, Path]]) -> Iterator[News]:
        """See `local.Pool`."""
        waiting = deque((number, 1) for number in range(len(tasks)))
        seats: dict[Any, _Seat] = {}
        idle = [self._actor() for _ in range(min(self.workers, len(tasks)))]
        try:
            while waiting or seats:
                while waiting and idle:
                    number, attempt = waiting.popleft()
                    job, folder = tasks[number]
                    actor = idle.pop()
                    until = time.monotonic() + (self.seconds or float("inf"))
                    seats[actor.perform.remote(job.plain(), str(folder))] = _Seat(actor, number, attempt, until)
                ready, _ = self._ray.wait(list(seats), num_returns=1, timeout=1.0)
                for handle in ready:
                    seat = seats.pop(handle)
                    done = self._result(handle)
                    if done is not None:
                        idle.append(seat.actor)
                        yield seat.number, done, seat.attempt
                        continue
                    idle.append(self._actor())
                    if seat.attempt < ATTEMPTS:
                        emptied(tasks[seat.number][1])
                        waiting.append((seat.number, seat.attempt + 1))
                    else:
                        lost = "the actor that did it died twice. Is there enough memory? See Ray's logs."
                        yield seat.number, Done(lost, (), 0, 0.0), seat.attempt
                for handle, seat in [(each, seats[each]) for each in seats if seats[each].until < time.monotonic()]:
                    del seats[handle]
                    self._ray.kill(seat.actor)
                    idle.append(self._actor())
                    late = f"took more than {self.seconds:g} s. Raise --timeout, or cut it into parts."
                    yield seat.number, Done(late, (), 0, 0.0), seat.attempt
        finally:
            for actor in [*idle, *(seat.actor for seat in seats.values())]:
                with contextlib.suppress(Exception):
                    self._ray.kill(actor)

    def _actor(self) -> Any:
        return self._ray.remote(num_cpus=1, num_gpus=self.gpus, max_restarts=0)(JobActor).remote()

    def _result(self, handle: Any) -> Done | None:
        """What an actor answered; None where it died."""
        try:
            done: Done = self._ray.get(handle)
        except self._ray.exceptions.RayActorError:
            return None
        except self._ray.exceptions.RayError as error:
            return Done(f"Ray failed at it: {' '.join(str(error).split())[:200]}", (), 0, 0.0)
        return done
