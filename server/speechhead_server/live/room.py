"""Whether one more session has room: on every device by what was measured, and by how punctual those are that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused

from .session import Session
from .studio import Studio

STRUGGLING = 0.2
"""Share of pictures left out lately beyond which no further session is let in."""

Load = Mapping[str, float]
"""Parts of devices, by their names."""


class Room:
    """What the sessions take of the machine.

    coming : loads of sessions that are being made
    """

    def __init__(self, settings: ServerSettings, studio: Studio) -> None:
        self._settings, self._studio = settings, studio
        self.coming: list[Load] = []
        self.struggling = False
        self._seen: dict[str, tuple[int, int]] = {}

    def admit(self, size: int, generator: str, sessions: Sequence[Session], drawn: bool = True) -> Load:
        """The load of one more session beside those that run; 503 where there is no room for it.

        drawn : here, and not by its viewer
        """
        running, studio = len(sessions), self._studio
        if self._settings.max_sessions is not None:
            if running + len(self.coming) >= self._settings.max_sessions:
                taken = f"all {running} sessions of this server are taken" if running > 1 else "the session is taken"
                raise Refused(503, f"{taken}. Try again later.", 10)
            return {}
        load, used = studio.load(size, generator, drawn), self._used(sessions)
        if not used or (fits(load, used) and not (drawn and self.struggling)):
            return load
        offered, held = studio.offer(generator), studio.capacity_of(generator, drawn)
        smaller = [studio.load(s, generator) for s in offered.sizes if s < size]
        advised = not self.struggling and any(fits(other, used) for other in smaller)
        of = f" of {generator}" if len(studio.offered) > 1 else ""
        raise Refused(
            503,
            f"this machine holds {held} real-time {'streams' if held > 1 else 'stream'}{of} of {offered.size} px, and "
            f"{running} {'runs' if running == 1 else 'run'}. "
            f"Try again later{', or ask for a smaller size' if advised else ''}.",
            10,
        )

    def admit_drawing(self, session: Session, sessions: Sequence[Session]) -> None:
        """Let a session that its viewers draw be drawn here from now on; 503 where there is no room for it."""
        others = self._used([other for other in sessions if other is not session])
        load = self._studio.load(session.size, session.generator)
        if self._settings.max_sessions is None and others and (self.struggling or not fits(load, others)):
            raise Refused(503, "this machine has no room to draw the session here. Let its viewers draw it.", 10)

    def _used(self, sessions: Sequence[Session]) -> Load:
        """What those that run or are being made take of every device."""
        used: dict[str, float] = {}
        loads = (self._studio.load(s.size, s.generator, s.views.drawn_here) for s in sessions)
        for load in (*loads, *self.coming):
            for device, part in load.items():
                used[device] = used.get(device, 0.0) + part
        return used

    def look(self, sessions: Sequence[Session]) -> None:
        """Note how many pictures were left out since the last look."""
        seen = {s.name: (s.stage.pictures.drawn, s.stage.pictures.late) for s in sessions}
        news = [(d - self._seen[n][0], late - self._seen[n][1]) for n, (d, late) in seen.items() if n in self._seen]
        total = sum(drawn + late for drawn, late in news)
        self.struggling = total > 10 and sum(late for _, late in news) > STRUGGLING * total
        self._seen = seen


def fits(load: Load, used: Load) -> bool:
    """Whether every device that is used already holds this as well; the first stream of a device is always let in."""
    return all(not used.get(device) or used[device] + part <= 1 for device, part in load.items())
