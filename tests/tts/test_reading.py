"""A text as a voice reads it: pauses of their length, letters it can not read named, long texts in flat memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from speechhead.core.errors import SpeechSynthesisError
from speechhead.tts import Speech, VoiceInfo, concatenate
from speechhead.tts.reading import ReadingVoice, check_text, read
from speechhead.tts.writing import reads, system

ENGLISH = VoiceInfo("ann", "female", "en-US", "CC0", engine="piper", available=True)
JAPANESE = VoiceInfo("yuki", "female", "ja", "CC0", engine="kokoro", available=True)
ESPEAK = VoiceInfo("espeak", "male", "en-US", "GPL", engine="espeak", available=True)


class Beeper:
    """A voice whose every word is 20 ms of tone."""

    name, language = "beeper", "en-US"

    def speak(self, text: str) -> Iterator[Speech]:
        for line in text.split(". "):
            yield Speech(np.full(320 * len(line.split()), 0.1, np.float32), [], line)


def spoken(text: str) -> Speech:
    return concatenate(ReadingVoice(Beeper()).speak(text))


def test_a_break_is_a_pause_of_its_length() -> None:
    speech = spoken('<speak>Hello <break time="1s"/> world.</speak>')
    assert len(speech.samples) == 320 + 16_000 + 320 and speech.text == "Hello world."
    assert not speech.samples[320:-320].any() and speech.samples[:320].all() and speech.samples[-320:].all()
    assert len(spoken("[pause 500ms] a [pause 1s]").samples) == 8_000 + 320 + 16_000


@pytest.mark.parametrize(
    "text", ["", "  \n", "😀👍", "...!?", "<p></p>", "[pause 1s]", '<break time="2s"/> — ', "&nbsp;"]
)
def test_nothing_to_say_is_said_before_anything_else(text: str) -> None:
    for refuse in (lambda: check_text(text, "ann", "en-US"), lambda: list(ReadingVoice(Beeper()).speak(text))):
        with pytest.raises(SpeechSynthesisError, match="nothing to say|empty") as caught:
            refuse()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "known", "words"),
    [
        ("你好世界", [ENGLISH], ("Chinese characters", "voice ann (en-US)", "Install espeak-ng", "espeak:cmn")),
        ("你好世界", [ENGLISH, ESPEAK], ("Use voice espeak:cmn",)),
        ("こんにちは", [ENGLISH, JAPANESE, ESPEAK], ("Japanese kana", "Use voice yuki")),
        ("Привет, Bob", [ENGLISH, ESPEAK], ("Cyrillic letters", "Use voice espeak:ru")),
        ("नमस्ते दुनिया", [ENGLISH], ("Devanagari letters", "espeak:hi")),
        ("ᏣᎳᎩ", [ENGLISH, ESPEAK], ("Cherokee letters", "No voice here reads them")),
    ],
)
def test_letters_that_a_voice_can_not_read(text: str, known: list[VoiceInfo], words: tuple[str, ...]) -> None:
    with pytest.raises(SpeechSynthesisError) as caught:
        check_text(text, "ann", "en-US", known)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)


def test_a_few_strange_words_are_left_out_with_a_note(caplog: pytest.LogCaptureFixture) -> None:
    note = check_text("I met 李明 in town.", "ann", "en-US", [JAPANESE])
    assert note.startswith("2 Chinese characters are left out, as voice ann (en-US)") and "Use voice yuki" in note
    assert [block.text for block in read("I met 李明, in town. \u03c0 is a letter.", "xx")] == [
        "I met, in town. \u03c0 is a letter."
    ]
    assert spoken("I met 李明 in town.").text == "I met in town." and "2 Chinese characters" in caplog.text


def test_a_tag_that_is_misspelt_is_noted_and_spoken(caplog: pytest.LogCaptureFixture) -> None:
    assert check_text("[hapy:0.5] Hi.").startswith("[hapy:0.5] is no")
    assert "[hapy:0.5] is no" in check_text("[hapy:0.5] Hello, we met 李明 in town.", "ann", "en-US", [JAPANESE])
    assert "hapy" in spoken("[hapy:0.5] Hi.").text and "is no tag" in caplog.text


@pytest.mark.parametrize("language", ["", "mul", "cmn", "zh-CN", "ja"])
def test_voices_that_read_them_have_no_note(language: str) -> None:
    assert check_text("你好世界 hello", "ann", language) == ""
    assert [block.text for block in read("你好世界 hello", language)] == ["你好世界 hello"]


def test_writing_systems() -> None:
    assert [system(c) for c in "aéЖ中あ1 µ"] == ["LATIN", "LATIN", "CYRILLIC", "CJK", "HIRAGANA", "", "", ""]
    assert reads("de", "LATIN") and reads("hi-IN", "DEVANAGARI") and reads("cmn", "LATIN")
    assert not reads("en-US", "CYRILLIC") and not reads("xx", "THAI")


def test_ten_thousand_words_run_to_their_end_in_flat_memory() -> None:
    class Plain(Beeper):
        language = "mul"  # numbers and signs are for the engine: it is the streaming that is measured

    def most(words: int) -> tuple[int, int]:
        text = "The quick brown fox jumps over a lazy dog today. " * (words // 10)
        tracemalloc.start()
        heard = sum(np.count_nonzero(speech.samples) for speech in ReadingVoice(Plain()).speak(text))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return heard, peak

    most(100)  # what is loaded once
    (few, small), (many, large) = most(1000), most(10_000)
    assert (few, many) == (1000 * 320, 10_000 * 320)
    assert large - small < 1_000_000  # the text itself, a few times over; its sound would be 13 MB
