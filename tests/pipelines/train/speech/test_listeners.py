"""Another encoder, from the recordings to the weights that name it."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("librosa")
pytest.importorskip("onnxscript")
from support.fake_transformers import FakeWav2Vec2, package

from pipelines.train.config import ConfigError
from pipelines.train.speech.export import export
from pipelines.train.speech.listeners import as_heard, note_encoder, open_listener, warped
from pipelines.train.speech.network import Network, NetworkConfig
from pipelines.train.speech.prepare import prepare
from speechhead.core.errors import WeightsError
from speechhead.speech.encoders import WindowConfig, WindowStream
from speechhead.speech.model import Speech2Landmarks
from speechhead.speech.transformers_encoder import TransformersEncoder

WINDOW = WindowConfig(left=160)
NAME = "transformers:house/wav2vec2"


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeWav2Vec2:
    model = FakeWav2Vec2()
    monkeypatch.setitem(sys.modules, "transformers", package({"house/wav2vec2": model, "other": FakeWav2Vec2(seed=1)}))
    return model


def tone(samples: int = 9000) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * 1000 * np.arange(samples) / 16_000)).astype(np.float32)


def test_features_are_those_of_running_and_the_weights_name_their_encoder(tmp_path: Path, hub: FakeWav2Vec2) -> None:
    listener = open_listener(NAME, WINDOW, (3,))
    note_encoder(tmp_path, listener)
    prepare({"a": partial(tone)}, tmp_path / "clips", [0, 1], listener)
    made = np.load(tmp_path / "clips" / "0" / "a.npy")
    blocks = [*(stream := WindowStream(TransformersEncoder(hub, WINDOW))).push(tone()), *stream.flush()]
    assert made.shape == (len(blocks), 2 * (WINDOW.block + WINDOW.ahead), 16)
    assert np.allclose(made.reshape(len(blocks), *blocks[0].shape), np.stack(blocks), atol=1e-2)

    config = as_heard(NetworkConfig(window=WINDOW, project=4, width=8, modes=4), tmp_path)
    assert (config.encoder, config.channels) == (NAME, 32) and config.identity == listener.identity
    export([Network(config)], tmp_path / "net.onnx")
    assert json.loads((tmp_path / "net.json").read_text())["identity"] == listener.identity
    model = Speech2Landmarks.load(tmp_path / "net.onnx")
    assert model.whole(tone()).shape == (15, 70, 3)
    moved = TransformersEncoder(FakeWav2Vec2(), WINDOW)
    moved._network.conv.bias.data.copy_(hub.conv.bias.data)
    moved = TransformersEncoder(moved._network, WINDOW)
    assert Speech2Landmarks.load(tmp_path / "net.onnx", moved).encoder is moved  # the same weights, by another name
    with pytest.raises(WeightsError, match="trained with the encoder 'wav2vec2 16 .*features of the same size mean"):
        Speech2Landmarks.load(tmp_path / "net.onnx", TransformersEncoder(FakeWav2Vec2(seed=1), WINDOW))


def test_weights_of_whisper_refuse_an_encoder_of_the_same_width(tmp_path: Path) -> None:
    export([Network(NetworkConfig(window=WINDOW, channels=32, project=4, width=8, modes=4))], tmp_path / "net.onnx")
    assert "identity" not in json.loads((tmp_path / "net.json").read_text())
    with pytest.raises(WeightsError, match="trained with the encoder 'whisper'.*Use the encoder 'whisper'"):
        Speech2Landmarks.load(tmp_path / "net.onnx", TransformersEncoder(FakeWav2Vec2(), WINDOW))


def test_features_of_two_encoders_do_not_mix(tmp_path: Path) -> None:
    note_encoder(tmp_path, open_listener(NAME, WINDOW, (3,)))
    note_encoder(tmp_path, open_listener(NAME, WINDOW, (3,)))
    with pytest.raises(ConfigError, match="has features of the encoder 'wav2vec2 16.*another --out"):
        note_encoder(tmp_path, open_listener("transformers:other", WINDOW, (3,)))
    with pytest.raises(ConfigError, match="config says 'transformers:bert'"):
        as_heard(NetworkConfig(encoder="transformers:bert"), tmp_path)
    old = tmp_path / "old"
    (old / "clips" / "0").mkdir(parents=True)
    np.save(old / "clips" / "0" / "a.npy", np.zeros(1))
    assert as_heard(NetworkConfig(), old) == NetworkConfig()
    with pytest.raises(ConfigError, match="of the encoder 'whisper'"):
        note_encoder(old, open_listener(NAME, WINDOW, (3,)))
    with pytest.raises(ConfigError, match="'mfcc' is unknown"):
        open_listener("mfcc", WINDOW, (3,))


def test_a_warped_voice_keeps_its_time_and_moves_its_formants() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(16_000).astype(np.float32)
    spectrum = np.fft.rfft(noise) * np.exp(-(((np.fft.rfftfreq(16_000, 1 / 16_000) - 2000) / 300) ** 2))
    voice = (np.fft.irfft(spectrum) * 10).astype(np.float32)  # one formant at 2 kHz

    def centre(x: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(x)) ** 2
        return float((power * np.fft.rfftfreq(len(x), 1 / 16_000)).sum() / power.sum())

    moved = warped(voice, 1.15)
    assert moved.shape == voice.shape and warped(voice, 1.0) is voice
    assert centre(moved) == pytest.approx(2000 / 1.15, rel=0.04)
