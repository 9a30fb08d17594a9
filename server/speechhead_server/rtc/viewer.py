"""One viewer: a WebRTC connection made by WHEP, with its two tracks and its data channel."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

from speechhead.audio.io import Samples
from speechhead.motion.wire import motion_basis
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused, for_log, one_line
from speechhead_server.stage.events import Message
from speechhead_server.stage.stage import Stage

from .disclosure import titled
from .encoders import SpeechOpus, equip
from .inflow import bound
from .microphone import Microphone
from .motion_feed import CHANNEL as MOTION
from .motion_feed import MotionFeed
from .packets import floods, harden
from .sdp import CANDIDATES, announce, credentials, lenient, read_fragment
from .tracks import AudioTrack, PictureTrack, skew

log = logging.getLogger("speechhead.server")

harden()
bound()

CHANNEL = "speechhead"
"""Label of the data channel."""

CODECS = ("video/H264", "video/VP8")
"""Of pictures, the preferred one first."""

CONNECT = 30.0
"""Seconds in which a viewer must connect."""

VANISHED = 15.0
"""Seconds without a packet from a viewer after which it is taken for gone; ICE itself takes twice as long to notice."""

VIDEO_CLOCK = 90_000
"""Of RTP, per second."""

MODES = ("video", "motion", "sound")
"""What a viewer gets: pictures, motion that it draws by itself, or sound that it moves and draws by itself."""

BACKLOG = 256 * 1024
"""Bytes waiting in a data channel beyond which a viewer hears no further messages: it does not read them."""


@dataclass(frozen=True)
class Path:
    """What a viewer reports of its path. lost: share of packets lately; packets: lost in all; rtt, jitter: seconds."""

    lost: float = 0.0
    packets: int = 0
    rtt: float = 0.0
    jitter: float = 0.0


class Viewer:
    """Somebody who looks at a stage.

    Parameters
    ----------
    on_gone : called once in the event loop when the connection has ended for whatever reason
    on_message : called with what the viewer sends on the data channel
    """

    def __init__(
        self,
        settings: ServerSettings,
        stage: Stage,
        size: int,
        on_gone: Callable[[Viewer], None],
        on_message: Callable[[Viewer, Message], None],
    ) -> None:
        self.name = uuid.uuid4().hex
        self.until = math.inf  # of time.monotonic(), when its ticket ends
        self.stage, self._settings, self._size = stage, settings, size
        self._on_gone, self._on_message = on_gone, on_message
        servers = [RTCIceServer(**server) for server in settings.ice_servers]
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self.sound, self.pictures = AudioTrack(stage), PictureTrack(stage)
        self.codec: str | None = None
        self.mode = "video"
        self.rtp: int | None = None  # of the sound, at media time 0
        self.microphone: Microphone | None = None
        self.hello: Callable[[], Message] | None = None
        self.hears: Callable[[Samples], bool] | None = None  # of the microphone's sound, see there
        self._channel: RTCDataChannel | None = None
        self._motion: RTCDataChannel | None = None
        self._feed: MotionFeed | None = None
        self._closed = False
        self._deadline: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._heard_at = 0.0
        self.path = Path()
        self._offered, self._named = "", 0  # the offer, and how many candidates came after it
        self._received, self._received_at = -1, 0.0

    async def answer(self, offer: str) -> str:
        """The SDP answer to an offer, all candidates in it.

        Raises
        ------
        Refused (400) if the offer is malformed or has nothing in common with what can be sent.
        """
        connection, self._offered = self.connection, offer
        connection.on("connectionstatechange", self._state_changed)
        connection.on("datachannel", self._channel_opened)
        connection.on("track", self._track_came)
        sender = connection.addTrack(self.sound)
        self.sound.left = lambda media: self._sound_left(sender, media)
        if "m=video" in offer:
            connection.addTrack(self.pictures)
        for transceiver in connection.getTransceivers():
            if transceiver.kind == "video":
                transceiver.direction = "sendonly"
                known = RTCRtpSender.getCapabilities("video").codecs
                order = [c for mime in CODECS for c in known if c.mimeType.lower() == mime.lower()]
                transceiver.setCodecPreferences(order + [c for c in known if c.mimeType.lower() == "video/rtx"])
        try:
            await connection.setRemoteDescription(RTCSessionDescription(lenient(offer), "offer"))
            self._wait_for_hello()
            for transceiver in connection.getTransceivers():
                if transceiver.mid is not None and transceiver._codecs:
                    codec = transceiver._codecs[0].mimeType.partition("/")[2]
                    coder = equip(transceiver.sender, codec, self._size)
                    if isinstance(coder, SpeechOpus):
                        self.sound.coder = coder  # here: a thread for each packet costs more than the packet
                    if transceiver.kind == "video":
                        self.codec = codec
            answer = await connection.createAnswer()
            assert answer is not None
            await connection.setLocalDescription(answer)
        except Exception as error:  # aiortc raises whatever its parser stumbles over
            if "send parameters" in str(error):
                raise Refused(400, "the offer has no codec in common: offer H264 or VP8, and Opus.") from None
            raise Refused(400, f"the SDP offer is not usable ({one_line(error)[:120]}). Send a complete one.") from None
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(CONNECT, self._not_connected)
        return titled(announce(connection.localDescription.sdp, self._settings.public_ip))

    def _wait_for_hello(self) -> None:
        """Be the server of DTLS where the offer leaves the choice: aiortc's client knows no cipher for RSA keys, which
        GStreamer has."""
        transports = {transceiver.sender.transport for transceiver in self.connection.getTransceivers()}
        if self.connection.sctp is not None:
            transports.add(self.connection.sctp.transport)
        for transport in transports:
            if transport._role == "auto" and "a=setup:passive" not in self._offered:
                transport._set_role("server")

    @property
    def etag(self) -> str:
        """Names this ICE session, for trickle requests."""
        return f'"{self.name[:16]}"'

    async def trickle(self, text: str) -> None:
        """Take candidates that come after the offer (RFC 8840).

        Raises
        ------
        Refused: 400 if it is no fragment; 422 if it asks for an ICE restart, which is not offered.
        """
        fragment = read_fragment(text)
        if fragment.ufrag and (fragment.ufrag, fragment.password) not in credentials(self._offered):
            raise Refused(422, "ICE restarts are not supported. DELETE this viewer and POST a new offer.")
        for medium, line in fragment.candidates[: max(0, CANDIDATES - self._named)]:  # no player has more
            self._named += 1
            try:
                candidate = candidate_from_sdp(line)
            except (ValueError, IndexError, AssertionError):
                raise Refused(400, f"candidate {line[:60]!r} is not usable. Send it as the browser made it.") from None
            if isinstance(medium, str):
                candidate.sdpMid = medium
            else:
                candidate.sdpMLineIndex = medium
            if not candidate.ip.endswith(".local"):
                with contextlib.suppress(ValueError):  # of a medium that was bundled or left out
                    await self.connection.addIceCandidate(candidate)

    def look(self, mode: str) -> None:
        """Give the viewer what one of MODES stands for from now on."""
        self.mode = mode
        self.pictures.watch(mode == "video" and not self._closed)
        self.sound.sparing = mode != "video"  # whoever draws by itself is no player that may want all of them
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if mode == "motion" and self._motion is not None:
            self._feed = MotionFeed(self.stage, self._motion)
        self._tell_motion()

    def _tell_motion(self) -> None:
        """Say what the motion that follows is of, and on which clock its sound is."""
        if self.mode == "video":
            return
        motion = self.stage.renderer.motion
        base = motion.base_pose
        pose = [*base.angles, *base.translation.tolist(), base.scale]
        told: Message = {"type": "motion", "mode": self.mode, "basis": motion_basis().name, "size": self._size}
        told |= {"pose": [round(value, 4) for value in pose], "rest": np.round(motion.rest, 5).reshape(-1).tolist()}
        self.send({**told, "rtp": self.rtp})

    def _sound_left(self, sender: RTCRtpSender, media: int) -> None:
        """Learn at which number the sound's RTP clock began, which aiortc chooses and keeps to itself."""
        stamp = getattr(sender, "_RTCRtpSender__rtp_timestamp", None)
        if stamp is not None:
            found = (stamp - media) % 2**32
            if found == self.rtp:
                self.sound.left = None
                self._tell_motion()
            self.rtp = found

    def send(self, message: Message) -> None:
        """Tell the viewer something, if it has a channel and reads it."""
        channel = self._channel
        if channel is not None and channel.readyState == "open" and channel.bufferedAmount < BACKLOG:
            channel.send(json.dumps(message, ensure_ascii=False))

    @property
    def state(self) -> str:
        """new, connecting, connected, failed or closed."""
        return self.connection.connectionState

    async def stats(self) -> dict[str, Any]:
        """As JSON, see PROTOCOL.md."""
        late, _ = skew(self.sound, self.pictures)
        shown: dict[str, Any] = {"id": self.name, "state": self.state, "codec": self.codec}
        shown |= {
            "mode": self.mode,
            "fps": round(self.pictures.rate, 2),
            "skew_ms": None if late is None else round(late, 1),
        }
        shown |= {"late": self.pictures.late, "rtt_ms": None, "jitter_ms": None, "lost": None, "loss": None}
        if await self._ask_path():
            path = self.path
            shown |= {"rtt_ms": round(1e3 * path.rtt, 1), "jitter_ms": round(1e3 * path.jitter, 1)}
            shown |= {"lost": path.packets, "loss": round(path.lost, 4)}
        return shown

    async def _ask_path(self) -> bool:
        """Bring `path` up to date; whether the viewer has reported of it."""
        told = False
        for sender in self.connection.getSenders():
            for report in (await sender.getStats()).values():
                if report.type == "remote-inbound-rtp" and report.kind == "video":
                    told = True
                    self.path = Path(
                        report.fractionLost / 256,
                        max(0, report.packetsLost),
                        report.roundTripTime or 0.0,
                        report.jitter / VIDEO_CLOCK,
                    )
        return told

    async def check(self) -> None:
        """End a connection whose other side has vanished: a receiver reports every few seconds at least."""
        if self.state != "connected" or self._closed:
            return
        if floods(self.connection.sctp):
            log.warning("viewer %s: sends messages that it does not end; ended.", self.name)
            self._end()
            return
        await self._ask_path()
        received = 0
        for sender in self.connection.getSenders():
            received += sum(r.packetsReceived for r in (await sender.getStats()).values() if r.type == "transport")
        now = time.monotonic()
        if received != self._received:
            self._received, self._received_at = received, now
        elif now - self._received_at > VANISHED:
            log.info("viewer %s: nothing heard for %g s, ended.", self.name, VANISHED)
            self._end()

    async def close(self) -> None:
        """End the connection and free all of it."""
        if self._closed:
            return
        self._closed = True
        if self._deadline is not None:
            self._deadline.cancel()
        if self.microphone is not None:
            self.microphone.close()
        if self._feed is not None:
            self._feed.close()
        self.sound.stop()
        self.pictures.stop()
        try:
            await asyncio.wait_for(self.connection.close(), 10)
        except Exception as error:
            log.warning("viewer: closing failed (%s).", for_log(error))
        self.connection.remove_all_listeners()
        self._channel = None
        self._on_gone(self)

    def _end(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self.close())

    def _not_connected(self) -> None:
        if self.state != "connected":
            log.info("viewer: no connection within %g s; a TURN server may be needed.", CONNECT)
            self._end()

    def _state_changed(self) -> None:
        if self.state in ("failed", "closed"):
            self._end()

    def _track_came(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self.microphone is None:
            self.microphone = Microphone(track, self.stage, self.hears)

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label == MOTION and self._motion is None:
            self._motion = channel
            self.look(self.mode)
        if channel.label != CHANNEL or self._channel is not None:
            return
        self._channel = channel
        channel.on("message", self._message)
        if self.hello is not None:
            self.send({**self.hello(), "mode": self.mode})
        self._tell_motion()

    def _message(self, data: str | bytes) -> None:
        now = time.monotonic()
        if len(data) > 4096 or now - self._heard_at < 0.01:  # nothing a browser of ours would do
            return
        self._heard_at = now
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict) and isinstance(message.get("type"), str):
            self._on_message(self, message)
