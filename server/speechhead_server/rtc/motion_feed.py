"""Motion for one viewer that draws by itself: packets on a data channel that may lose and reorder them."""

from __future__ import annotations

import asyncio
from collections import deque

from aiortc import RTCDataChannel

from speechhead.motion.wire import Codes, motion_basis, pack
from speechhead_server.stage.clock import FRAME
from speechhead_server.stage.moves import FrameTold
from speechhead_server.stage.stage import Stage

CHANNEL = "motion"
"""Label of the data channel: unordered, without retransmission."""

FRESH, REPEATED = 2, 2
"""Frames of a packet that are new, but at its beginning, and that were in the one before: no lost packet alone loses
a frame."""

UNSENT = 2048
"""Bytes that wait in the channel beyond which packets are left out: motion that comes late is worth nothing."""


class MotionFeed:
    """Sends the motion of a stage from its making until it is closed. To be made in the event loop."""

    def __init__(self, stage: Stage, channel: RTCDataChannel) -> None:
        self._stage, self._channel = stage, channel
        self._loop = asyncio.get_running_loop()
        self._frames: deque[Codes] = deque(maxlen=FRESH + REPEATED)
        self._last = FrameTold(-1, 0, motion_basis().mean.astype(int))  # no frame follows it
        self.sent = self.left_out = self.nbytes = 0  # packets, packets, bytes
        stage.moves.listeners.append(self._moved)

    def close(self) -> None:
        """Send no more."""
        if self._moved in self._stage.moves.listeners:
            self._stage.moves.listeners.remove(self._moved)

    def _moved(self, told: FrameTold) -> None:
        """Called in the stage's thread."""
        try:
            self._loop.call_soon_threadsafe(self._put, told)
        except RuntimeError:  # the loop has ended
            return

    def _put(self, told: FrameTold) -> None:
        turned = told.epoch != self._last.epoch
        if turned or told.frame != self._last.frame + 1:
            self._frames.clear()
        self._frames.append(told.codes)
        self._last = told
        if told.frame % FRESH == FRESH - 1 or turned:  # as they are moved together
            self._send()

    def _send(self) -> None:
        channel = self._channel
        if channel.readyState != "open" or channel.bufferedAmount > UNSENT:
            self.left_out += 1
            return
        first = self._last.frame - len(self._frames) + 1
        lead = self._stage.clock.until(first * FRAME)
        data = pack(motion_basis(), self._last.epoch, first, list(self._frames), lead)
        channel.send(data)
        self.sent, self.nbytes = self.sent + 1, self.nbytes + len(data)
