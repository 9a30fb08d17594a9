"""A session: one avatar on its own stage, what it is told to say, and those who look."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from speechhead.audio.io import Samples
from speechhead.core.controls import Controls
from speechhead.core.errors import SpeechheadError
from speechhead.core.head_track import ANGLES, check_angles
from speechhead.core.keyframes import Keyframe
from speechhead.media.writer import COMMENT
from speechhead.render.stream import Renderer
from speechhead.tts.text import Piece
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.metrics import Metrics
from speechhead_server.core.problems import Refused, for_log, one_line
from speechhead_server.rtc.outlet import Outlets
from speechhead_server.rtc.sdp import check_offer
from speechhead_server.rtc.tracks import skew
from speechhead_server.rtc.viewer import Viewer
from speechhead_server.stage.clock import Clock
from speechhead_server.stage.drawing import Drawing
from speechhead_server.stage.events import Events, Message
from speechhead_server.stage.segment import Segment
from speechhead_server.stage.stage import Stage
from speechhead_server.uploads.decode import Sound
from speechhead_server.voice.speaker import Speaker

from .sayings import Sayings
from .script import Script
from .terms import NOTICE, Role, Terms
from .traces import Traces
from .views import Views

log = logging.getLogger("speechhead.server")


class Session:
    """Everything of one avatar on the air. All methods are for the event loop.

    Parameters
    ----------
    role : who it is
    on_end : called when the session ends by itself
    """

    def __init__(
        self,
        settings: ServerSettings,
        renderer: Renderer,
        drawing: Drawing,
        speaker: Speaker,
        metrics: Metrics,
        role: Role,
        terms: Terms | None = None,
    ) -> None:
        self.name = uuid.uuid4().hex[:16]
        self.avatar, self.voice, self.generator = role
        self.size, self.terms = renderer.avatar.size, terms or Terms()
        self.opened = datetime.now(timezone.utc)
        self.clock = Clock()
        self._settings, self._speaker, self._metrics = settings, speaker, metrics
        self._events = Events(self.clock, self._tell)
        self.stage = Stage(renderer, drawing, self.clock, self._events.put)
        self.outlets = Outlets(self.stage, self.size)
        self.views = Views(self.stage, self.generator, self.outlets)
        self.viewers = self.views.viewers
        self.listeners: set[Callable[[Message], None]] = set()
        self.ears: Callable[[Samples], None] | None = None  # of a conversation, which viewers' microphones go to
        self.state = "idle"
        self.said: str | None = None  # utterance that is said now
        self.seen_at = time.monotonic()  # when somebody last looked, or sent live sound
        self.characters = 0  # of texts that it was told to say
        self._warned = False  # whether its end was announced
        self._coming = 0  # viewers on their way
        self.first_frame_ms: float | None = None
        self._asked: dict[str, float] = {}  # when texts were sent, by utterance
        self._traces = Traces(self.name, self.size)
        self._sayings = Sayings(self.stage, speaker, self._failed)
        self.closed = False

    # What it is told.

    def say(self, parts: Sequence[Piece], voice: str | None, emotion: dict[str, float] | None, interrupt: bool) -> str:
        """Queue a text in parts; returns the utterance's id. Refused as by `check_text`, 429 for a full queue."""
        self.check_text(sum(len(part.text) for part in parts), interrupt)
        if interrupt:
            self.interrupt()
        script = self.script(voice, emotion)
        for part in parts:
            script.add(part)
        script.end()
        return script.name

    def script(self, voice: str | None, emotion: dict[str, float] | None = None) -> Script:
        """A text that comes sentence by sentence; it is queued with the first of them."""
        return Script(Segment(uuid.uuid4().hex[:12], "text", emotion), voice or self.voice, self._begin, self._count)

    def check_text(self, count: int, interrupts: bool = False) -> None:
        """Refuse so many characters, which would be more than it may say, or for which there is no room.

        Parameters
        ----------
        interrupts : what waits will not be said
        """
        self.terms.check_text(self.characters, count)
        if not interrupts or count > self._settings.text_limit:
            self._sayings.check_room(count, self._settings.text_limit)

    def _count(self, count: int) -> None:
        self.terms.check_text(self.characters, count)
        self.characters += count

    def _begin(self, script: Script) -> None:
        self._enqueue(script.segment, False)
        self._asked[script.name] = self.clock.seconds
        self._sayings.begin(script)
        if self.state != "speaking":
            self._tell({"type": "state", "state": "thinking", "utterance": script.name, "clock": self._now})

    def play(self, sound: Sound, interrupt: bool, keyframes: Sequence[Keyframe] = ()) -> str:
        """Queue a recording, and what changes in its time; for its room see `Sessions.play`."""
        segment = Segment(uuid.uuid4().hex[:12], "file")
        said = {"type": "controls", "utterance": segment.name}
        cues = [(keyframe.at, {**said, "changes": dict(keyframe.changes)}) for keyframe in keyframes]
        for speech, audio in sound.pieces:
            segment.push(speech, audio, cues)
            cues = []
        segment.close()
        self._enqueue(segment, interrupt)
        return segment.name

    def stream(self) -> Segment:
        """Queue live sound that is pushed into the segment from now on."""
        segment = Segment(uuid.uuid4().hex[:12], "pcm")
        self._enqueue(segment, False)
        return segment

    def _enqueue(self, segment: Segment, interrupt: bool) -> None:
        if interrupt:
            self.interrupt()
        if self.stage.queued >= self._settings.queue_limit:
            raise Refused(429, f"{self._settings.queue_limit} utterances wait already. Interrupt, or wait.", 5)
        self.stage.enqueue(segment)
        self._traces.begin(segment)

    def interrupt(self) -> bool:
        """Stop all that is said and waits; whether there was anything."""
        self._sayings.interrupt()
        stopped = self.stage.interrupt()
        if stopped:
            self._metrics.interrupts.inc()
        return stopped

    def control(self, changes: dict[str, Any]) -> Controls:
        """Change controls while running; ControlError for a value out of range."""
        controls = replace(self.stage.controls, **changes)
        self.stage.control(controls)
        self.views.tell_controls()
        return controls

    def _failed(self, about: Message, error: BaseException) -> None:
        log.error("session %s: utterance %s: %s", self.name, about["utterance"], for_log(error))
        self._metrics.errors.labels("voice").inc()
        self._tell({"type": "error", **about, "error": one_line(error)})

    # What is told.

    @property
    def _now(self) -> float:
        return round(self.clock.seconds, 3)

    def _tell(self, message: Message) -> None:
        kind, name = message["type"], message.get("utterance")
        self._traces.follow(message)
        if kind == "state":
            if message["state"] == "idle" and (self.said or self.state == "thinking"):
                return
            self.state = message["state"]
            if self.state == "speaking":
                self.said = name
                asked = self._asked.pop(name or "", None)
                if asked is not None:
                    self.first_frame_ms = 1e3 * (message["clock"] - asked)
                    self._metrics.first_frame.observe(self.first_frame_ms / 1e3)
        if kind == "done":
            self._asked.pop(name or "", None)
        self._send(message)
        self._sayings.tell(message)
        if kind == "done" and (self.said == name or self.state == "thinking"):
            self.said = None
            waits = bool(self._asked)
            self.state = "thinking" if waits else "listening" if self.stage.listening else "idle"
            following = next(iter(self._asked)) if waits else None
            self._send({"type": "state", "state": self.state, "utterance": following, "clock": self._now})

    def _send(self, message: Message) -> None:
        for viewer in list(self.viewers.values()):
            viewer.send(message)
        for listener in list(self.listeners):
            listener(message)

    @property
    def trouble(self) -> SpeechheadError | None:
        """Why it can not go on."""
        return self.stage.pictures.trouble

    def tell_error(self, error: BaseException) -> None:
        """Say why it ends."""
        self._send({"type": "error", "utterance": None, "error": one_line(error)})

    def tell_closing(self) -> None:
        """Say that the server is about to end: a client may come back."""
        self._send({"type": "closing", "utterance": None, "clock": self._now})

    def hello(self) -> Message:
        """The first message of a data channel."""
        told = {"type": "hello", "session": self.name, "notice": COMMENT, "clock": self._now}
        return {
            **told,
            "avatar": self.avatar,
            "size": self.size,
            "state": self.state,
            "offers": self.views.offers,
            "mark": self._settings.watermark,
        }

    # Viewers.

    async def view(self, offer: str) -> tuple[Viewer, str]:
        """A new viewer and the answer to its offer."""
        check_offer(offer)
        self._coming += 1
        try:
            return await self._connect(offer)
        finally:
            self._coming -= 1
            self.seen_at = time.monotonic()

    async def _connect(self, offer: str) -> tuple[Viewer, str]:
        if len(self.viewers) >= self._settings.max_viewers:
            strangers = [viewer for viewer in self.viewers.values() if viewer.state != "connected"]
            if strangers:  # one that never came, such as a page that was left while it connected
                await strangers[0].close()
        if len(self.viewers) >= self._settings.max_viewers:
            most = self._settings.max_viewers
            raise Refused(503, f"session {self.name} has {most} viewers already. Make a session of your own.", 10)
        mode = self.views.first(offer)
        viewer = Viewer(self._settings, self.stage, self.size, self._gone, self._heard)
        viewer.hello, viewer.hears = self.hello, self._listened
        self.viewers[viewer.name] = viewer
        viewer.look(mode)
        self.views.heed()
        try:
            answer = await viewer.answer(offer)
            if self.closed:
                raise Refused(404, f"session {self.name} has ended.")
        except BaseException:
            await viewer.close()
            raise
        return viewer, answer

    def viewer(self, name: str) -> Viewer:
        """A viewer by its id; 404 for any other."""
        found = self.viewers.get(name)
        if found is None:
            raise Refused(404, f"viewer {name[:60]!r} is unknown or has gone.")
        return found

    def _gone(self, viewer: Viewer) -> None:
        self.viewers.pop(viewer.name, None)
        self.views.heed()
        self.seen_at = time.monotonic()

    def _listened(self, samples: Samples) -> bool:
        if self.ears is not None:
            self.ears(samples)
        return self.ears is not None

    def steer(self, angles: Any) -> None:
        """Turn the head to (yaw, pitch, roll) in degrees, given live; ControlError for what is no pose."""
        self.stage.steer(check_angles(angles))

    def _heard(self, viewer: Viewer, message: Message) -> None:
        if message["type"] == "ping":
            viewer.send({"type": "pong", "t": message.get("t"), "clock": self._now})
        elif message["type"] == "interrupt":
            self.interrupt()
        elif message["type"] == "pose":
            with contextlib.suppress(SpeechheadError):  # the next one may be right
                self.steer([message.get(name) for name in ANGLES])

        elif message["type"] == "view":
            self.views.look(viewer, message.get("mode"))

    def abandoned(self, seconds: float) -> bool:
        """Whether nobody has looked, or sent live sound, for so long; what `/whep` made ends with its viewer."""
        if self.viewers or self._coming or self.outlets:
            self.seen_at = time.monotonic()
            return False
        return time.monotonic() - self.seen_at > (1.0 if self.terms.single else seconds)

    # What is known of it.

    @property
    def left(self) -> float:
        """Seconds until its end; infinite where none is set."""
        return self.terms.seconds - self.clock.seconds

    def look_at_the_clock(self) -> bool:
        """Whether its time is over; its viewers are told some time before."""
        if self.left <= NOTICE and not self._warned:
            self._warned = True
            self._send({"type": "ending", "utterance": None, "seconds": round(max(0.0, self.left)), "clock": self._now})
        return self.left <= 0

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        shown = {"id": self.name, "whep": f"/sessions/{self.name}/whep", "avatar": self.avatar, "voice": self.voice}
        return {**shown, "size": self.size, "generator": self.generator, "seed": self.stage.controls.seed}

    async def stats(self) -> dict[str, Any]:
        """As JSON, see PROTOCOL.md."""
        pictures = self.stage.pictures
        viewers = [await viewer.stats() for viewer in list(self.viewers.values())]
        seen = [skew(v.sound, v.pictures) for v in self.viewers.values() if v.state == "connected"]
        late, drift = next(iter(seen + [outlet.skew for outlet in self.outlets]), (None, None))
        return {
            "id": self.name,
            "uptime": round(self.clock.seconds, 2),
            "size": self.size,
            "generator": self.generator,
            "fps": max(
                [viewer["fps"] for viewer in viewers] + [round(outlet.fps, 2) for outlet in self.outlets], default=0.0
            ),
            "frames": pictures.drawn,
            "late": pictures.late,
            "draw_ms": round(1e3 * pictures.cost, 1),
            "draw_latency_ms": round(1e3 * pictures.latency, 1),
            "skew_ms": _rounded(late),
            "drift_ms_per_minute": _rounded(drift, 2),
            "state": self.state,
            "speaking": self.state == "speaking",
            "queued": self.stage.queued,
            "first_frame_ms": _rounded(self.first_frame_ms),
            "interrupt_ms": _rounded(self.stage.interrupt_ms),
            "microphone": any(viewer.microphone is not None for viewer in self.viewers.values()),
            "viewers": viewers,
        }

    @property
    def quiet(self) -> bool:
        """Whether nothing waits to be said and all that was said has been told."""
        return self.stage.queued == 0 and not self._events.waiting

    async def close(self, why: str = "the session has ended.") -> None:
        """End it and free everything; its viewers are told why."""
        if self.closed:
            return
        self.closed = True
        self._sayings.close()
        self._send({"type": "error", "utterance": None, "error": why})
        leaving = [viewer.close() for viewer in list(self.viewers.values())]
        await asyncio.gather(*leaving, self.outlets.close(), return_exceptions=True)
        self._events.close()
        await asyncio.get_running_loop().run_in_executor(None, self.stage.stop)
        self._traces.end(self.stage.pictures)
        self.listeners.clear()


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
