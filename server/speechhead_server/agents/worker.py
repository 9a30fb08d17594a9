"""`speechhead worker`: this machine as a pool of avatars for LiveKit rooms, which its dispatcher fills by load."""

from __future__ import annotations

from typing import Any

from speechhead.cli.records import as_parameter, with_parameters
from speechhead.core.records import entries
from speechhead.generators.open import check_generator

from .jobs import WorkerSettings


def checked(settings: WorkerSettings) -> None:
    """Say what is wrong with what draws, before a job asks for it; raises as `open_generator`."""
    check_generator(settings.generator, settings.engine, settings.device)


def measured_capacity(settings: WorkerSettings) -> int:
    """Avatars that this machine draws in real time, of the size and with the generator that are planned with."""
    from speechhead.avatar.portrait import Avatar
    from speechhead_server.core.config import ServerSettings
    from speechhead_server.live.studio import Studio

    how = settings.drawing
    studio = Studio(
        ServerSettings(
            size=settings.size,
            generators=(how.generator,),
            engine=how.engine,
            device=how.device,
            precision=how.precision,
            graph=how.graph,
        )
    )
    try:
        studio.choose_sizes(Avatar.open(None, settings.size))
        return studio.capacity
    finally:
        studio.close()


def command(**given: Any) -> None:
    """Serve avatars to LiveKit rooms: a process per avatar, dispatched by load."""
    settings = WorkerSettings.from_environment(given)
    from .livekit_worker import run

    checked(settings)
    run(settings, settings.sessions or measured_capacity(settings))


with_parameters(command, [as_parameter(entry, None) for entry in entries(WorkerSettings)])
