"""A machine that was busy at the start may hold more: it is measured again while nobody is there."""

from __future__ import annotations

import asyncio
import logging
import time

from .avatars import Gallery
from .studio import Studio

log = logging.getLogger("speechhead.server")

IDLE = 60.0
"""Seconds without a session after which the machine is measured again; twice as many after each time in vain."""

RAREST = 3600.0
"""Seconds between two measurements at most."""


class Growth:
    """Looks for a larger picture than the start allowed."""

    def __init__(self, studio: Studio, gallery: Gallery, idle: float = IDLE) -> None:
        self._studio, self._gallery, self._wait = studio, gallery, idle
        self._since = time.monotonic()

    async def look(self, idle: bool) -> None:
        """To be called now and then.

        Parameters
        ----------
        idle : no session runs, and none is being made
        """
        if not idle or not self._studio.may_grow:
            self._since = time.monotonic()
            return
        if time.monotonic() - self._since < self._wait:
            return
        try:
            await self._measure()
        except Exception:  # what was offered before is offered still
            log.exception("measuring the machine again failed")
        self._wait = min(RAREST, 2 * self._wait)
        self._since = time.monotonic()

    async def _measure(self) -> None:
        loop, avatar = asyncio.get_running_loop(), self._gallery.open_default()
        if await loop.run_in_executor(self._studio.errands, self._studio.measure_again, avatar):
            log.info("the machine is measured again: %d px from now on.", self._studio.size)
            await self._gallery.staged(None, self._studio.size)
