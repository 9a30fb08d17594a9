"""Features: the shapes promised, streaming equal to whole-file, Whisper's mel as published."""

from __future__ import annotations

import numpy as np
import pytest

from speechhead.audio.features import MFCC, LogMel, mel_filters, whisper_mel


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(16000 * 2 + 123) / 16000
    return (0.3 * np.sin(2 * np.pi * 220 * t * (1 + 0.1 * t)) + 0.05 * rng.normal(size=len(t))).astype(np.float32)


@pytest.mark.parametrize("feature", [LogMel(80), LogMel(40), MFCC(13), MFCC(20, n_mels=64)])
@pytest.mark.parametrize("chunk", [1, 37, 320, 4096, 10**6])
def test_stream_equals_whole(feature: LogMel, chunk: int, sound: np.ndarray) -> None:
    sound = sound[:8123] if chunk == 1 else sound
    whole = feature.whole(sound)
    assert whole.shape == (-(-len(sound) // 160), feature.channels) and whole.dtype == np.float32
    stream = feature.stream()
    for _ in range(2):  # flush leaves a fresh stream
        parts = [stream.push(sound[i : i + chunk]) for i in range(0, len(sound), chunk)] + [stream.flush()]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_lookahead_is_short(sound: np.ndarray) -> None:
    assert len(LogMel().stream().push(sound[: 640 + 120])) == 4


def test_no_sound_no_rows() -> None:
    assert LogMel().whole(np.zeros(0, np.float32)).shape == (0, 80)
    assert np.isfinite(MFCC().whole(np.zeros(1, np.float32))).all()


def test_tone_peaks_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype(np.float32)
    assert LogMel(80).whole(tone)[25].argmax() == mel_filters(80)[:, 25].argmax()  # bin 25 is 1 kHz


def test_mfcc_is_the_dct_of_log_mel(sound: np.ndarray) -> None:
    log = LogMel(40).whole(sound)
    np.testing.assert_allclose(MFCC(13).whole(sound)[:, 0], log.sum(1) / np.sqrt(40), rtol=1e-4)


def test_filters_match_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    np.testing.assert_allclose(mel_filters(80), librosa.filters.mel(sr=16000, n_fft=400, n_mels=80), atol=1e-7)


def test_whisper_mel_matches_the_published_computation(sound: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(sound[:16000])
    power = torch.stft(x, 400, 160, window=torch.hann_window(400), return_complex=True)[..., :-1].abs() ** 2
    log = torch.clamp(torch.from_numpy(mel_filters(80)) @ power, min=1e-10).log10()
    want = (torch.maximum(log, log.max() - 8.0) + 4.0) / 4.0
    got = whisper_mel(sound[:16000])
    assert got.shape == (80, 100)
    np.testing.assert_allclose(got, want.numpy(), atol=2e-4)
    both = whisper_mel(np.stack([sound[:16000], 0.01 * sound[:16000]]))
    np.testing.assert_allclose(both[0], got, atol=1e-6)
