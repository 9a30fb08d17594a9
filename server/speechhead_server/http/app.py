"""The HTTP side: routes that turn requests into calls of sessions and portraits, and mistakes into one line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

import speechhead
from speechhead.core.clocks import FPS
from speechhead.core.controls import EMOTIONS
from speechhead.generators.protocol import Generator
from speechhead.speech.protocol import SpeechModel
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.metrics import Metrics
from speechhead_server.core.tickets import CALLER
from speechhead_server.live.avatars import Gallery
from speechhead_server.live.lane import Lane
from speechhead_server.live.script import PART
from speechhead_server.live.sessions import Sessions
from speechhead_server.live.studio import Studio
from speechhead_server.offline.queue import OfflineQueue
from speechhead_server.rtc.ports import use_ports
from speechhead_server.talk.partners import partners
from speechhead_server.uploads.decode import UploadDecoder, unless_gone
from speechhead_server.voice.speaker import Speaker

from .access import Access
from .admin import add_admin
from .drawing import PATHS, add_drawing
from .faults import add_faults
from .guard import OPEN, Guard
from .offline import add_offline
from .requests import ControlsBody, SayBody, SessionBody, emotion_of, file_of, keyframes_of, shown_controls
from .results import (
    MEANINGS,
    AvatarResult,
    AvatarsResult,
    ConfigResult,
    ControlsResult,
    ErrorResult,
    Health,
    InterruptResult,
    RunningResult,
    SaidResult,
    SessionResult,
    StatsResult,
    VoicesResult,
    file_body,
    refusals,
)
from .schema import exact
from .streams import STREAMS, add_streams
from .talk import Conversations
from .whep import add_whep

CLIENT = Path(__file__).parent.parent / "client"
"""The browser's page, served as it is."""


