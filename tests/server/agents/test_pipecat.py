"""The avatar in a real Pipecat pipeline."""

from __future__ import annotations

import asyncio
import functools
import sys

import numpy as np
import pytest
from speechhead_server.agents.speech import from_pcm, to_pcm
from support.fakes import FakeGenerator, FakeSpeech, speech_like

SIZE = 128


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A shared machine stalls: sound that a late reader would not get any more is kept, so that it can be counted."""
    monkeypatch.setattr("speechhead_server.agents.avatar.BEHIND", 100)


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pipecat", None)
    monkeypatch.delitem(sys.modules, "speechhead_server.agents.pipecat_video", raising=False)
    from speechhead.core.errors import ServerError

    with pytest.raises(ServerError, match=r"needs pipecat.*pip install 'speechhead\[pipecat\]'"):
        import speechhead_server.agents.pipecat_video  # noqa: F401


class Line:
    """A running pipeline of the service: frames to send, and what came by at its ends as (time, frame)."""

    def __init__(self, service, frames, *after):
        from pipecat.pipeline.pipeline import Pipeline
        from pipecat.pipeline.worker import PipelineWorker
        from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

        got = self.got = []

        class Tap(FrameProcessor):
            async def process_frame(self, frame, direction):
                await super().process_frame(frame, direction)
                if (self is first) == (direction is FrameDirection.UPSTREAM):
                    got.append((asyncio.get_running_loop().time(), frame))
                await self.push_frame(frame, direction)

        self.frames, self.service = frames, service
        first = Tap()
        pipeline = Pipeline([first, service, *after, Tap()])
        self.worker = PipelineWorker(pipeline, cancel_on_idle_timeout=False, enable_rtvi=False)

    def of(self, kind):
        return [(at, frame) for at, frame in self.got if type(frame) is getattr(self.frames, kind)]

    @property
    def seconds(self):
        return sum(len(frame.audio) / 2 / frame.sample_rate for _, frame in self.of("TTSAudioRawFrame"))

    async def send(self, *frames):
        for frame in frames:
            await self.worker.queue_frame(frame)

    async def say(self, seconds, rate=24_000, seed=0, stop=True):
        sound = speech_like(seconds, rate, seed)
        await self.send(self.frames.TTSStartedFrame())
        for i in range(0, len(sound), rate // 10):
            pcm = to_pcm(sound[i : i + rate // 10])
            await self.send(self.frames.TTSAudioRawFrame(audio=pcm, sample_rate=rate, num_channels=1))
        if stop:
            await self.send(self.frames.TTSStoppedFrame())

    async def until(self, true, timeout=8.0):
        end = asyncio.get_running_loop().time() + timeout
        while not true():
            assert asyncio.get_running_loop().time() < end, "timed out"
            await asyncio.sleep(0.01)


def live(test, after=tuple):
    """Run a test with a `Line`, and end the pipeline after it; `after` makes what follows the service."""

    @functools.wraps(test)
    def run(portrait):
        pytest.importorskip("pipecat.pipeline.worker")
        from pipecat.frames import frames
        from pipecat.workers.runner import WorkerRunner
        from speechhead_server.agents.avatar import LiveAvatar
        from speechhead_server.agents.pipecat_video import AvatarVideoService

        from speechhead.avatar.portrait import Avatar
        from speechhead.avatar.square import on_stage
        from speechhead.core.controls import Controls
        from speechhead.render.stream import Renderer

        async def main():
            staged = on_stage(Avatar.from_image(portrait), SIZE)
            controls = Controls(blink_rate=0, look_away=0, seed=3)
            avatar = LiveAvatar(Renderer(staged, controls, FakeGenerator(SIZE), FakeSpeech()), 2)
            line = Line(AvatarVideoService(avatar), frames, *after())
            runner = WorkerRunner(handle_sigint=False)
            await runner.add_workers(line.worker)
            running = asyncio.create_task(runner.run())
            try:
                await line.until(lambda: avatar.watched)
                await test(line)
            finally:
                await line.send(frames.EndFrame())
                await asyncio.wait_for(running, 20)
            assert line.of("EndFrame") and avatar._closed

        asyncio.run(main())

    del run.__wrapped__
    return run


@live
async def test_speech_comes_out_with_pictures_and_its_end(line):
    sound = speech_like(1.2, 24_000)
    await line.say(1.2)
    await line.until(lambda: line.of("TTSStoppedFrame"))
    ((begin, _),) = line.of("TTSStartedFrame")
    ((end, _),) = line.of("TTSStoppedFrame")
    pieces = line.of("TTSAudioRawFrame")
    out = np.concatenate([from_pcm(frame.audio) for _, frame in pieces])
    assert abs(len(out) / 48_000 - 1.2) < 1e-3 and np.corrcoef(out[::2], sound[: len(out[::2])])[0, 1] > 0.99
    assert begin < pieces[0][0] and pieces[-1][0] <= end and pieces[-1][0] - pieces[0][0] > 0.9
    images = [(at, f) for at, f in line.of("OutputImageRawFrame") if pieces[0][0] <= at <= end]
    assert len(images) / (end - pieces[0][0]) > 12  # 25 on a machine of one's own
    assert images[0][1].size == (SIZE, SIZE) and len(images[0][1].image) == SIZE * SIZE * 3
    assert len({frame.image for _, frame in images}) > 10  # it moves


@live
async def test_an_interruption_stops_the_speech_and_passes(line):
    await line.say(6.0)
    await line.until(lambda: line.seconds > 0.8)
    asked = asyncio.get_running_loop().time()
    await line.send(line.frames.InterruptionFrame())
    await line.until(lambda: line.of("InterruptionFrame"))
    ((passed, _),) = line.of("InterruptionFrame")
    assert passed - asked < 0.1
    await asyncio.sleep(0.5)
    assert not [1 for at, _ in line.of("TTSAudioRawFrame") if at > passed + 0.01] and line.seconds < 1.2
    assert not line.of("TTSStoppedFrame") and line.service.avatar.interrupt_ms <= 205
    assert [at for at, _ in line.of("OutputImageRawFrame") if at > passed + 0.3]  # it stays alive
    said = line.seconds
    await line.say(0.4, seed=1)
    await line.until(lambda: line.of("TTSStoppedFrame"))
    assert abs(line.seconds - said - 0.4) < 1e-3


@live
async def test_the_end_waits_for_what_was_pushed(line):
    await line.say(0.8, rate=16_000, stop=False)
    await line.send(line.frames.EndFrame())
    await line.until(lambda: line.of("EndFrame"))
    assert abs(line.seconds - 0.8) < 1e-3


@live
async def test_frames_it_does_not_know_pass_and_bad_sound_is_an_error_frame(line):
    await line.send(line.frames.TextFrame("hello"), line.frames.OutputAudioRawFrame(b"\0\0", 16_000, 1))
    await line.send(line.frames.TTSAudioRawFrame(audio=b"123", sample_rate=16_000, num_channels=1))
    await line.until(lambda: line.of("TextFrame") and line.of("OutputAudioRawFrame"))
    ((_, error),) = line.of("ErrorFrame")
    assert "3 bytes" in error.error
    await line.say(0.3)
    await line.until(lambda: line.of("TTSStoppedFrame"))
    assert abs(line.seconds - 0.3) < 1e-3


def transport():
    """Pipecat's own output transport, with a player that takes as long as the sound lasts."""
    from pipecat.transports.base_output import BaseOutputTransport
    from pipecat.transports.base_transport import TransportParams

    class Player(BaseOutputTransport):
        def __init__(self):
            super().__init__(
                TransportParams(
                    audio_out_enabled=True,
                    audio_out_sample_rate=24_000,
                    video_out_enabled=True,
                    video_out_is_live=True,
                    video_out_width=SIZE,
                    video_out_height=SIZE,
                    video_out_framerate=25,
                )
            )
            self.images = 0

        async def start(self, frame):
            await super().start(frame)
            await self.set_transport_ready(frame)

        async def write_audio_frame(self, frame):
            await asyncio.sleep(len(frame.audio) / 2 / frame.sample_rate)
            return True

        async def write_video_frame(self, frame):
            self.images += 1
            return True

    return [Player()]


@functools.partial(live, after=transport)
async def test_a_transport_plays_it_and_knows_when_the_bot_speaks(line):
    await line.say(1.0)
    await line.until(lambda: line.of("BotStoppedSpeakingFrame"))
    # Each is told once upstream and once downstream.
    (begin, _), *_ = line.of("BotStartedSpeakingFrame")
    (end, _), *_ = line.of("BotStoppedSpeakingFrame")
    assert len(line.of("BotStartedSpeakingFrame")) == len(line.of("BotStoppedSpeakingFrame")) == 2
    assert 0.8 < end - begin < 1.6
    player = line.service.next
    images = player.images
    await asyncio.sleep(0.5)
    assert player.images > images + 5
