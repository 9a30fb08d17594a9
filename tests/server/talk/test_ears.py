"""When somebody speaks, by both detectors on real speech, and whose voice it is."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest

pytest.importorskip("h11")

from speechhead_server.stage.clock import Clock
from speechhead_server.talk import ears as hearing
from speechhead_server.talk.ears import Ears
from speechhead_server.talk.echo import EchoGuard, own_words
from speechhead_server.talk.vad import WINDOW, EnergyDetector, SileroDetector, open_detector, silero_path
from speechhead_server.talk.whisper import LocalTranscriber, check_whisper
from speechhead_server.talk.whisper_process import stutters
from speechhead_server.talk.wire import ServiceError
from support.fakes import speech_like

from speechhead.audio.io import load_audio
from speechhead.core import weights
from speechhead.core.errors import ServerError, WeightsError


def noise(seconds, level=1e-3, seed=0):
    return np.random.default_rng(seed).standard_normal(round(16_000 * seconds)).astype(np.float32) * level


def likely(detector, samples):
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    return np.array([detector.voiced(window) for window in windows])


@pytest.mark.parametrize("portion", [160, 512, 4001])
def test_turns_begin_and_end_with_speech(portion):
    ears = Ears(EnergyDetector())
    sound = np.concatenate(
        [noise(1), speech_like(1.0), noise(0.3), speech_like(0.8), noise(1.2), 0.3 * noise(0.05, 1), noise(1)]
    )
    assert not [e for i in range(0, len(sound), portion) for e in ears.push(sound[i : i + portion])]  # it is not open
    ears.open = True
    found = [(i, e) for i in range(0, len(sound), portion) for e in ears.push(sound[i : i + portion])]
    (began, first), (_, turn) = found  # a pause of 0.3 s ends none, a click of 50 ms begins none
    assert first.samples is None and began < 16_000 * 1.25 + portion and not ears.hearing
    assert turn.samples is not None and 2.1 < len(turn.samples) / 16_000 < 2.9 and 0.6 < turn.silence < 0.8


def test_a_key_says_when_it_begins_and_ends_and_a_turn_is_no_longer_than_half_a_minute():
    ears = Ears(EnergyDetector())
    ears.push(noise(1))
    assert [event.samples for event in ears.hold()] == [None] and not ears.hold()
    ears.push(np.concatenate([speech_like(0.5), noise(1.5), speech_like(0.5)]))
    (turn,) = ears.release()
    assert turn.samples is not None and len(turn.samples) > 2.4 * 16_000 and not ears.release()
    ears.hold()
    ears.push(noise(0.5))
    assert not len(ears.release()[0].samples)  # nobody spoke
    ears.hold()
    ends = [event for _ in range(20) for event in ears.push(speech_like(2.0))]
    assert len(ends) == 1 and len(ends[0].samples) == WINDOW * hearing.LONGEST
    ears.close()
    assert not ears.hearing


def test_real_speech_is_told_from_real_silence(shared):
    detectors = {
        "energy": EnergyDetector,
        **({"silero": lambda: SileroDetector(silero_path())} if silero_path() else {}),
    }
    clips = sorted((shared / "media").glob("*.mp4"))[:4]
    for name, make in detectors.items():
        for clip in clips:
            samples = load_audio(clip)[: 16_000 * 6]
            heard = likely(make(), np.concatenate([noise(1, 1e-4), samples, noise(1, 1e-4)])) > 0.5
            loud = np.sqrt((samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW) ** 2).mean(1))
            spoken = heard[31 : 31 + len(loud)][loud > 0.3 * loud.max()]
            assert spoken.mean() > 0.7 and heard[:30].mean() < 0.05, (name, clip.name, spoken.mean())
    assert open_detector().name == ("silero" if silero_path() else "energy")


def test_silero_of_either_package_without_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert silero_path() is None and open_detector().name == "energy"


def test_another_network_is_not_taken_for_silero():
    with pytest.raises(WeightsError, match=r"person.onnx: damaged, or another network than silero-vad"):
        SileroDetector(weights.folder() / "person.onnx")


class Playing:
    """A stage that plays one loudness."""

    def __init__(self, level):
        self.clock, self.level = Clock(), level

    def sound(self, packet):
        return np.full(960, self.level, np.float32)


def test_an_echo_is_not_the_visitor():
    guard = EchoGuard(Playing(0.5))
    assert guard.own(0.03, True) and not guard.own(0.3, True)  # what echo cancellation leaves, and a voice
    for _ in range(20):
        guard.own(0.3, True)
    guard.learn()  # it was a loudspeaker
    assert guard.own(0.3, True) and guard.own(0.5, True) and not guard.own(0.9, True)
    assert not EchoGuard(Playing(0.0)).own(0.05, True)


@pytest.mark.parametrize(
    ("heard", "own"),
    [
        ("two three four", True),
        ("Three, four!", True),
        ("stop please", False),
        ("yes", False),
        ("two things I want", False),
    ],
)
def test_words_that_the_avatar_just_said(heard, own):
    assert own_words(heard, "One two, three four five.") is own


WHISPER = "import sys, json\nfor line in sys.stdin.buffer:\n    sys.stdin.buffer.read(json.loads(line)['bytes'])\n    "


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("print(json.dumps({'text': 'yes'}), flush=True)", "yes"),
        ("print(json.dumps({'error': 'no model. Install one.'}), flush=True)", "no model. Install one."),
        ("sys.exit(3)", "could not be written down"),
        ("print('nonsense', flush=True)", "could not be written down"),
        ("[None for _ in iter(int, 1)]", "could not be written down"),
    ],
)
def test_a_process_that_fails_takes_one_turn_with_it(then, said, monkeypatch):
    monkeypatch.setattr("speechhead_server.talk.whisper.PATIENCE", 0.3)
    monkeypatch.setattr("speechhead_server.talk.whisper.CHECK", 0.1)

    async def scenario():
        ears = LocalTranscriber(command=[sys.executable, "-c", WHISPER + then])
        try:
            for _ in range(2):  # the next one is tried in a new process
                try:
                    assert await ears.transcribe(noise(0.1)) == said
                except ServiceError as error:
                    assert said in str(error)
        finally:
            await ears.close()
        assert ears.pid is None

    import asyncio

    asyncio.run(scenario())


def test_whisper_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ServerError, match="listen"):
        check_whisper()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "faster_whisper" or None)
    with pytest.raises(ServerError, match="no Whisper"):
        check_whisper()
    with pytest.raises(ServerError, match=r"model\.bin"):
        check_whisper(str(tmp_path))
    assert stutters("Stop stop stop. stop") and not stutters("Yes.") and not stutters("no no, that is it")


@pytest.mark.skipif(not importlib.util.find_spec("faster_whisper"), reason="pip install 'speechhead[listen]'")
def test_whisper_writes_down_what_a_voice_says():
    import asyncio

    from speechhead.tts import synthesize

    async def scenario():
        ears = LocalTranscriber()
        try:
            said = await ears.transcribe(synthesize("What is the weather like in Paris tomorrow?").samples)
            assert said.lower().startswith("what is the weather like in paris")
            assert await ears.transcribe(noise(1)) == ""
        finally:
            await ears.close()

    asyncio.run(scenario())
