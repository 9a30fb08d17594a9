"""What the viewers of a session get: pictures that are drawn here, motion that they draw, or nothing but sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from speechhead.core.controls import OVER_TIME
from speechhead_server.core.problems import Refused
from speechhead_server.rtc.outlet import Outlets
from speechhead_server.rtc.viewer import MODES, Viewer
from speechhead_server.stage.stage import Stage

from .palette import PORTABLE


class Views:
    """The modes of one session's viewers. All methods are for the event loop.

    viewers: by their names; whoever looks after them adds and removes them, and calls `heed`
    light: the viewers draw the session, unless one asks for pictures
    may_draw: raises Refused where there is no room to draw a light one here
    """

    def __init__(self, stage: Stage, generator: str, outlets: Outlets) -> None:
        self._stage, self._outlets = stage, outlets
        self.viewers: dict[str, Viewer] = {}
        self.offers = MODES if generator in PORTABLE else MODES[:1]
        self.light = False
        self.may_draw: Callable[[], None] = lambda: None

    @property
    def drawn_here(self) -> bool:
        """Whether pictures are drawn here, or may be at any moment."""
        return not self.light or bool(self._outlets) or any(v.mode == "video" for v in self.viewers.values())

    def first(self, offer: str) -> str:
        """What a viewer that makes this offer gets at first; Refused (503) if it must be drawn for, without room."""
        if self.light and "m=application" in offer:  # it has a channel for motion
            return "motion"
        if "m=video" not in offer:
            return "sound" if "sound" in self.offers else "video"
        if not self.drawn_here:
            self.may_draw()
        return "video"

    def look(self, viewer: Viewer, mode: Any) -> None:
        """Give a viewer what it asks for from now on, and say what it gets."""
        refused = {}
        try:
            if mode not in self.offers:
                raise Refused(422, f"mode {str(mode)[:20]!r} is not offered here. Use {' or '.join(self.offers)}.")
            if mode == "video" and not self.drawn_here:
                self.may_draw()
            if mode != viewer.mode:
                viewer.look(mode)
        except Refused as error:
            refused = {"error": str(error)}
        self.heed()
        viewer.send({"type": "view", "mode": viewer.mode, **refused})
        self.tell_controls(viewer)

    def heed(self) -> None:
        """Let the stage move a face only where somebody needs its motion."""
        self._stage.moves.sound_only = {viewer.mode for viewer in self.viewers.values()} == {"sound"}

    def tell_controls(self, *viewers: Viewer) -> None:
        """Tell viewers, or all, that move a face by themselves how it is to be moved."""
        controls = self._stage.controls
        changes = {name: getattr(controls, name) for name in OVER_TIME} | {"emotion": dict(controls.emotion)}
        for viewer in viewers or tuple(self.viewers.values()):
            if viewer.mode == "sound":
                clock = round(self._stage.clock.seconds, 3)
                viewer.send({"type": "controls", "utterance": None, "changes": changes, "clock": clock})
