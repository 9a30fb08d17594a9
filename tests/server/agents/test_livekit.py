"""The avatar under LiveKit Agents' own runner and audio output, with a room that is only pretended."""

from __future__ import annotations

import asyncio
import functools
import sys
import types

import numpy as np
import pytest
from speechhead_server.agents.speech import to_pcm
from support.fakes import FakeGenerator, FakeSpeech, speech_like


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "livekit", None)
    monkeypatch.delitem(sys.modules, "speechhead_server.agents.livekit_video", raising=False)
    from speechhead.core.errors import ServerError

    with pytest.raises(ServerError, match=r"needs livekit.*pip install 'speechhead\[livekit\]'"):
        import speechhead_server.agents.livekit_video  # noqa: F401


SIZE = 128


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A shared machine stalls: sound that a late reader would not get any more is kept, so that it can be counted."""
    monkeypatch.setattr("speechhead_server.agents.avatar.BEHIND", 100)


class Room:
    """Connected, and whoever is published to is there."""

    def __init__(self):
        self.local_participant = self
        self.published = []

    def isconnected(self):
        return True

    def on(self, *_):
        pass

    off = on

    async def publish_track(self, track, options):
        async def wait_for_subscription():
            await asyncio.sleep(0.3)  # a viewer who takes a moment to come

        self.published.append((track, options))
        return types.SimpleNamespace(wait_for_subscription=wait_for_subscription)


def live(test):
    """Run a test with a real AvatarRunner: (output that the agent plays to, frames that were sent, agent's events)."""

    @functools.wraps(test)
    def run(portrait):
        avatars = pytest.importorskip("livekit.agents.voice.avatar")
        from livekit import rtc
        from speechhead_server.agents.avatar import LiveAvatar
        from speechhead_server.agents.livekit_video import AvatarVideo

        from speechhead.avatar.portrait import Avatar
        from speechhead.avatar.square import on_stage
        from speechhead.core.controls import Controls
        from speechhead.render.stream import Renderer

        async def main():
            staged = on_stage(Avatar.from_image(portrait), SIZE)
            controls = Controls(blink_rate=0, look_away=0, seed=3)
            video = AvatarVideo(LiveAvatar(Renderer(staged, controls, FakeGenerator(SIZE), FakeSpeech()), 2))
            output = avatars.QueueAudioOutput(wait_playback_start=True)
            runner = avatars.AvatarRunner(Room(), audio_recv=output, video_gen=video, options=video.options)
            loop, sent, told = asyncio.get_running_loop(), [], []
            output.on("playback_started", lambda event: told.append((loop.time(), event)))
            output.on("playback_finished", lambda event: told.append((loop.time(), event)))
            push = runner.av_sync.push

            async def noted(frame, timestamp=None):
                sent.append((loop.time(), frame))
                await push(frame, timestamp)

            runner.av_sync.push = noted
            await runner.start()
            try:
                await test(rtc, output, sent, told)
            finally:
                await runner.aclose()
                await video.aclose()

        asyncio.run(main())

    del run.__wrapped__
    return run


async def say(rtc, output, seconds, rate=24_000, seed=0):
    """Play speech to the output as an agent does: in 50 ms frames, all at once."""
    sound = speech_like(seconds, rate, seed)
    for i in range(0, len(sound), rate // 20):
        piece = sound[i : i + rate // 20]
        await output.capture_frame(rtc.AudioFrame(to_pcm(piece), rate, 1, len(piece)))


def seconds_of(rtc, sent):
    return sum(frame.duration for _, frame in sent if isinstance(frame, rtc.AudioFrame))


@live
async def test_a_segment_is_said_shown_and_reported(rtc, output, sent, told):
    await say(rtc, output, 1.2)  # before anybody watches: it must not be lost
    output.flush()
    event = await asyncio.wait_for(output.wait_for_playout(), 8)
    assert not event.interrupted and abs(event.playback_position - 1.2) < 1e-3
    assert [type(e).__name__ for _, e in told] == ["PlaybackStartedEvent", "PlaybackFinishedEvent"]
    assert 1.0 < told[1][0] - told[0][0] < 1.8
    pictures = [(at, f) for at, f in sent if isinstance(f, rtc.VideoFrame)]
    assert (pictures[0][1].width, pictures[0][1].height) == (SIZE, SIZE)
    assert pictures[0][1].type == rtc.VideoBufferType.I420
    begin, end = told[0][0], told[1][0]
    assert sum(begin <= at <= end for at, _ in pictures) / (end - begin) > 12  # 25 on a machine of one's own
    idle = seconds_of(rtc, sent)
    await asyncio.sleep(0.3)
    assert seconds_of(rtc, sent) == idle  # no sound where nothing is said, pictures all the same
    assert sum(at > end for at, _ in pictures) < sum(at > end for at, f in sent if isinstance(f, rtc.VideoFrame))


@live
async def test_clear_buffer_stops_it_and_reports_what_was_heard(rtc, output, sent, told):
    await say(rtc, output, 6.0)
    output.flush()
    while seconds_of(rtc, sent) < 0.8:
        await asyncio.sleep(0.01)
    asked = asyncio.get_running_loop().time()
    output.clear_buffer()
    event = await asyncio.wait_for(output.wait_for_playout(), 2)
    heard = seconds_of(rtc, sent)
    assert told[-1][0] - asked < 0.15
    assert event.interrupted and 0.7 < event.playback_position <= heard + 1e-6 < 1.1
    await asyncio.sleep(0.4)
    assert seconds_of(rtc, sent) == heard

    await say(rtc, output, 0.5, seed=1)
    output.flush()
    event = await asyncio.wait_for(output.wait_for_playout(), 4)
    assert not event.interrupted and abs(event.playback_position - 0.5) < 1e-3
    assert abs(seconds_of(rtc, sent) - heard - 0.5) < 1e-3
    kinds = ["Started", "Finished"] * 2
    assert [type(e).__name__ for _, e in told] == [f"Playback{kind}Event" for kind in kinds]


@live
async def test_segments_that_wait_are_reported_one_by_one(rtc, output, sent, told):
    for seed in range(3):
        await say(rtc, output, 0.4, seed=seed)
        output.flush()
    await asyncio.wait_for(output.wait_for_playout(), 8)
    ends = [event for _, event in told if hasattr(event, "playback_position")]
    assert [round(event.playback_position, 2) for event in ends] == [0.4] * 3
    assert not any(event.interrupted for event in ends)


@live
async def test_a_clear_in_the_middle_of_pushing_leaves_no_stray_end(rtc, output, sent, told):
    await say(rtc, output, 3.0)
    while seconds_of(rtc, sent) < 0.3:
        await asyncio.sleep(0.01)
    output.clear_buffer()
    output.flush()  # the agent ends the segment that was cleared
    await asyncio.sleep(0.1)
    await say(rtc, output, 0.6, seed=1)
    output.flush()
    event = await asyncio.wait_for(output.wait_for_playout(), 5)
    assert not event.interrupted and abs(event.playback_position - 0.6) < 1e-3
    assert np.isclose([e.interrupted for _, e in told if hasattr(e, "interrupted")], [True, False]).all()
