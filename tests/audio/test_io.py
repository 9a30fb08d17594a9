"""Reading any sound file, resampling whole and streaming, and one clear line for what can not be read."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.hostile import flac

from speechhead.audio import StreamResampler, load_audio, resample, save_wav
from speechhead.audio.io import audio_pieces
from speechhead.core.errors import AudioError


def tone(rate: int, seconds: float = 0.5) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def loudness(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x[len(x) // 4 : -len(x) // 4] ** 2)))


def write_pcm(path: Path, data: bytes, rate: int, width: int, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(data)
    return path


def encode(path: Path, codec: str, rate: int = 44100, layout: str = "stereo") -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        size = stream.frame_size or 1024
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate, frame_size=size)
        frame = av.AudioFrame.from_ndarray(tone(rate)[None], format="flt", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


def mute_video(path: Path) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp3", "mp3", 44100),
        ("a.flac", "flac", 96000),
        ("a.ogg", "libopus", 48000),
        ("a.m4a", "aac", 22050),
        ("a.mp4", "aac", 44100),
        ("a.wav", "pcm_f32le", 96000),
        ("a.wav", "pcm_s24le", 8000),
        ("a.wav", "pcm_u8", 11025),
    ],
)
def test_containers_rates_and_channels(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    got = load_audio(encode(tmp_path / name, codec, rate))
    assert got.dtype == np.float32 and got.ndim == 1
    assert abs(len(got) - 8000) < 1600  # lossy codecs pad
    assert loudness(got) == pytest.approx(0.25, rel=0.08)  # libav writes mono to stereo 3 dB lower


@pytest.mark.parametrize("right", [0, 1, -1])
def test_a_voice_in_stereo_keeps_its_level(tmp_path: Path, right: int) -> None:
    """In one channel alone, in both alike, or in both with opposite signs."""
    left = np.round(tone(16000) * 32767).astype("<i2")
    both = np.stack([left, left * right], axis=1).astype("<i2")
    got = load_audio(write_pcm(tmp_path / "s.wav", both.tobytes(), 16000, 2, channels=2))
    np.testing.assert_allclose(got, left / 32768, atol=1e-4)


def test_sixteen_bit_round_trip_is_exact_to_a_step(tmp_path: Path) -> None:
    np.testing.assert_allclose(load_audio(save_wav(tmp_path / "x.wav", tone(16000))), tone(16000), atol=1 / 32000)


def test_one_sample_and_odd_values(tmp_path: Path) -> None:
    assert len(load_audio(write_pcm(tmp_path / "1.wav", b"\0\x10", 16000, 2))) == 1
    bad = tone(16000)
    bad[100], bad[200], bad[300] = np.nan, np.inf, 4.0
    path = tmp_path / "nan.wav"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(bad[None], format="flt", layout="mono")
        frame.sample_rate = 16000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    got = load_audio(path)
    assert np.isfinite(got).all() and np.abs(got).max() == 1 and got[100] == 0


def test_one_line_errors(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    headless = tmp_path / "cut.mp4"
    headless.write_bytes(encode(tmp_path / "whole.mp4", "aac").read_bytes()[:600])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("not a sound at all\n" * 9)
    cases = {
        tmp_path / "missing.wav": "no such file",
        tmp_path: "folder",
        noise: "",
        headless: "",
        tmp_path / "empty.wav": "",
        tmp_path / "text.mp3": "",
        write_pcm(tmp_path / "zero.wav", b"", 16000, 2): "0 samples",
        mute_video(tmp_path / "mute.mp4"): "no sound track",
    }
    for path, words in cases.items():
        with pytest.raises(AudioError) as caught:
            load_audio(path)
        message = str(caught.value)
        assert "\n" not in message and str(path) in message and words in message
    with pytest.raises(AudioError, match="can not be written"):
        save_wav(tmp_path / "no" / "x.wav", tone(16000))
    assert capfd.readouterr().err == ""


def test_cut_recording_gives_what_is_there(tmp_path: Path) -> None:
    whole = encode(tmp_path / "w.mp3", "mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    assert 1000 < len(load_audio(tmp_path / "cut.mp3")) < 8000


@pytest.mark.parametrize(("stated", "reason"), [(True, "300 s long"), (False, "longer than 20 s")])
def test_reading_stops_at_the_longest_length(tmp_path: Path, stated: bool, reason: str) -> None:
    file, taken = tmp_path / "long.flac", 0
    file.write_bytes(flac(300, stated))
    with pytest.raises(AudioError, match=reason) as caught:
        for piece in audio_pieces(file, longest=20):
            taken += len(piece)
    assert "\n" not in str(caught.value)
    assert taken <= 20 * 16_000 and (taken == 0) is stated
    assert len(load_audio(file, longest=300)) == 300 * 16_000


def test_only_containers_that_are_named_are_opened(tmp_path: Path) -> None:
    file = write_pcm(tmp_path / "a.wav", bytes(3200), 16_000, 2)
    assert sum(map(len, audio_pieces(file, formats=("flac", "wav")))) == 1600
    with pytest.raises(AudioError, match="not readable"):
        list(audio_pieces(file, formats=("flac", "mp3")))


RATES = [(48000, 16000), (22050, 16000), (16000, 48000), (8000, 16000), (44100, 16000)]


@pytest.mark.parametrize(("source", "target"), RATES)
@pytest.mark.parametrize("chunk", [7, 441, 5000])
def test_resampling_stream_equals_whole(source: int, target: int, chunk: int) -> None:
    x = tone(source, 0.3) + np.random.default_rng(1).normal(0, 0.01, int(source * 0.3)).astype(np.float32)
    whole = resample(x, source, target)
    assert len(whole) == -(-len(x) * target // source)
    stream = StreamResampler(source, target)
    for _ in range(2):
        parts = [stream.push(x[i : i + chunk]) for i in range(0, len(x), chunk)] + [stream.flush()]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_resampling_keeps_time_and_level() -> None:
    got, want = resample(tone(48000), 48000), tone(16000)
    np.testing.assert_allclose(got[200:-200], want[200:-200], atol=2e-3)
    assert len(resample(np.zeros(0, np.float32), 48000)) == 0
