"""All sessions: who is let in, who is found again, and who is ended when nobody looks any more."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.controls import Controls
from speechhead.core.errors import DeviceError, DeviceMemoryError, ImageError, SpeechSynthesisError
from speechhead.core.keyframes import Keyframe
from speechhead.core.options import check_size
from speechhead.render.stream import Renderer
from speechhead.tts import voices as known_voices
from speechhead.tts.reading import check_text
from speechhead.tts.text import Piece
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.logs import fields
from speechhead_server.core.metrics import Metrics
from speechhead_server.core.problems import Refused, for_log
from speechhead_server.core.tickets import Caller, Ticket
from speechhead_server.rtc.viewer import MODES
from speechhead_server.stage.clock import RATE
from speechhead_server.uploads.decode import Sound
from speechhead_server.voice.speaker import Speaker

from .avatars import AvatarEntry, Gallery
from .growth import Growth
from .room import Room
from .script import PART, parts
from .session import Session
from .studio import Studio
from .terms import Role, Terms, terms
from .wish import MOST_SEED, SessionWish

log = logging.getLogger("speechhead.server")

LOOK_ROUND = 1.0
"""Seconds between two looks for abandoned sessions."""

FORSAKEN = 10.0
"""Seconds without a viewer after which a session gives way to a new one, where there is no room for both."""

PCM_BYTES = 2 * (SAMPLE_RATE + RATE)
"""Bytes that a second of a recording takes while it waits: int16 for the face and for the ear."""

ENDINGS = {
    "asked": "the session has ended.",
    "operator": "the operator has ended the session.",
    "time is up": "the session's time is up. Open a new one.",
}
"""What viewers are told, by the reason of an end."""


TICKET_OVER = "the ticket's time is over. Ask for a new one."


class Sessions:
    """The sessions of one server."""

    def __init__(
        self, settings: ServerSettings, studio: Studio, gallery: Gallery, speaker: Speaker, metrics: Metrics
    ) -> None:
        self.settings, self.studio, self.gallery, self.metrics = settings, studio, gallery, metrics
        self.speaker = speaker
        self.closing = False
        self.resting = False  # the operator lets no new session in
        self._sessions: dict[str, Session] = {}
        self._room = Room(settings, studio)
        self._growth = Growth(studio, gallery)
        self._agreed: list[Terms] = []  # of sessions that are being made
        self._keeper: asyncio.Task[None] | None = None
        self._voices: list[Any] | None = None
        self._past_drawn = self._past_late = 0  # pictures of sessions that have ended

    def start(self) -> None:
        """Begin to look after the sessions."""
        self._keeper = asyncio.create_task(self._keep())

    @property
    def voices(self) -> list[Any]:
        """Voices that can speak on this machine."""
        if self._voices is None:
            self._voices = [voice for voice in known_voices() if voice.available]
        return self._voices

    def check_voice(self, name: str | None, avatar: str | None = None) -> str:
        """The voice asked for, or the first that suits the portrait; 422 for one that can not speak here."""
        able = [voice.name for voice in self.voices]
        if name is not None:
            # Only names: a path would open files, an address would be asked, for whoever sends a request.
            if name not in able:
                raise Refused(422, f"voice {name[:60]!r} is unknown. Use one of {', '.join(able)}.")
            return name
        if not able:
            raise Refused(503, f"no voice can speak on this machine. {known_voices()[0].remedy}.")
        quick = [voice.name for voice in self.voices if voice.live]
        suits = [voice for voice in self.gallery.voice(avatar) if voice in able]
        return next((voice for voice in (*suits, *quick) if voice in quick), (suits or able)[0])

    def read(self, text: str, name: str) -> tuple[list[Piece], str]:
        """A text in parts that a voice can say, and a note on what it leaves out, empty if that is nothing.

        Raises
        ------
        Refused (422) if it can say nothing of it.
        """
        language = next((voice.language for voice in self.voices if voice.name == name), "")
        said, notes, wrong = [], [], ""
        for part in parts(text) or [Piece(text[:PART], 0.0)]:
            try:
                notes.append(check_text(part.text, name, language, self.voices, others=False))
                said.append(part)
            except SpeechSynthesisError as error:
                wrong = str(error)
        if not said:
            raise Refused(422, wrong)
        return said, next(filter(None, [*notes, wrong]), "")

    def describe_avatar(self, entry: AvatarEntry) -> dict[str, Any]:
        """A portrait as JSON, with the voice of a session that names none, where any can speak."""
        return entry.describe(self.check_voice(None, entry.name) if self.voices else None)

    async def open(
        self, wanted: SessionWish | None = None, single: bool = False, caller: Caller | None = None
    ) -> Session:
        """A new session.

        Raises
        ------
        Refused: 503 if the machine holds no further real-time stream, 404, 409 or 422 for what is not there, 429 if the
        caller has as many sessions as it may have.
        """
        self.refuse_if_closing()
        self.refuse_if_resting()
        wanted = wanted or SessionWish()
        generator = self.studio.palette.check(wanted.generator)
        drawn = wanted.drawn != "viewer"
        if not drawn and not self.studio.offer(generator).portable:
            raise Refused(422, f"{generator} is drawn by the server alone. Leave out drawn, or ask for compact.")
        size = self.check_size(wanted.size, generator)
        voice = self.check_voice(wanted.voice, wanted.avatar)
        wanted = replace(wanted, generator=generator, size=size)
        entry = self.gallery.get(wanted.avatar)
        agreed = self._agree(caller or Caller(), single)
        try:
            load = self._room.admit(size, generator, list(self._sessions.values()), drawn)
        except Refused:
            await self._make_room()
            load = self._room.admit(size, generator, list(self._sessions.values()), drawn)
        self._room.coming.append(load)
        self._agreed.append(agreed)
        self.speaker.warm(voice)
        try:
            seed = secrets.randbelow(MOST_SEED + 1) if wanted.seed is None else wanted.seed  # no two blink in step
            controls = Controls(**{"seed": seed, **wanted.controls})
            renderer = await self._set_up(wanted, size, generator, controls)
            self.refuse_if_closing()
            role = Role(entry.name, voice, generator)
            session = Session(self.settings, renderer, self.studio.drawing, self.speaker, self.metrics, role, agreed)
            session.views.light = not drawn
            session.views.may_draw = lambda: self._room.admit_drawing(session, list(self._sessions.values()))
        finally:
            self._room.coming.remove(load)
            self._agreed.remove(agreed)
        self._sessions[session.name] = session
        self.metrics.opened.inc()
        running = len(self._sessions)
        told = fields("session.opened", session=session.name, size=size, generator=generator, running=running)
        log.info("session %s: opened with %s at %d px, %d run.", session.name, generator, size, running, extra=told)
        return session

    def _agree(self, caller: Caller, single: bool) -> Terms:
        """The terms of a new session of this caller, or a refusal; its oldest one that nobody looks at gives way."""
        return terms(self.settings, caller, single, [s.terms for s in self._sessions.values()] + self._agreed)

    async def _set_up(self, wanted: SessionWish, size: int, generator: str, controls: Controls) -> Renderer:
        """What draws a session; 503 where its device has no room, even when all that nobody needs is freed."""
        try:
            return await self._renderer(wanted, size, generator, controls)
        except DeviceMemoryError:
            await self._make_room()
            self._free(generator)
        except DeviceError as error:
            raise Refused(503, str(error), 10) from None
        try:
            return await self._renderer(wanted, size, generator, controls)
        except DeviceError as error:
            self._free(generator)
            raise Refused(503, str(error), 10) from None

    def _free(self, generator: str) -> None:
        """Let go of portraits that a generator has read and no session shows."""
        self.gallery.release(generator, [session.stage.renderer.avatar for session in self._sessions.values()])

    async def _renderer(self, wanted: SessionWish, size: int, generator: str, controls: Controls) -> Renderer:
        staged = await self.gallery.dressed(wanted.avatar, size, generator, wanted.background)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.studio.errands, self.studio.renderer, staged, controls, generator)

    async def go_on_air(self) -> Session | None:
        """Open the session that is always on and send it where the settings say, if they say so."""
        if not self.settings.push:
            return None
        session = await self.open(caller=Caller(operator=True))
        for target in self.settings.push:
            session.outlets.add(target)
        log.info("session %s: on air, at /?session=%s", session.name, session.name)
        return session

    def check_size(self, size: int | None, generator: str | None = None) -> int:
        """A size that this server offers of a generator; 422 for any other."""
        offered = self.studio.offer(generator)
        if size is None:
            return offered.size
        try:
            check_size(size)
        except ImageError as error:
            raise Refused(422, str(error)) from None
        if size not in offered.sizes:
            raise Refused(422, f"size {size} is not offered here. Use one of {', '.join(map(str, offered.sizes))}.")
        return size

    @property
    def sizes(self) -> list[int]:
        """Sizes that a session of the default generator may ask for."""
        return self.studio.offer().sizes

    def describe_generators(self) -> list[dict[str, Any]]:
        """What sessions may be drawn by, as JSON, the default one first."""
        shown: list[dict[str, Any]] = [
            {"name": o.name, "size": o.size, "sizes": o.sizes, "device": o.device} for o in self.studio.offers
        ]
        for entry, offered in zip(shown, self.studio.offers):
            entry["capacity"] = self.studio.capacity_of(offered.name)
            if offered.portable:
                entry["viewers"] = {"modes": MODES[1:], "capacity": self.studio.capacity_of(offered.name, drawn=False)}
        return shown

    async def _make_room(self) -> None:
        """End what nobody has looked at for a while: it would keep out somebody who does."""
        for session in [s for s in self._sessions.values() if s.abandoned(FORSAKEN)]:
            await self.discard(session, "makes room")

    def get(self, name: str) -> Session:
        """A session by its id."""
        session = self._sessions.get(name)
        if session is None or session.closed:
            raise Refused(404, f"session {name[:60]!r} is unknown or has ended. POST /sessions for a new one.")
        return session

    def play(self, name: str, sound: Sound, interrupt: bool, keyframes: Sequence[Keyframe] = ()) -> str:
        """Queue a recording in a session; returns the utterance's id. Refused as by `check_room`."""
        session = self.get(name)
        if interrupt:
            session.interrupt()
        self.check_room(session, sound.seconds, sound.nbytes)
        return session.play(sound, False, keyframes)

    def check_room(self, session: Session, seconds: float = 0.0, size: int = 0) -> None:
        """Refuse sound of so many seconds and bytes for which the session's queue, or all of them, have no room."""
        waiting, held = session.stage.waiting()
        most = min(self.settings.queue_seconds, self.settings.queue_bytes / PCM_BYTES)
        if waiting + seconds > self.settings.queue_seconds or held + size > self.settings.queue_bytes:
            more = f" and {seconds:.0f} s more find no room" if seconds else ""
            raise Refused(429, f"{waiting:.0f} s of sound wait{more} (at most {most:.0f} s). Interrupt, or wait.", 5)
        total = sum(each.stage.waiting()[1] for each in self._sessions.values())
        if total + size > self.settings.total_queue_bytes:
            most = self.settings.total_queue_bytes / PCM_BYTES
            raise Refused(503, f"sound of all sessions waits for {total / PCM_BYTES:.0f} s (at most {most:.0f} s). "
                               "Try again later.", 10)  # fmt: skip

    async def end(self, name: str, reason: str = "asked") -> None:
        """End a session and free it; 404 for one that has ended."""
        await self.discard(self.get(name), reason)

    async def discard(self, session: Session, reason: str = "asked") -> None:
        """End a session that may be ending already: several may find out at once that nobody needs it.

        reason : one of the words that the log, the metrics and the viewers get
        """
        try:
            await session.close(ENDINGS.get(reason, ENDINGS["asked"]))
        finally:
            if self._sessions.pop(session.name, None) is not None:
                self._past_drawn += session.stage.pictures.drawn
                self._past_late += session.stage.pictures.late
                self.metrics.ended.labels(reason).inc()
                lasted, left = session.clock.seconds, len(self._sessions)
                told = fields(
                    "session.ended", session=session.name, reason=reason, seconds=round(lasted, 1), running=left
                )
                log.info(
                    "session %s: ended (%s) after %.0f s, %d left.", session.name, reason, lasted, left, extra=told
                )

    async def end_viewer(self, session: Session, name: str) -> None:
        """End a viewer, and the session that was made for it alone."""
        await session.viewer(name).close()
        if session.terms.single:
            await self.discard(session, "viewer left")

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def may_use(self, name: str, ticket: Ticket) -> bool:
        """Whether a session is one that a ticket opened, or is for."""
        session = self._sessions.get(name)
        return ticket.session == name if ticket.session else session is None or session.terms.caller.ticket == ticket

    async def _keep(self) -> None:
        """End what nobody looks at, and note how punctual the others are."""
        while True:
            await asyncio.sleep(LOOK_ROUND)
            for name in list(self._sessions):
                await self._look_after(name)
            self._room.look(list(self._sessions.values()))
            await self._growth.look(not self._sessions and not self._room.coming)

    async def _look_after(self, name: str) -> None:
        try:
            session = self.get(name)
            for viewer in list(session.viewers.values()):
                await viewer.check()
                if time.monotonic() > viewer.until:
                    viewer.send({"type": "error", "utterance": None, "error": TICKET_OVER})
                    await self.end_viewer(session, viewer.name)
            if session.trouble is not None:
                log.error("session %s: %s", name, for_log(session.trouble))
                session.tell_error(session.trouble)
                await self.discard(session, "no memory")
                self._free(session.generator)
            elif session.look_at_the_clock():
                await self.discard(session, "time is up")
            elif session.abandoned(self.settings.idle_timeout):
                await self.discard(session, "nobody looks")
        except Refused:  # it has ended by itself
            return
        except Exception:
            log.exception("session %s: looking after it failed", name)

    def report(self) -> None:
        """Bring the metrics up to date."""
        metrics, sessions = self.metrics, list(self._sessions.values())
        metrics.sessions.set(len(sessions))
        metrics.viewers.set(sum(v.state == "connected" for s in sessions for v in s.viewers.values()))
        metrics.capacity.set(self.studio.capacity)
        metrics.rise(metrics.frames, self._past_drawn + sum(s.stage.pictures.drawn for s in sessions))
        metrics.rise(metrics.late, self._past_late + sum(s.stage.pictures.late for s in sessions))
        metrics.draw.set(sum(s.stage.pictures.cost for s in sessions) / max(1, len(sessions)))
        late = [v.pictures.punctuality.mean - v.sound.punctuality.mean for s in sessions for v in s.viewers.values()]
        for queue in self.studio.drawing.queues:
            metrics.rise(metrics.calls.labels(queue.name), queue.calls)
            metrics.rise(metrics.pictures.labels(queue.name), queue.pictures)
        metrics.skew.set(max(late, key=abs, default=0.0))
        metrics.rise(metrics.restarts, self.speaker.restarts)
        paths = [v.path for s in sessions for v in s.viewers.values() if v.state == "connected"]
        metrics.lost.set(max((path.lost for path in paths), default=0.0))
        metrics.rtt.set(max((path.rtt for path in paths), default=0.0))
        metrics.jitter.set(max((path.jitter for path in paths), default=0.0))

    def drain(self) -> None:
        """Take no new session and nothing more to say, and tell the clients; what is being said goes on."""
        self.closing = True
        for session in self._sessions.values():
            session.tell_closing()

    @property
    def quiet(self) -> bool:
        """Whether nothing is being said and nothing waits."""
        return all(session.quiet for session in self._sessions.values())

    def refuse_if_closing(self) -> None:
        """503 while the server is shutting down."""
        if self.closing:
            raise Refused(503, "the server is shutting down. Try again in a moment.", 5)

    def refuse_if_resting(self) -> None:
        """503 while the operator lets no new session in."""
        if self.resting:
            raise Refused(503, "this server takes no new session for now. Try again later, or another one.", 60)

    async def close(self) -> None:
        """End all sessions."""
        self.closing = True
        begin = time.monotonic()
        if self._keeper is not None:
            self._keeper.cancel()
        await asyncio.gather(*(session.close() for session in self._sessions.values()), return_exceptions=True)
        log.info("%d sessions ended in %.1f s.", len(self._sessions), time.monotonic() - begin)
        self._sessions.clear()
