"""Prosody: the same streamed and whole, true pitch, speech told from silence and from steady noise."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.audio.prosody import SILENCE_DB, ProsodyStream, prosody


def buzz(hz: float, seconds: float) -> np.ndarray:
    t = np.arange(int(16000 * seconds)) / 16000
    return sum(0.2 / k * np.sin(2 * np.pi * k * hz * t) for k in range(1, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    """A second of silence, voice, a short gap, voice, then silence."""
    quiet = np.zeros(16000, np.float32)
    noise = np.random.default_rng(0).normal(0, 1e-4, 16000 * 6).astype(np.float32)
    sound = np.concatenate([quiet, buzz(120, 1.0), quiet[:2400], buzz(210, 1.0), quiet, quiet[:333]])
    return sound + noise[: len(sound)]


@pytest.mark.parametrize("chunk", [1, 320, 641, 32000])
def test_stream_equals_whole(talk: np.ndarray, chunk: int) -> None:
    talk = talk[14000:20000] if chunk == 1 else talk
    whole, stream = prosody(talk), ProsodyStream()
    assert len(whole.energy) == -(-len(talk) // 640)
    parts = [stream.push(talk[i : i + chunk]) for i in range(0, len(talk), chunk)] + [stream.flush()]
    for name in ("energy", "pitch", "voiced", "active"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))


def test_no_look_ahead() -> None:
    assert len(ProsodyStream().push(np.zeros(640, np.float32)).energy) == 1
    assert len(prosody(np.zeros(0, np.float32)).energy) == 0


def test_activity_follows_the_voice(talk: np.ndarray) -> None:
    active = prosody(talk).active
    assert not active[:24].any()
    assert active[26:78].all()  # the 0.15 s gap is bridged
    assert not active[-18:].any()


@pytest.mark.parametrize("hz", [70, 120, 210, 330])
@pytest.mark.parametrize("gain", [1.0, 0.02])
def test_pitch(hz: float, gain: float) -> None:
    found = prosody(gain * buzz(hz, 0.6))
    assert found.voiced[2:].all()
    np.testing.assert_allclose(found.pitch[2:], hz, rtol=0.02)


def test_silence_and_steady_noise_are_not_speech() -> None:
    assert not prosody(np.zeros(32000, np.float32)).active.any()
    assert prosody(np.zeros(640, np.float32)).energy[0] == SILENCE_DB
    hiss = np.random.default_rng(1).normal(0, 0.02, 16000 * 6).astype(np.float32)
    found = prosody(hiss)
    assert not found.voiced.any() and not found.active[75:].any()
    spoken = prosody(hiss + np.concatenate([np.zeros(64000, np.float32), 2 * buzz(150, 2.0)]))
    assert spoken.active[102:].all()
