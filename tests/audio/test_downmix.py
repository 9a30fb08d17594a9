"""The face hears a voice at its level, whichever channels carry it, and in time with its picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from speechhead.audio.downmix import DownMix, alike
from speechhead.audio.io import load_audio, save_wav, separate_channels
from speechhead.core.errors import AudioError

RATE = 16_000
SURROUND = ["FL", "FR", "FC", "LFE", "BL", "BR"]
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
HISS = (0.003 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
NOTHING = np.zeros_like(TONE)


def mixed(channels: list[np.ndarray], names: list[str], speaker: int | None = None, chunk: int = 977) -> np.ndarray:
    mixer, samples = DownMix(RATE, names, speaker), np.stack(channels)
    parts = [mixer.push(samples[:, at : at + chunk]) for at in range(0, samples.shape[1], chunk)]
    return np.concatenate([*parts, mixer.flush()])


def decibels(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2) / np.mean(TONE**2)) + 1e-9))


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        ([TONE, TONE], ["FL", "FR"]),
        ([TONE, -TONE], ["FL", "FR"]),
        ([TONE + HISS, -TONE], ["FL", "FR"]),
        ([TONE, NOTHING], ["FL", "FR"]),
        ([HISS, TONE], ["FL", "FR"]),
        ([NOTHING, NOTHING, TONE, NOTHING, NOTHING, NOTHING], SURROUND),
        ([HISS, -HISS, TONE, 3 * TONE[::-1], HISS, HISS], SURROUND),
    ],
)
def test_a_voice_keeps_its_level(channels: list[np.ndarray], names: list[str]) -> None:
    found = mixed(channels, names)
    assert len(found) == RATE and abs(decibels(found)) < 0.5
    np.testing.assert_array_equal(found, mixed(channels, names, chunk=RATE))


def test_one_voice_after_the_other() -> None:
    """An interview with a speaker on each channel: both at their level, 100 ms after they begin at the latest."""
    half = RATE // 2
    left, right = TONE.copy(), TONE.copy()
    left[half:] = right[:half] = 0
    found = mixed([left, right], ["FL", "FR"])
    assert all(abs(decibels(found[at : at + half - 1600])) < 0.2 for at in (0, half + 1600))
    assert decibels(found[half : half + 1600]) > -6.1


def test_silence_stays_and_a_speaker_is_a_channel() -> None:
    assert not mixed([NOTHING, NOTHING], ["FL", "FR"]).any()
    np.testing.assert_array_equal(mixed([TONE, HISS], ["FL", "FR"], speaker=2), HISS)
    np.testing.assert_array_equal(mixed([TONE], ["FC"]), TONE)


def test_whether_channels_carry_one_sound() -> None:
    noise = np.random.default_rng(1).standard_normal((2, 4000)).astype(np.float32)
    assert alike(np.stack([TONE, TONE])) and alike(np.stack([TONE, -TONE])) and alike(np.stack([TONE, NOTHING]))
    assert not alike(noise) and alike(np.zeros((2, 100), np.float32)) and alike(np.zeros((2, 0), np.float32))


def film(path: Path, sound_at: float, picture_at: float = 0.0) -> Path:
    """A second of black whose sound, a tone in the left channel, starts when asked."""
    with av.open(str(path), "w") as out:
        video, sound = out.add_stream("mpeg4", rate=25), out.add_stream("aac", rate=48_000, layout="stereo")
        video.width = video.height = 64
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round((picture_at * 25) + number), Fraction(1, 25)
            out.mux(video.encode(frame))
        tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)).astype(np.float32)
        for at in range(0, 48_000, 1024):
            part = tone[at : at + 1024]
            frame = av.AudioFrame.from_ndarray(np.stack([part, 0 * part]), format="fltp", layout="stereo")
            frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
            frame.pts = round(sound_at * 48_000) + at
            out.mux(sound.encode(frame))
        for stream in (video, sound):
            out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "mov"])
@pytest.mark.parametrize("late", [0.8, 0.0, -0.4])
def test_sound_stays_in_time_with_its_picture(tmp_path: Path, ending: str, late: float) -> None:
    file = film(tmp_path / f"a.{ending}", max(late, 0.0), max(-late, 0.0))
    sound = load_audio(file)
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    assert loud[0] / RATE == pytest.approx(max(late, 0.0), abs=0.05)
    assert (loud[-1] - loud[0]) / RATE == pytest.approx(1.0 + min(late, 0.0), abs=0.08)
    assert abs(decibels(sound[loud[0] + 1600 : loud[-1] - 1600])) < 0.5


def test_a_speaker_of_a_file(tmp_path: Path) -> None:
    file = film(tmp_path / "a.mkv", 0.0)
    assert not separate_channels(file)
    assert abs(decibels(load_audio(file, speaker=1)[1600:14400])) < 0.5
    assert np.abs(load_audio(file, speaker=2)).max() < 0.01
    with pytest.raises(AudioError, match="speaker 3, but the sound has 2 channels"):
        load_audio(file, speaker=3)
    with pytest.raises(AudioError, match="speaker 1, but the sound has one channel"):
        load_audio(save_wav(tmp_path / "one.wav", TONE), speaker=1)


@pytest.mark.parametrize("name", ["tone_anti.wav", "tone_left.wav"])
def test_the_recordings_that_went_wrong(shared: Path, name: str) -> None:
    file = shared / "bug_inputs" / name
    if not file.is_file():
        pytest.skip(f"no {file}")
    alone = load_audio(file, speaker=1)
    assert np.sqrt(np.mean(load_audio(file) ** 2)) == pytest.approx(np.sqrt(np.mean(alone**2)), rel=0.02)
