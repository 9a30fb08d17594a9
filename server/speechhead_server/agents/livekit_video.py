"""The avatar behind the contract of LiveKit Agents: a `VideoGenerator` for their `AvatarRunner`.

    avatar = LiveAvatar.open("portrait.jpg", 512)
    video = AvatarVideo(avatar)
    runner = AvatarRunner(room, audio_recv=DataStreamAudioReceiver(room), video_gen=video, options=video.options)
    await runner.start()

The agent gives its session a `DataStreamAudioOutput` (or, in the same process, a `QueueAudioOutput`, which is then the
runner's `audio_recv`); its `playback_started` and `playback_finished(position, interrupted)` come from what is heard.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from speechhead.core.clocks import FPS
from speechhead.core.errors import ServerError

try:
    from livekit import rtc
    from livekit.agents.voice.avatar import AudioSegmentEnd, AvatarOptions, VideoGenerator
except ImportError as error:
    raise ServerError(f"the LiveKit adapter needs {error.name}. pip install 'speechhead[livekit]'.") from error

from speechhead_server.stage.clock import RATE

from .avatar import Finished, LiveAvatar, Moment
from .speech import from_pcm, to_pcm

IN_HAND = 0.2
"""Seconds for which a frame may be in the runner's hand before nobody waits for it any more."""


class AvatarVideo(VideoGenerator):
    """Audio frames and segment ends in, video frames at all times and audio frames while it speaks out.

    Parameters
    ----------
    avatar : is closed with `aclose`
    """

    def __init__(self, avatar: LiveAvatar) -> None:
        self.avatar = avatar
        self._saying = False  # a segment has ended for the agent and is still being said
        self._said = asyncio.Event()
        self._back = asyncio.Event()  # the runner has sent what it was given
        self._back.set()

    @property
    def options(self) -> AvatarOptions:
        """What the runner is to be made with."""
        return AvatarOptions(
            video_width=self.avatar.size,
            video_height=self.avatar.size,
            video_fps=FPS,
            audio_sample_rate=RATE,
            audio_channels=1,
        )

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Say a frame, or close the segment.

        The runner tells its agent of one segment at a time, so the next one waits here until this one was heard.
        """
        if isinstance(frame, AudioSegmentEnd):
            if self.avatar.end() is not None:  # None: it was cleared, and the agent knows
                self._said.clear()
                self._saying = True
            return
        generation = self.avatar.generation
        while self._saying:
            await self._said.wait()
        if generation == self.avatar.generation:
            await self.avatar.hear(from_pcm(bytes(frame.data), frame.num_channels), frame.sample_rate)

    async def clear_buffer(self) -> None:
        """Stop at once: nothing that was pushed before is heard from here on, the mouth comes to rest.

        Returns when the runner has sent the frame that it has in hand: it counts it only then, and would otherwise
        count it to the next segment and keep silent about its start.
        """
        self.avatar.interrupt()
        self._heard()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._back.wait(), IN_HAND)

    def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        return self._frames()

    async def _frames(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        async for moment in self.avatar.moments():
            generation = self.avatar.generation
            for frame in self._frames_of(moment):
                if generation != self.avatar.generation and not isinstance(frame, rtc.VideoFrame):
                    continue  # cleared while the picture was sent
                self._back.clear()
                try:
                    yield frame
                finally:
                    self._back.set()
                if isinstance(frame, AudioSegmentEnd):
                    self._heard()

    def _frames_of(self, moment: Moment) -> Iterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        if moment.picture is not None:
            size, planar = self.avatar.size, moment.picture.tobytes()
            yield rtc.VideoFrame(size, size, rtc.VideoBufferType.I420, planar)
        if moment.sound is not None:
            yield rtc.AudioFrame(to_pcm(moment.sound), RATE, 1, len(moment.sound))
        for finished in moment.finished:
            if _is_news(finished):
                yield AudioSegmentEnd()

    def _heard(self) -> None:
        self._saying = False
        self._said.set()

    async def aclose(self) -> None:
        """End the avatar; the iteration ends too."""
        await self.avatar.close()
        self._heard()


def _is_news(finished: Finished) -> bool:
    """Whether the runner has to be told: of a segment that it cleared itself it has told its agent already."""
    return not finished.interrupted or finished.failed
