"""The avatar that voice agents feed: PCM in, pictures and sound in step, playback reported, interrupted at once."""

from __future__ import annotations

import asyncio
import contextlib
import functools

import numpy as np
import pytest
from speechhead_server.agents.avatar import LEAD, LiveAvatar, to_rgb
from speechhead_server.agents.speech import Utterance, from_pcm, to_pcm
from speechhead_server.stage.clock import PACKET, RATE
from speechhead_server.stage.segment import Segment
from support.fakes import FakeGenerator, FakeSpeech, speech_like

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, ServerError
from speechhead.render.stream import Renderer

SIZE = 128


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A shared machine stalls: sound that a late reader would not get any more is kept, so that it can be counted."""
    monkeypatch.setattr("speechhead_server.agents.avatar.BEHIND", 100)


@pytest.fixture(scope="module")
def staged(portrait):
    return on_stage(Avatar.from_image(portrait), SIZE)


def make(staged):
    controls = Controls(blink_rate=0, look_away=0, head="retained", idle=False, seed=3)
    return LiveAvatar(Renderer(staged, controls, FakeGenerator(SIZE), FakeSpeech()), 2)


def live(test):
    """Run a coroutine test with an avatar and what its reader has got so far."""

    @functools.wraps(test)
    def run(staged):
        async def main():
            avatar, got = make(staged), []

            async def read():
                async for moment in avatar.moments():
                    got.append((avatar._stage.clock.seconds, moment))

            reader = asyncio.create_task(read())
            try:
                await test(avatar, got)
            finally:
                await avatar.close()
                await asyncio.wait_for(reader, 2)

        asyncio.run(main())

    del run.__wrapped__  # pytest shall see the fixture it takes
    return run


async def until(true, timeout=6.0):
    end = asyncio.get_running_loop().time() + timeout
    while not true():
        assert asyncio.get_running_loop().time() < end, "timed out"
        await asyncio.sleep(0.005)


def sounds(got):
    return np.concatenate([m.sound for _, m in got if m.sound is not None] or [np.zeros(0, np.float32)])


def finished(got):
    return [f for _, m in got for f in m.finished]


def moved(got):
    """(seconds, how much of the mouth's region differs from the picture before) of every picture."""
    shown = [(m.seconds, to_rgb(m.picture)[SIZE // 2 :].astype(int)) for _, m in got if m.picture is not None]
    return [(t, np.abs(b - a).mean()) for (_, a), (t, b) in zip(shown, shown[1:])]


@live
async def test_it_shows_itself_at_the_pace_of_time_and_is_silent(avatar, got):
    await asyncio.sleep(1.0)
    pictures = [m for _, m in got if m.picture is not None]
    assert 20 <= len(pictures) <= 28 and pictures[0].picture.shape == (SIZE * 3 // 2, SIZE)
    assert not len(sounds(got)) and not finished(got)
    assert np.median([abs(at - m.seconds) for at, m in got[5:]]) < 0.03


@live
async def test_sound_comes_out_whole_at_the_speed_of_speech_and_is_reported(avatar, got):
    told = []
    avatar.on_started, avatar.on_finished = told.append, told.append
    sound = speech_like(1.37, 24_000)
    for i in range(0, len(sound), 501):  # a service's portions, faster than time
        await avatar.hear(sound[i : i + 501], 24_000)
    name = avatar.end()
    await until(lambda: finished(got))
    (end,) = finished(got)
    assert end.utterance == name and not end.interrupted and abs(end.position - 1.37) < 1e-3
    assert told == [name, end]
    out = sounds(got)
    assert len(out) == end.position * RATE
    assert np.corrcoef(out[::2], sound[: len(out[::2])])[0, 1] > 0.99
    begin, last = (next(at for at, m in order if m.sound is not None) for order in (got, got[::-1]))
    assert 1.15 < last - begin < 1.45
    assert [m.started for _, m in got if m.sound is not None].index(True) == 0


@live
async def test_lips_move_with_the_sound_that_is_played_from_the_buffer(avatar, got):
    await asyncio.sleep(0.8)
    await avatar.hear(speech_like(1.5), 16_000)
    avatar.end()
    await until(lambda: finished(got))
    loud = {round(m.seconds / 0.02) + LEAD: np.abs(m.sound).mean() for _, m in got if m.sound is not None}
    frames = sorted({p // 2 for p in loud})[3:-3]
    heard = [loud.get(2 * f, 0) + loud.get(2 * f + 1, 0) for f in frames]
    pictures = {round(m.seconds / 0.02) // 2: to_rgb(m.picture).astype(int) for _, m in got if m.picture is not None}
    rest = pictures[frames[0] - 12]
    lips = {f: np.abs(pictures[f] - rest)[SIZE // 2 :].mean() for f in pictures}
    shifts = {lag: np.corrcoef(heard, [lips.get(f + lag, 0) for f in frames])[0, 1] for lag in range(-3, 4)}
    assert max(shifts, key=shifts.get) == 0, shifts


@live
async def test_an_interrupt_stops_sound_and_lips_and_forgets_the_rest(avatar, got):
    for second in range(8):
        await avatar.hear(speech_like(1.0, seed=second), 16_000)
    await until(lambda: len(sounds(got)) > RATE)
    asked, said = avatar._stage.clock.seconds, len(sounds(got))
    assert avatar.interrupt()
    await until(lambda: finished(got))
    await asyncio.sleep(0.5)
    (end,) = finished(got)
    assert end.interrupted and not end.failed
    assert len(sounds(got)) == said  # what was handed on is all there is
    assert said / RATE - LEAD * PACKET / RATE - 0.06 < end.position <= said / RATE + 0.041
    assert avatar.interrupt_ms <= 205
    assert max(change for at, change in moved(got) if at > asked + 0.25) < 0.3 * max(c for _, c in moved(got))
    assert not avatar.interrupt() and not avatar.busy

    await avatar.hear(speech_like(0.5), 16_000)
    avatar.end()
    await until(lambda: len(finished(got)) == 2)
    assert not finished(got)[1].interrupted and len(sounds(got)) == said + RATE // 2


@live
async def test_a_voice_that_stalls_for_long_goes_on_where_it_was(avatar, got):
    await avatar.hear(speech_like(0.6), 16_000)
    await until(lambda: len(sounds(got)) > RATE // 2)
    await asyncio.sleep(1.6)  # longer than the stage listens to silence
    assert not finished(got)
    await avatar.hear(speech_like(0.6, seed=1), 16_000)
    avatar.end()
    await until(lambda: finished(got))
    assert len(sounds(got)) == round(1.2 * RATE) and not finished(got)[0].interrupted


@live
async def test_utterances_queue_and_are_told_apart(avatar, got):
    names = []
    for seconds, rate in ((0.3, 16_000), (0.4, 48_000), (0.01, 8_000)):
        await avatar.hear(speech_like(seconds, rate), rate)
        names.append(avatar.end())
    assert avatar.end() is None
    await until(lambda: len(finished(got)) == 3)
    assert [f.utterance for f in finished(got)] == names
    assert [round(f.position, 2) for f in finished(got)] == [0.3, 0.4, 0.01]
    await asyncio.wait_for(avatar.said(), 1)


def test_speech_waits_for_somebody_who_reads(staged):
    async def main():
        avatar = make(staged)
        await avatar.hear(speech_like(0.5), 16_000)
        avatar.end()
        await asyncio.sleep(0.6)
        sound = 0
        async for moment in avatar.moments():
            sound += 0 if moment.sound is None else len(moment.sound)
            if moment.finished:
                break
        assert sound == RATE // 2
        await avatar.close()
        with pytest.raises(ServerError, match="closed"):
            await avatar.hear(speech_like(0.1), 16_000)

    asyncio.run(main())


def test_more_than_it_may_hold_makes_the_agent_wait(staged):
    async def main():
        avatar = make(staged)
        await avatar.hear(np.zeros(30 * 16_000, np.float32), 16_000)
        more = asyncio.create_task(avatar.hear(speech_like(1.0), 16_000))
        await asyncio.sleep(0.1)
        assert not more.done()
        avatar.interrupt()
        await asyncio.wait_for(more, 1)
        assert avatar.seconds_waiting == 0  # what was pushed before the interrupt is gone with it
        await avatar.close()

    asyncio.run(main())


@live
async def test_bad_sound_is_one_line_or_silence(avatar, got):
    with pytest.raises(AudioError, match="sample rate 1 Hz"):
        await avatar.hear(speech_like(0.1), 1)
    await avatar.hear(np.full(8_000, np.nan, np.float32), 16_000)
    avatar.end()
    await until(lambda: finished(got))
    assert not sounds(got).any()
    with pytest.raises(ServerError, match="read already"):
        async for _ in avatar.moments():
            break


def test_nothing_is_left_after_it_is_closed(staged):
    import threading

    async def main():
        before = set(threading.enumerate())
        for _ in range(5):
            avatar = make(staged)
            with contextlib.suppress(asyncio.TimeoutError):
                reader = avatar.moments()
                await reader.__anext__()
                await avatar.hear(speech_like(0.2), 16_000)
            await avatar.close()
            await reader.aclose()
        return {t.name for t in threading.enumerate() if t not in before and t.name.startswith(("stage", "draw"))}

    assert asyncio.run(main()) == set()


def test_pcm_goes_both_ways():
    samples = speech_like(0.1)
    stereo = np.repeat(np.frombuffer(to_pcm(samples), "<i2"), 2).tobytes()
    assert np.abs(from_pcm(stereo, 2) - samples).max() < 1e-4
    with pytest.raises(AudioError, match="5 bytes"):
        from_pcm(b"12345")


def test_a_slow_voice_is_heard_in_whole_stretches():
    utterance = Utterance()
    utterance.hear(speech_like(0.2), 16_000)
    assert not utterance.ready and utterance.take(0) is None
    utterance.hear(speech_like(0.2), 16_000)
    assert utterance.ready
    frames = [frame for frame in range(1, 30) if utterance.take(frame)]
    assert frames == list(range(1, 10)) and len(utterance.release(1)) == PACKET * 0  # packet 1 is of frame 0
    utterance.hear(speech_like(0.1), 16_000)
    assert utterance.take(30) is None
    utterance.end()
    assert [f for f in range(31, 40) if utterance.take(f)] == [31, 32, 33, 34]
    assert len(utterance.release(80)) == RATE // 2


@pytest.mark.parametrize("make_one", [Utterance, lambda: Segment("text"), lambda: Segment("pcm", "pcm")])
def test_sound_that_comes_in_pieces_and_is_said_at_once_has_no_gaps(make_one):
    segment, out = make_one(), []
    tone = np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000).astype(np.float32)

    def take():
        while (block := segment.take(len(out))) is not None:
            out.append(block[1])

    for i in range(0, len(tone), 1280):  # pieces of two blocks, of which the resampler to 48 kHz holds back the end
        segment.hear(tone[i : i + 1280], 16_000) if isinstance(segment, Utterance) else segment.push(tone[i : i + 1280])
        take()
    segment.end() if isinstance(segment, Utterance) else segment.close()
    take()
    sound = np.concatenate(out)
    assert len(sound) == 48_000
    assert np.abs(sound - np.sin(2 * np.pi * 200 * np.arange(48_000) / 48_000))[200:-200].max() < 0.02
