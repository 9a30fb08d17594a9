"""The worker on LiveKit's agent framework: dispatched into rooms, it joins as an avatar and leaves with its agent."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

from speechhead.core.errors import ServerError, SpeechheadError

try:
    from livekit import rtc
    from livekit.agents import AgentServer, JobContext, JobRequest
    from livekit.agents.voice.avatar import AvatarRunner, DataStreamAudioReceiver
except ImportError as error:
    raise ServerError(f"the LiveKit worker needs {error.name}. pip install 'speechhead[livekit]'.") from error

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.core.options import RenderOptions
from speechhead.generators.open import chosen_generator
from speechhead.render.stream import Renderer
from speechhead_server.core.problems import one_line

from .avatar import LiveAvatar
from .jobs import AvatarJob, WorkerSettings
from .livekit_video import AvatarVideo

log = logging.getLogger("speechhead.server")

ON_BEHALF = "lk.publish_on_behalf"
"""Attribute by which LiveKit's clients show an avatar in its agent's place."""


async def accept(request: JobRequest) -> None:
    """Take a job that can be done, under the identity that was asked for; reject any other."""
    try:
        job = AvatarJob.from_metadata(request.job.metadata)
        job.check_here()
    except SpeechheadError as error:
        log.warning("worker: a job is rejected: %s", one_line(error))
        await request.reject()
        return
    attributes = {ON_BEHALF: job.agent} if job.agent else {}
    await request.accept(name="speechhead", identity=job.identity, attributes=attributes)


async def perform(context: JobContext, how: RenderOptions) -> None:
    """Be an avatar, drawn as the worker's settings say, until the agent it speaks for has left."""
    job = AvatarJob.from_metadata(context.job.metadata)
    renderer = await asyncio.to_thread(prepared, job, how)
    await context.connect()
    video = AvatarVideo(LiveAvatar(renderer))
    room = context.room
    receiver = DataStreamAudioReceiver(room, sender_identity=job.agent or None)
    runner = AvatarRunner(room, audio_recv=receiver, video_gen=video, options=video.options)

    async def end(*_: Any) -> None:
        await runner.aclose()
        await video.aclose()

    context.add_shutdown_callback(end)

    def left(participant: rtc.RemoteParticipant) -> None:
        if job.agent and participant.identity == job.agent:
            context.shutdown("the agent has left")

    room.on("participant_disconnected", left)
    await runner.start()
    log.info("worker: %s speaks for %s at %d px.", job.identity, job.agent or "anybody", job.size)


def prepared(job: AvatarJob, how: RenderOptions) -> Renderer:
    """The renderer of a job's portrait, ready for the stage; takes a second or two."""
    staged = on_stage(Avatar.open(job.portrait, job.size), job.size)
    return Renderer(staged, None, chosen_generator(how, job.size))


class Load:
    """How full the worker is: its avatars over those that the machine holds."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def __call__(self, server: AgentServer) -> float:
        return len(server.active_jobs) / self.capacity

    @property
    def threshold(self) -> float:
        """Load from which on no further job is taken: between the last place and none."""
        return 1.0 - 0.5 / self.capacity


def made(settings: WorkerSettings, capacity: int) -> AgentServer:
    """The worker, not yet running."""
    load = Load(capacity)
    server = AgentServer(
        ws_url=settings.url,
        api_key=settings.api_key,
        api_secret=settings.api_secret,
        load_fnc=load,
        load_threshold=load.threshold,
        drain_timeout=settings.drain_seconds,
        num_idle_processes=1,
        port=0,
    )
    # A job's process gets it pickled: options are plain values.
    server.rtc_session(partial(perform, how=settings.drawing), agent_name=settings.agent_name, on_request=accept)
    return server


def run(settings: WorkerSettings, capacity: int) -> None:
    """Run the worker until SIGINT or SIGTERM, then let its avatars end."""
    import signal

    async def main() -> None:
        server = made(settings, capacity)
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, asked.set)
        running = asyncio.create_task(server.run())
        stopping = asyncio.create_task(asked.wait())
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
            return
        log.info("worker: takes nothing new, waits for %d avatars.", len(server.active_jobs))
        await server.drain()
        await server.aclose()
        await running

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("speechhead").handlers = []  # those of the command line, which would say all of it again
    log.info("worker: %s holds %d avatars at a time.", settings.agent_name, capacity)
    try:
        asyncio.run(main())
    except (OSError, RuntimeError) as error:
        raise ServerError(f"{settings.url}: the worker ended ({one_line(error)}). Check --url and the keys.") from error
