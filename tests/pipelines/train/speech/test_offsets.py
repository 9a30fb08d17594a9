"""Offsets of picture against sound: from words and lips alone, without a network of ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from pipelines.train.config import ConfigError
from pipelines.train.speech import offsets
from pipelines.train.speech.align import align, words_of
from pipelines.train.speech.data import SpeechClip
from pipelines.train.speech.recordings import Recording, list_recordings
from speechhead.face.landmarks import REFERENCE

SOUNDS = ("P", "AA", "M", "IY", "B", "OW", "S", "AE", "F", "T", "UW", "K")


def talk(seed: int, frames: int) -> list[tuple[str, float, float]]:
    """Phonemes of 60 to 160 ms until the frames end."""
    rng = np.random.default_rng(seed)
    phones, at = [], 0.3
    while at < frames * 0.04 - 0.3:
        end = at + float(rng.uniform(0.06, 0.16))
        phones.append((str(rng.choice(SOUNDS)), at, end))
        at = end
    return phones


def lips(name: str, seed: int, late: float, related: bool = True) -> offsets.Lips:
    """A clip whose lips follow its phonemes `late` frames after them, or those of another recording."""
    phones = talk(seed, 200)
    shown = offsets.spoken(phones if related else talk(seed + 1000, 200), 200) @ [
        offsets.OPEN[kind] for kind in offsets.VISEMES
    ]
    rng = np.random.default_rng(seed)
    times = np.arange(200) * offsets.PER_FRAME + 2 + offsets.PAD - round(late * offsets.PER_FRAME)
    landmarks = np.repeat(REFERENCE[None], 200, 0).copy()
    landmarks[:, 65:68, 1] += (0.2 * shown[times] + rng.normal(0, 0.02, 200))[:, None].astype(np.float32)
    about = {"source": "s", "source_file": name, "identity": name, "split": "train"}
    clip = SpeechClip(
        name, name, "train", "s", landmarks, REFERENCE, np.zeros(7, np.float32), recording=Recording(name, about)
    )
    return offsets.lips_of(clip, phones)


def test_offsets_are_those_of_the_picture_and_swapped_sound_is_not_trusted() -> None:
    late = {"GRID_a": 0.5, "b": 2.5, "c": -1.5, "d": 0.5, "e": 4.5}
    clips = [lips(name, seed, frames) for seed, (name, frames) in enumerate(late.items())]
    clips.append(lips("swapped", 9, 0.0, related=False))
    found = offsets.find_offsets(clips)
    for name, frames in late.items():
        video = "s/GRID_a" if name == "GRID_a" else f"s/{name}"
        assert found[video].lag == pytest.approx(frames - 0.5, abs=0.3)  # zero is where the laboratory lies
        assert found[video].z >= offsets.TRUSTED
    said = offsets.verdicts([one.clip for one in clips], clips)
    assert said["b"]["usable"] and said["b"]["lag"] == pytest.approx(2, abs=0.3)
    assert said["GRID_a"]["lag"] == 0 and not said["swapped"]["usable"] and said["swapped"]["lag"] == 0
    alone = offsets.find_offsets(clips[1:2])  # nothing to learn from: the rule judges it
    assert alone["s/b"].lag == pytest.approx(2.5, abs=0.3) and alone["s/b"].z >= offsets.TRUSTED
    silent = offsets.verdicts([clips[1].clip], [])
    assert not silent["b"]["usable"]  # no word of it is known


def test_words_are_those_of_the_dictionary() -> None:
    known = {"bin", "blue", "at", "four", "now", "it's"}
    assert words_of("Bin BLUE at f4, now: it’s zzz", known.__contains__) == ["bin", "blue", "at", "four", "now", "it's"]


def test_phonemes_are_found_in_speech() -> None:
    pytest.importorskip("pocketsphinx")
    from speechhead.tts import SpeechSynthesisError, piper, synthesize

    try:
        speech = synthesize("People buy brown bread every morning.", piper.PiperVoice(threads=1))
    except SpeechSynthesisError:
        pytest.skip("no voice")
    phones = align(speech.samples, "people buy brown bread every morning")
    symbols = [symbol for symbol, _, _ in phones]
    assert symbols.count("B") == 3 and symbols.count("P") == 2
    ours = [(a + b) / 2 for symbol, a, b in phones if symbol == "B"]
    theirs = [(p.start_s + p.end_s) / 2 for p in speech.phonemes if p.symbol == "b"]
    assert np.allclose(ours, theirs, atol=0.06)
    assert align(speech.samples, "zzzz") == []


def test_transcripts_come_from_the_catalogue_and_are_kept(tmp_path: Path) -> None:
    about = {"notes": "transcript: lay white in e five soon yaw[-4, -3]", "language": "English"}
    french = Recording("b", {"notes": "", "language": "French"})
    texts = offsets.words([Recording("a", about), french], tmp_path / "words.json")
    assert texts == {"a": "lay white in e five soon"}
    assert json.loads((tmp_path / "words.json").read_text()) == texts


def test_a_folder_without_recordings_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no catalog.csv and no shards"):
        list_recordings([tmp_path])
    (tmp_path / "catalog.csv").write_text("file,identity,split,audio\na.mp4,a,train,True\nb.mp4,b,train,False\n")
    assert [one.stem for one in list_recordings([tmp_path])] == ["a"]
    result = CliRunner().invoke(offsets.app, ["--media", str(tmp_path), "--data", str(tmp_path / "none")])
    assert result.exit_code == 2 and "Run pipelines.train.speech.prepare first." in result.output
    assert "Traceback" not in result.output