class Server:
    """One server with all it is made of; `app` is what an ASGI server runs.

    Parameters
    ----------
    generator, speech, speaker : stand-ins for the shipped networks and the voice process
    """

    def __init__(
        self,
        settings: ServerSettings | None = None,
        generator: type[Generator] | None = None,
        speech: SpeechModel | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self.settings = settings = settings or ServerSettings()
        self.metrics = Metrics()
        company = partners(settings)  # what is wrong with them is said before anything slow
        self.studio = Studio(settings, generator, speech)
        self.decoder, self.lane = UploadDecoder(), Lane()
        self.gallery = Gallery(settings, self.studio, self.decoder)
        self.studio.choose_sizes(self.gallery.open_default())
        self.sessions = Sessions(settings, self.studio, self.gallery, speaker or Speaker(), self.metrics)
        if speaker is None:
            self.sessions.speaker = Speaker(warm=(self.sessions.check_voice(None),))
        self.offline = OfflineQueue(settings)
        self.conversations = Conversations(self.sessions, company)
        api = self._api()
        files = {f"/{path.relative_to(CLIENT).as_posix()}" for path in CLIENT.rglob("*") if path.is_file()}
        folders = {name.removesuffix("index.html") for name in files if name.endswith("/index.html")}
        files |= folders | {name.rstrip("/") for name in folders if name != "/"}
        access = Access(settings, OPEN | PATHS | files, self.sessions.may_use)
        self.app = Guard(api, settings, self.metrics, access)

    @contextlib.asynccontextmanager
    async def _life(self, _: FastAPI) -> AsyncIterator[None]:
        if self.settings.udp_ports is not None:
            use_ports(asyncio.get_running_loop(), *self.settings.udp_ports)
        await self.gallery.staged(None, self.studio.size)
        await self.sessions.speaker.start()
        self.sessions.start()
        await self.sessions.go_on_air()
        self.offline.start()
        self.conversations.start()
        yield
        await self.offline.close()
        await self.conversations.close()
        self.decoder.close()
        self.lane.close()
        await self.sessions.close()
        await self.sessions.speaker.close()
        self.studio.close()

    def drain(self) -> None:
        """Take nothing new, and tell those who look that the end is near."""
        self.sessions.drain()

    @property
    def drained(self) -> bool:
        """Whether nothing is being said any more."""
        return self.sessions.quiet

    def _api(self) -> FastAPI:
        api = FastAPI(
            title="speechhead",
            version=speechhead.__version__,
            description=f"A portrait that speaks, live over WebRTC. {STREAMS}",
            lifespan=self._life,
            docs_url=None,  # the page of the client, which loads nothing from elsewhere and sends the token
            redoc_url=None,
            responses={status: {"model": ErrorResult, "description": MEANINGS[status]} for status in (401, 422)},
        )
        api.openapi = exact(api.openapi, self._offered)  # type: ignore[method-assign]
        add_faults(api)
        self._about(api)
        self._portraits(api)
        add_drawing(api, self.gallery)
        self._sessions(api)
        add_whep(api, self.sessions, self.settings)
        self._speech(api)
        add_streams(api, self.sessions, self.conversations)
        add_offline(api, self.offline, self.sessions)
        add_admin(api, self.sessions, self.settings)
        if CLIENT.is_dir():
            api.mount("/", StaticFiles(directory=CLIENT, html=True), name="client")
        return api

    def _offered(self) -> dict[str, list[str] | list[int]]:
        """Values that a request may hold here, for the schema."""
        sizes = {size for offered in self.studio.offers for size in offered.sizes}
        voices = [voice.name for voice in self.sessions.voices]
        return {"size": sorted(sizes), "generator": [*self.studio.palette.names], "voice": voices}

    def _about(self, api: FastAPI) -> None:
        sessions, settings = self.sessions, self.settings

        def health(status: str, code: int = 200) -> JSONResponse:
            body = {"status": status, "version": speechhead.__version__, "sessions": len(sessions)}
            return JSONResponse({**body, "capacity": self.studio.capacity}, code)

        @api.get("/livez", tags=["operation"], response_model=Health)
        async def livez() -> JSONResponse:
            """Whether the process works; if not, restart it."""
            return health("ok")

        @api.get("/readyz", tags=["operation"], response_model=Health, responses={503: {"model": Health}})
        @api.get("/healthz", tags=["operation"], response_model=Health, responses={503: {"model": Health}})
        async def healthz() -> JSONResponse:
            """Whether it takes new sessions, for load balancers: not while it is closing, or told to rest."""
            if sessions.closing or sessions.resting:
                return health("closing" if sessions.closing else "resting", 503)
            return health("ok")

        @api.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
        async def metrics() -> Response:
            """Numbers for Prometheus."""
            sessions.report()
            return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

        @api.get("/config", tags=["operation"], response_model=ConfigResult)
        async def config() -> dict[str, Any]:
            """What a client needs to know."""
            limits = {"text": settings.text_limit, "upload": settings.upload_limit, "audio": settings.audio_limit}
            limits |= {"audio_seconds": int(settings.audio_seconds)}
            if settings.offline_jobs:
                limits |= {"offline": settings.offline_limit, "offline_seconds": int(settings.offline_seconds)}
            limits |= {"avatar_days": round(settings.avatar_days)} if settings.avatars_folder else {}
            shown = {"version": speechhead.__version__, "size": self.studio.size, "sizes": sessions.sizes, "fps": FPS}
            shown["generators"] = sessions.describe_generators()
            shown |= {"emotions": list(EMOTIONS), "limits": limits, "talk": self.conversations.config}
            return {**shown, "ice_servers": settings.ice_servers}

        @api.get("/voices", tags=["operation"], response_model=VoicesResult)
        async def voices() -> dict[str, Any]:
            """Voices that can speak on this machine."""
            known = [{k: getattr(v, k) for k in ("name", "gender", "language", "engine")} for v in sessions.voices]
            return {"default": None, "voices": known}

    def _portraits(self, api: FastAPI) -> None:
        gallery, sessions = self.gallery, self.sessions

        @api.get("/avatars", tags=["avatars"], response_model=AvatarsResult, response_model_exclude_unset=True)
        async def avatars() -> dict[str, Any]:
            """The portraits that ship with the server."""
            return {"default": gallery.default, "avatars": [sessions.describe_avatar(entry) for entry in gallery.shown]}

        @api.post(
            "/avatars",
            status_code=202,
            tags=["avatars"],
            response_model=AvatarResult,
            response_model_exclude_unset=True,
            responses=refusals(400, 408, 413, 415, 422, 503, 507),
            openapi_extra=file_body("image/*"),
        )
        async def upload(request: Request, response: Response) -> dict[str, Any]:
            """Upload a portrait: a form with the field `file`, or the bytes with an image's content type."""
            data, name, _ = await file_of(request, "image")
            entry = gallery.upload(data, Path(name).stem)
            response.headers["Location"] = f"/avatars/{entry.name}"
            return sessions.describe_avatar(entry)

        @api.get(
            "/avatars/{name}",
            tags=["avatars"],
            response_model=AvatarResult,
            response_model_exclude_unset=True,
            responses=refusals(404),
        )
        async def avatar(name: str) -> dict[str, Any]:
            """A portrait and how far its preparation is."""
            return sessions.describe_avatar(gallery.get(name))

        @api.get(
            "/avatars/{name}/picture",
            tags=["avatars"],
            response_class=Response,
            responses={200: {"content": {"image/jpeg": {}}}, **refusals(404, 409, 422)},
        )
        async def picture(name: str) -> Response:
            """A square preview."""
            return Response(await gallery.picture(name), media_type="image/jpeg")

        @api.delete("/avatars/{name}", status_code=204, tags=["avatars"], responses=refusals(403, 404))
        async def forget(name: str) -> None:
            """Forget an upload."""
            gallery.remove(name)

    def _sessions(self, api: FastAPI) -> None:
        sessions = self.sessions

        @api.post(
            "/sessions",
            status_code=201,
            tags=["sessions"],
            response_model=SessionResult,
            responses=refusals(400, 404, 408, 409, 413, 422, 503),
        )
        async def open_session(request: Request, response: Response, body: SessionBody | None = None) -> dict[str, Any]:
            """Make a session; then POST an SDP offer to its `whep`."""
            wanted = (body or SessionBody.model_validate({})).wanted()
            session = await sessions.open(wanted, caller=request.scope.get(CALLER))
            response.headers["Location"] = f"/sessions/{session.name}"
            return session.describe()

        @api.get("/sessions/{name}", tags=["sessions"], response_model=RunningResult, responses=refusals(404))
        async def session(name: str) -> dict[str, Any]:
            """A session."""
            found = sessions.get(name)
            return {**found.describe(), "state": found.state, "viewers": len(found.viewers)}

        @api.delete("/sessions/{name}", status_code=204, tags=["sessions"], responses=refusals(404))
        async def end_session(name: str) -> None:
            """End a session and all its viewers."""
            await sessions.end(name)

        @api.get("/sessions/{name}/stats", tags=["sessions"], response_model=StatsResult, responses=refusals(404))
        async def stats(name: str) -> dict[str, Any]:
            """Frame rate, skew, latencies."""
            return await sessions.get(name).stats()

    def _speech(self, api: FastAPI) -> None:
        sessions = self.sessions

        @api.post(
            "/sessions/{name}/say",
            status_code=202,
            tags=["speech"],
            response_model=SaidResult,
            response_model_exclude_unset=True,
            responses=refusals(400, 404, 408, 413, 422, 503),
        )
        async def say(name: str, body: SayBody) -> dict[str, str]:
            """Say a text, after what is being said or instead of it."""
            session = sessions.get(name)
            sessions.refuse_if_closing()
            voice = None if body.voice is None else sessions.check_voice(body.voice)
            session.check_text(len(body.text), body.interrupt)
            read = sessions.read, body.text, voice or session.voice
            said, note = await self.lane.do(*read) if len(body.text) > PART else sessions.read(*read[1:])
            session = sessions.get(name)
            utterance = session.say(said, voice, emotion_of(body.emotion), body.interrupt)
            return {"utterance": utterance, **({"note": note} if note else {})}

        @api.post(
            "/sessions/{name}/audio",
            status_code=202,
            tags=["speech"],
            response_model=SaidResult,
            response_model_exclude_unset=True,
            responses=refusals(400, 404, 408, 413, 415, 422, 503, 507),
            openapi_extra=file_body("audio/*", keyframes="JSON or CSV: what changes at which second."),
        )
        async def audio(name: str, request: Request, interrupt: bool = False) -> dict[str, Any]:
            """Speak a recording: a form with the field `file`, or the bytes with a sound's content type.

            The form's field `keyframes` changes controls over the recording's time.
            """
            session = sessions.get(name)
            sessions.refuse_if_closing()
            data, _, fields = await file_of(request, "audio", "keyframes")
            keyframes = await self.lane.do(keyframes_of, told) if (told := fields.get("keyframes")) else ()
            if not interrupt:
                sessions.check_room(session)
            sound = await unless_gone(request, self.decoder.sound(data, self.settings.audio_seconds))
            return {"utterance": sessions.play(name, sound, interrupt, keyframes), "seconds": round(sound.seconds, 3)}

        @api.post(
            "/sessions/{name}/interrupt", tags=["speech"], response_model=InterruptResult, responses=refusals(404)
        )
        async def interrupt(name: str) -> dict[str, bool]:
            """Stop what is said and what waits."""
            return {"interrupted": sessions.get(name).interrupt()}

        @api.get("/sessions/{name}/controls", tags=["speech"], response_model=ControlsResult, responses=refusals(404))
        async def controls(name: str) -> dict[str, Any]:
            """The controls as they are."""
            return shown_controls(sessions.get(name).stage.controls)

        @api.patch(
            "/sessions/{name}/controls",
            tags=["speech"],
            response_model=ControlsResult,
            responses=refusals(400, 404, 408, 413, 422),
        )
        async def control(name: str, body: ControlsBody) -> dict[str, Any]:
            """Change controls while the avatar lives."""
            return shown_controls(sessions.get(name).control(body.changes()))
