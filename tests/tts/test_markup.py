"""SSML, HTML and pause tags in texts: breaks are pauses of their length, entities letters, and what is no tag stays."""

from __future__ import annotations

import time

import pytest

from speechhead.tts.markup import LONGEST_PAUSE, misspelt, stretches


def plain(text: str) -> list[tuple[str, float]]:
    return [(" ".join(part.text.split()), part.pause) for part in stretches(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('<speak>Hello <break time="1s"/> world.</speak>', [("Hello", 1.0), ("world.", 0.0)]),
        ("One <break time='300ms'></break> two", [("One", 0.3), ("two", 0.0)]),
        ('A <break strength="none"/> b <break strength="strong"/> c', [("A b", 0.8), ("c", 0.0)]),
        ("[pause 1s] Hi [pause] there [Pause: 250 ms]", [("", 1.0), ("Hi", 0.5), ("there", 0.25), ("", 0.0)]),
        ('Wait <break time="900s"/>', [("Wait", LONGEST_PAUSE), ("", 0.0)]),
        ('Wait <break time="soon"/> now', [("Wait", 0.5), ("now", 0.0)]),
    ],
)
def test_pauses(text: str, wanted: list[tuple[str, float]]) -> None:
    assert plain(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Tom &amp; Jerry&#39;s &lt;b&gt; &#x41;&nbsp;B", "Tom & Jerry's <b> A B"),
        ("&amp;lt; is said once &unknown; &", "&lt; is said once &unknown; &"),
        ("a < b and b > c", "a < b and b > c"),
        ("if x <y and z> w", "if x <y and z> w"),
        ("[Happy:0.7] Good news! [sic] [joyful] [happy:2] [pause x]", "Good news! [sic] [joyful] [happy:2] [pause x]"),
        ("a <b>bold</b>ly <em>said</em> word", "a boldly said word"),
        ('<prosody rate="slow" pitch="+2st">Slow</prosody><mark name="here"/>now', "Slow now"),
        ("<x-unknown a='1' b=2>kept</x-unknown>", "kept"),
        ('<?xml version="1.0"?><!DOCTYPE html><!-- a <b> c --><p>One</p><p>Two</p>', "One Two"),
        ("<style>p { a: b }</style>Hi<script>if (a<b) c()</script> <head><title>T</title></head>you", "Hi you"),
        ("use the <style> tag", "use the tag"),
        ('<sub alias="World Wide Web &amp; more">WWW</sub> <sub>2</sub>', "World Wide Web & more 2"),
        ('<say-as interpret-as="characters">ab1</say-as>, <say-as interpret-as="date">3/4</say-as>', "A B 1, 3/4"),
        ("<![CDATA[a <b> & c]]>", "a <b> & c"),
        ("<s>Hello</s><s>World.</s><s>End</s>", "Hello. World. End."),
        ("write to <me@example.org> or <https://example.com/>", "write to <me@example.org> or <https://example.com/>"),
        ("an open <b and <", "an open <b and <"),
    ],
)
def test_what_is_left(text: str, wanted: str) -> None:
    assert " ".join(" ".join(part.text for part in stretches(text)).split()) == wanted


MIX = {"happy": 0.5, "surprised": 0.3}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[happy:0.7] News! [neutral] And", [("News!", 0.35, {"happy": 0.7}), ("And", 0.0, {"neutral": 1.0})]),
        ("I was sad [sad] until now.", [("I was sad", 0.2, None), ("until now.", 0.0, {"sad": 1.0})]),
        ("[happy:0.5, surprised:.3] Oh [pause 1s] well", [("Oh", 1.0, MIX), ("well", 0.0, MIX)]),
        ("<p>One.</p>[angry]", [("One.", 0.35, None), ("", 0.0, {"angry": 1.0})]),
    ],
)
def test_emotions_hold_from_their_tag_on(text: str, wanted: list[tuple[str, float, dict[str, float] | None]]) -> None:
    assert [(" ".join(part.text.split()), part.pause, part.emotion) for part in stretches(text)] == wanted


def test_blocks_are_paragraphs() -> None:
    (only,) = stretches("<h1>Title</h1><p>One<br/>two</p>")
    assert [line for line in only.text.split("\n") if line] == ["Title", "One", "two"]


@pytest.mark.parametrize("text", ["<", "<a ", "<!--", "<![CDATA[", "<script>", "&", "[pause ", "<a b='", "<sub a='1' "])
def test_hostile_texts_take_no_time(text: str) -> None:
    begin = time.process_time()
    list(stretches(text * 4000))
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "tag", ["[hapy:0.3]", "[happy:2]", "[happy 0.7]", "[happy=0.5]", "[sad:-1]", "[pause 2 sec]", "[happy:70%]"]
)
def test_what_is_nearly_a_tag_is_noted(tag: str) -> None:
    note = misspelt(f"[sad] Well, {tag} good news.")
    assert (
        note.startswith(f"{tag} is no tag, so it is spoken. Write [NAME:0..1] with neutral, happy") and "\n" not in note
    )


@pytest.mark.parametrize(
    "text", ["[happy:0.7] Hi [pause 1s]", "[John 3:16]", "a[0] = b[1]", "[happy music]", "[sic]", "[" * 5000]
)
def test_other_brackets_are_text_without_a_note(text: str) -> None:
    assert misspelt(text) == ""
