"""One viewer: a WebRTC connection made by WHEP, with its two tracks and its data channel."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)

from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused, for_log, one_line
from speechhead_server.stage.events import Message
from speechhead_server.stage.stage import Stage

from .encoders import equip
from .microphone import Microphone
from .tracks import AudioTrack, PictureTrack, skew

log = logging.getLogger("speechhead.server")

CHANNEL = "speechhead"
"""Label of the data channel."""

CODECS = ("video/H264", "video/VP8")
"""Of pictures, the preferred one first."""

CONNECT = 30.0
"""Seconds in which a viewer must connect."""

VANISHED = 15.0
"""Seconds without a packet from a viewer after which it is taken for gone; ICE itself takes twice as long to notice."""

LONGEST_OFFER = 64 * 1024
"""Bytes of an SDP offer at most; browsers send about 5 kB."""

BACKLOG = 256 * 1024
"""Bytes waiting in a data channel beyond which a viewer hears no further messages: it does not read them."""


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
        self.stage, self._settings, self._size = stage, settings, size
        self._on_gone, self._on_message = on_gone, on_message
        servers = [RTCIceServer(**server) for server in settings.ice_servers]
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self.sound, self.pictures = AudioTrack(stage), PictureTrack(stage)
        self.codec: str | None = None
        self.microphone: Microphone | None = None
        self.hello: Callable[[], Message] | None = None
        self._channel: RTCDataChannel | None = None
        self._closed = False
        self._deadline: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._heard_at = 0.0
        self._received, self._received_at = -1, 0.0

    async def answer(self, offer: str) -> str:
        """The SDP answer to an offer, all candidates in it.

        Raises
        ------
        Refused (400) if the offer is malformed or has nothing in common with what can be sent.
        """
        connection = self.connection
        connection.on("connectionstatechange", self._state_changed)
        connection.on("datachannel", self._channel_opened)
        connection.on("track", self._track_came)
        connection.addTrack(self.sound)
        connection.addTrack(self.pictures)
        for transceiver in connection.getTransceivers():
            if transceiver.kind == "video":
                transceiver.direction = "sendonly"
                known = RTCRtpSender.getCapabilities("video").codecs
                order = [c for mime in CODECS for c in known if c.mimeType.lower() == mime.lower()]
                transceiver.setCodecPreferences(order + [c for c in known if c.mimeType.lower() == "video/rtx"])
        try:
            await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            for transceiver in connection.getTransceivers():
                if transceiver.mid is not None and transceiver._codecs:
                    codec = transceiver._codecs[0].mimeType.partition("/")[2]
                    equip(transceiver.sender, codec, self._size)
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
        return announce(connection.localDescription.sdp, self._settings.public_ip)

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
        shown |= {"fps": round(self.pictures.rate, 2), "skew_ms": None if late is None else round(late, 1)}
        shown |= {"late": self.pictures.late, "rtt_ms": None, "lost": None}
        for sender in self.connection.getSenders():
            for report in (await sender.getStats()).values():
                if report.type == "remote-inbound-rtp" and report.kind == "video":
                    rtt = report.roundTripTime
                    shown |= {"rtt_ms": None if rtt is None else round(1e3 * rtt, 1), "lost": report.packetsLost}
        return shown

    async def check(self) -> None:
        """End a connection whose other side has vanished: a receiver reports every few seconds at least."""
        if self.state != "connected" or self._closed:
            return
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
            self.microphone = Microphone(track, self.stage)

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL or self._channel is not None:
            return
        self._channel = channel
        channel.on("message", self._message)
        if self.hello is not None:
            self.send(self.hello())

    def _message(self, data: str | bytes) -> None:
        now = time.monotonic()
        if len(data) > 4096 or now - self._heard_at < 0.01:  # nothing a browser of ours would do
            return
        self._heard_at = now
        try:
            message = json.loads(data)
        except ValueError:
            return
        if isinstance(message, dict) and isinstance(message.get("type"), str):
            self._on_message(self, message)


def check_offer(offer: str) -> None:
    """Refuse what is no SDP offer of a browser or player before anything is built for it."""
    if len(offer) > LONGEST_OFFER:
        raise Refused(413, f"SDP of {len(offer)} bytes is too long (at most {LONGEST_OFFER}).")
    if not offer.lstrip().startswith("v=0"):
        raise Refused(400, "the body is no SDP offer: it does not begin with v=0. Send pc.localDescription.sdp.")
    media = re.findall(r"^m=(\w+) ", offer, re.MULTILINE)
    if not media or set(media) - {"audio", "video", "application"} or "video" not in media and "audio" not in media:
        has = f"asks for {', '.join(name[:20] for name in media[:4])}" if media else "asks for no media"
        raise Refused(400, f"the SDP offer {has}. Offer audio and video.")
    if any(media.count(kind) > 1 for kind in media):
        raise Refused(400, "the SDP offer has several media of one kind. Offer one audio and one video.")
    for needed in ("ice-ufrag", "ice-pwd", "fingerprint", "mid"):
        if not re.search(rf"^a={needed}:\S+", offer, re.MULTILINE):
            raise Refused(400, f"the SDP offer has no a={needed}. Send the whole of pc.localDescription.sdp.")


def announce(sdp: str, public_ip: str) -> str:
    """An answer that also names the public address of a host behind one-to-one NAT, such as a container's."""
    if not public_ip:
        return sdp
    lines: list[str] = []
    told: set[str] = set()
    for line in sdp.splitlines():
        found = re.match(r"a=candidate:(\S+) (\d+) (\S+) (\d+) (\S+) (\d+) typ host", line)
        if line.startswith("m="):
            told.clear()
        if found and (":" in found[5]) == (":" in public_ip) and found[6] not in told:
            told.add(found[6])
            priority = int(found[4]) + 1
            lines.append(f"a=candidate:{found[1]}p {found[2]} {found[3]} {priority} {public_ip} {found[6]} typ host")
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"
