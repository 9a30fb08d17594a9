"""The avatar as a Pipecat service: between the TTS service and the output transport it takes speech, gives a face.

    avatar = LiveAvatar.open("portrait.jpg", 512)
    pipeline = Pipeline([transport.input(), stt, llm, tts, AvatarVideoService(avatar), transport.output()])

The transport's parameters: `audio_out_enabled=True, video_out_enabled=True, video_out_is_live=True,
video_out_width=512, video_out_height=512, video_out_framerate=25`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from speechhead.core.errors import ServerError, SpeechheadError

try:
    from pipecat.frames import frames as known
    from pipecat.frames.frames import (
        CancelFrame,
        EndFrame,
        ErrorFrame,
        Frame,
        OutputImageRawFrame,
        StartFrame,
        TTSAudioRawFrame,
        TTSStartedFrame,
        TTSStoppedFrame,
    )
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
except ImportError as error:
    raise ServerError(f"the Pipecat adapter needs {error.name}. pip install 'speechhead[pipecat]'.") from error

from speechhead_server.stage.clock import RATE

from .avatar import LiveAvatar, Moment, to_rgb
from .speech import from_pcm, to_pcm

INTERRUPTION: type[Frame] = getattr(known, "InterruptionFrame", None) or known.StartInterruptionFrame
"""What tells of barge-in: of this name since 0.0.85, of the other before."""


class AvatarVideoService(FrameProcessor):
    """TTSAudioRawFrames in; images at all times, and the same speech at 48 kHz in time with them, out.

    TTSStoppedFrame goes on when the speech before it was said, EndFrame waits for all of it, an interruption forgets
    it; other frames pass. A TTSAudioRawFrame that goes on also tells the transport that the bot speaks.

    Parameters
    ----------
    avatar : is closed with the pipeline
    """

    def __init__(self, avatar: LiveAvatar, **options: Any) -> None:
        super().__init__(**options)
        self.avatar = avatar
        self._pump: asyncio.Task[None] | None = None
        self._contexts: dict[str, str] = {}  # of Pipecat, by utterance
        self._stops: dict[str, TTSStoppedFrame] = {}  # held back until their utterance was said
        self._context: str | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """One frame of the pipeline."""
        await super().process_frame(frame, direction)
        if isinstance(frame, INTERRUPTION):
            self._forget()
        elif isinstance(frame, StartFrame):
            await self.push_frame(frame, direction)
            if self._pump is None:
                self._pump = self.create_task(self._play())
            return
        elif isinstance(frame, EndFrame):
            self.avatar.end()
            if self._pump is not None:
                await self.avatar.said()
            await self._stop()
        elif isinstance(frame, CancelFrame):
            await self._stop()
        elif direction is FrameDirection.DOWNSTREAM and isinstance(frame, TTSAudioRawFrame):
            await self._hear(frame)
            return
        elif direction is FrameDirection.DOWNSTREAM and isinstance(frame, TTSStartedFrame):
            self.avatar.end()  # of a service that says nothing at the end of a response
        elif direction is FrameDirection.DOWNSTREAM and isinstance(frame, TTSStoppedFrame):
            utterance = self.avatar.end()
            if utterance is not None:
                self._stops[utterance] = frame
                return
        await self.push_frame(frame, direction)

    async def _hear(self, frame: TTSAudioRawFrame) -> None:
        self._context = getattr(frame, "context_id", None)
        try:
            await self.avatar.hear(from_pcm(frame.audio, frame.num_channels), frame.sample_rate)
        except SpeechheadError as error:
            await self.push_frame(ErrorFrame(str(error)), FrameDirection.UPSTREAM)

    async def _play(self) -> None:
        async for moment in self.avatar.moments():
            generation = self.avatar.generation
            if moment.picture is not None:
                size = self.avatar.size
                image = to_rgb(moment.picture).tobytes()
                await self.push_frame(OutputImageRawFrame(image=image, size=(size, size), format="RGB"))
            if moment.sound is not None and generation == self.avatar.generation:
                await self.push_frame(self._sound(moment))
            for finished in moment.finished:
                self._contexts.pop(finished.utterance, None)
                stopped = self._stops.pop(finished.utterance, None)
                if stopped is not None:
                    await self.push_frame(stopped)

    def _sound(self, moment: Moment) -> TTSAudioRawFrame:
        assert moment.sound is not None and moment.said is not None
        frame = TTSAudioRawFrame(audio=to_pcm(moment.sound), sample_rate=RATE, num_channels=1)
        context = self._contexts.setdefault(moment.said, self._context) if self._context else None
        if context is not None:
            frame.context_id = context
        return frame

    def _forget(self) -> None:
        self.avatar.interrupt()
        self._stops.clear()
        self._contexts.clear()

    async def _stop(self) -> None:
        if self._pump is not None:
            await self.cancel_task(self._pump)
            self._pump = None

    async def cleanup(self) -> None:
        """Free everything at the end of the pipeline."""
        await super().cleanup()
        await self._stop()
        await self.avatar.close()
