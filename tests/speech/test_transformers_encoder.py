"""Encoders of the transformers package: shapes, who they are, and what is refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch")
from support.fake_transformers import FakeWav2Vec2, FakeWhisper, package

from speechhead.core.errors import WeightsError
from speechhead.speech.encoders import WindowConfig, WindowStream, identity_of
from speechhead.speech.open import open_encoder
from speechhead.speech.transformers_encoder import TransformersEncoder

WINDOW = WindowConfig()
FRAMES = WINDOW.block + WINDOW.ahead


@pytest.fixture
def sound() -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(WINDOW.window_samples)).astype(np.float32)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"house/wav2vec2": FakeWav2Vec2(), "house/wavlm": FakeWav2Vec2(kind="wavlm")}
    monkeypatch.setitem(sys.modules, "transformers", package(models))


@pytest.mark.parametrize("network", [FakeWav2Vec2(), FakeWav2Vec2(kind="hubert"), FakeWhisper()])
def test_a_window_becomes_rows_of_its_frames(network, sound) -> None:
    encoder = TransformersEncoder(network)
    features = encoder(sound)
    assert features.shape == (FRAMES, 32) and encoder.channels == 32 and np.isfinite(features).all()
    both = encoder.many(np.stack([sound, sound[::-1]]))
    assert np.allclose(both[0], features, atol=1e-5) and not np.allclose(both[1], features, atol=1e-2)
    assert len([*WindowStream(encoder).push(np.tile(sound, 2))]) > 2


def test_who_it_is_depends_on_its_weights_alone() -> None:
    one, same, other = (TransformersEncoder(FakeWav2Vec2(seed=seed)) for seed in (0, 0, 1))
    torch_bias = FakeWav2Vec2(seed=0)
    torch_bias.conv.bias.data += 1
    same._network.conv.bias.data.copy_(one._network.conv.bias.data)
    assert TransformersEncoder(same._network).identity == TransformersEncoder(one._network).identity
    assert one.identity != other.identity != TransformersEncoder(torch_bias).identity
    assert one.identity.startswith("wav2vec2 16 ") and identity_of(open_encoder("mfcc")) == "mfcc"


def test_a_name_is_opened_from_the_hub(hub, sound) -> None:
    encoder = open_encoder("transformers:house/wav2vec2", WINDOW)
    assert encoder.name == "transformers:house/wav2vec2" and encoder(sound).shape == (FRAMES, 32)
    with pytest.raises(WeightsError, match="house/none'.*are not here.*couldn't connect.*give a folder") as told:
        open_encoder("transformers:house/none")
    assert "\n" not in str(told.value)
    with pytest.raises(WeightsError, match="kind 'wavlm'.*Use one of wav2vec2"):
        open_encoder("transformers:house/wavlm")
    with pytest.raises(WeightsError, match="not known to have a feature every 20 ms"):
        TransformersEncoder(FakeWav2Vec2(stride=(160,)))


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WeightsError, match=r"needs torch and transformers. pip install 'speechhead\[encoders\]'"):
        open_encoder("transformers:house/wav2vec2")


@pytest.mark.parametrize("kind", ["Wav2Vec2", "Hubert", "Whisper"])
def test_the_package_itself(kind: str, sound: np.ndarray) -> None:
    transformers = pytest.importorskip("transformers")
    small = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "num_conv_pos_embeddings": 16,
    }
    small |= {"num_conv_pos_embedding_groups": 2, "conv_dim": (8,) * 7}
    if kind == "Whisper":
        small = {
            "d_model": 16,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
        }
        small |= {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "vocab_size": 20, "max_source_positions": 100}
        small |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    network = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**small))
    encoder = TransformersEncoder(network)
    features = encoder(sound)
    assert features.shape == (FRAMES, 32) and encoder.channels == 32 and np.isfinite(features).all()
    assert encoder.identity.startswith(f"{kind.lower()} 16 ")
