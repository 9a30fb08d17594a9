"""`speechhead worker`: this machine as a pool of avatars for LiveKit rooms, which its dispatcher fills by load."""

from __future__ import annotations

from typing import Any

from speechhead.cli.records import as_parameter, with_parameters
from speechhead.core.records import entries

from .jobs import WorkerSettings


def measured_capacity(size: int) -> int:
    """Avatars of a size that this machine draws in real time."""
    from speechhead.avatar.portrait import Avatar
    from speechhead_server.core.config import ServerSettings
    from speechhead_server.live.studio import Studio

    studio = Studio(ServerSettings(size=size))
    try:
        studio.choose_sizes(Avatar.open(None, size))
        return studio.capacity
    finally:
        studio.close()


def command(**given: Any) -> None:
    """Serve avatars to LiveKit rooms: a process per avatar, dispatched by load."""
    settings = WorkerSettings.from_environment(given)
    from .livekit_worker import run

    run(settings, settings.sessions or measured_capacity(settings.size))


with_parameters(command, [as_parameter(entry, None) for entry in entries(WorkerSettings)])
