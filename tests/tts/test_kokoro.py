"""Kokoro: its alphabet, its voices, and what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.make import kokoro_voices
from speechhead import tts
from speechhead.core import weights
from speechhead.tts import SILENCE, kokoro


def test_alphabet_of_english() -> None:
    american = "həlˈoʊ, lˈɪɾəl bəlˈuːn tʃˈɜːtʃ bˈʌʔn̩"
    assert kokoro.to_alphabet(american) == "həlˈO, lˈɪTᵊl bəlˈun ʧˈɜɹʧ bˈʌtn"
    # hexgrad's misaki: British vowels keep their length, and have a diphthong of their own
    assert kokoro.to_alphabet("ɡˌəʊ ðˈeə nˈiə bˈɜːd", "en") == "ɡˌQ ðˈɛː nˈɪə bˈɜːd"


def test_alphabet_of_other_languages() -> None:
    assert kokoro.to_alphabet("bˈõn dʒˈiʲɐ", "pt-br") == "bˈõn ʤˈiʲɐ"  # what is nasal stays so
    assert kokoro.to_alphabet("pˈitsːa dzˈɛro tʃˈao", "it") == "pˈiʦːa ʣˈɛro ʧˈao"


def test_shipped_voices_are_whole() -> None:
    with np.load(weights.path("kokoro_voices.npz")) as store:
        assert len(store.files) == 3 * len(kokoro.VOICES)
        for name in kokoro.VOICES:
            style = kokoro.unpacked({part: store[f"{name}_{part}"] for part in ("mean", "length", "style")})
            assert style.shape == (510, 256) and np.isfinite(style).all()
            assert 0.1 < style.std() < 0.3
    known = {voice.name: voice for voice in tts.voices() if voice.engine == "kokoro"}
    assert set(known) == set(kokoro.VOICES)
    assert (known["bf_emma"].language, known["bf_emma"].gender) == ("en-GB", "female")
    assert (known["pm_alex"].language, known["pm_alex"].gender) == ("pt-BR", "male")
    assert next(iter(kokoro.VOICES)) == "af_heart"  # the best one is the first of them
    assert min(known.values(), key=lambda voice: voice.rank).name == "af_heart"


def test_voices_are_made_of_few_dimensions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kokoro_voices, "VOICES", {"af_toy": 10})
    random = np.random.default_rng(0)
    low = 0.1 * random.normal(size=(510, 8)) @ random.normal(size=(8, 256)) / 3 + 0.2 * random.normal(size=256)
    (tmp_path / "af_toy.bin").write_bytes(low.astype(np.float32).tobytes())
    run = CliRunner().invoke(kokoro_voices.app, [str(tmp_path), str(tmp_path / "out.npz")])
    assert run.exit_code == 0, run.output
    with np.load(tmp_path / "out.npz") as store:
        parts = {name: store[f"af_toy_{name}"] for name in ("mean", "length", "style")}
    np.testing.assert_allclose(kokoro.unpacked(parts), low, atol=2e-3)
    (tmp_path / "af_toy.bin").write_bytes(random.normal(size=(510, 256)).astype(np.float32).tobytes())
    assert CliRunner().invoke(kokoro_voices.app, [str(tmp_path), str(tmp_path / "out.npz")]).exit_code == 2
    (tmp_path / "af_toy.bin").write_bytes(b"short")
    assert CliRunner().invoke(kokoro_voices.app, [str(tmp_path), str(tmp_path / "out.npz")]).exit_code == 2


@pytest.mark.skipif(bool(kokoro.missing()), reason="the Kokoro packages are not installed")
@pytest.mark.parametrize("name, text, sounds", [("af_heart", "Mum.", "mʌm"), ("if_sara", "Ciao.", "tʃao")])
def test_kokoro_speaks(name: str, text: str, sounds: str) -> None:
    speech = tts.synthesize(text, name)
    assert 0.2 < speech.seconds < 2 and np.abs(speech.samples).max() > 0.05
    assert "".join(p.symbol for p in speech.phonemes if p.symbol != SILENCE) == sounds
