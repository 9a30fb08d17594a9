"""The avatar as a plugin of LiveKit Agents: an agent asks a worker for a face, and speaks through it.

avatar = SpeechheadAvatar("grace_hopper")
await avatar.start(session, room=ctx.room)
await session.start(agent=..., room=ctx.room)
"""

from __future__ import annotations

import os
import uuid

from speechhead.core.errors import ServerError

try:
    from livekit import api, rtc
    from livekit.agents import AgentSession, get_job_context
    from livekit.agents.voice.avatar import AvatarSession, DataStreamAudioOutput
except ImportError as error:
    raise ServerError(f"the LiveKit plugin needs {error.name}. pip install 'speechhead[livekit]'.") from error

from speechhead_server.stage.clock import RATE

from .jobs import AGENT, SIZE, AvatarJob


class SpeechheadAvatar(AvatarSession):
    """An avatar that joins the agent's room from a `speechhead worker`.

    Parameters
    ----------
    portrait : a name that the workers know; their default one if None
    size : side of its picture, pixels
    agent_name : that the workers are dispatched by
    """

    def __init__(self, portrait: str | None = None, size: int = SIZE, agent_name: str = AGENT) -> None:
        super().__init__()
        self._identity = f"speechhead-{uuid.uuid4().hex[:12]}"
        self._portrait, self._size, self._agent_name = portrait, size, agent_name

    @property
    def avatar_identity(self) -> str:
        """Of the avatar in the room."""
        return self._identity

    @property
    def provider(self) -> str:
        """Who makes it."""
        return "speechhead"

    async def start(
        self,
        agent_session: AgentSession,
        room: rtc.Room,
        *,
        livekit_url: str | None = None,
        livekit_api_key: str | None = None,
        livekit_api_secret: str | None = None,
    ) -> None:
        """Dispatch a worker into the room, and let the session speak through its avatar.

        Raises
        ------
        ServerError if the server is not known: give it, or set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
        """
        keys = (
            livekit_url or os.environ.get("LIVEKIT_URL"),
            livekit_api_key or os.environ.get("LIVEKIT_API_KEY"),
            livekit_api_secret or os.environ.get("LIVEKIT_API_SECRET"),
        )
        if not all(keys):
            raise ServerError("the LiveKit server is not known. Set LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET.")
        context = get_job_context(required=False)
        agent = room.local_participant.identity if room.isconnected() else ""
        if not agent and context is not None:
            agent = context.local_participant_identity
        job = AvatarJob(self._identity, agent, self._portrait, self._size)
        await super().start(agent_session, room)
        server = api.LiveKitAPI(*keys)
        try:
            asked = api.CreateAgentDispatchRequest(agent_name=self._agent_name, room=room.name, metadata=job.metadata)
            await server.agent_dispatch.create_dispatch(asked)
        finally:
            await server.aclose()
        agent_session.output.audio = DataStreamAudioOutput(
            room=room,
            destination_identity=self._identity,
            sample_rate=RATE,
            wait_remote_track=rtc.TrackKind.KIND_VIDEO,
        )
