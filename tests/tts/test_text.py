"""Text for speech: what is removed, where sentences end, how long text is cut."""

from __future__ import annotations

import tracemalloc

import pytest

from speechhead.core.errors import SpeechSynthesisError
from speechhead.tts.text import (
    LIMIT,
    PARAGRAPH_PAUSE,
    Piece,
    begun_early,
    blocks,
    clean_text,
    split_blocks,
    split_text,
    tidy,
)


def sentences(text: str) -> list[str]:
    return [piece.text for piece in split_text(clean_text(text))]


@pytest.mark.parametrize("text", ["", "  \n\t ", "😀👩‍👩‍👧🇩🇪", "...!?", "\x00\x07", "\u200b", "— – -", "\ud800"])
def test_nothing_to_say(text: str) -> None:
    with pytest.raises(SpeechSynthesisError) as caught:
        clean_text(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hi 😀 there 👍🏽!", "Hi there!"),
        ("a\x00b\x07 c\u200bd", "ab cd"),
        ("𝓗𝓮𝓵𝓵𝓸 “world” ½", 'Hello "world" ½'),
        ("See https://user@www.example.com/a?b=1, or www.test.org/x.", "See example.com, or test.org."),
        ("Raw [[h@loU]] <b>**bold**</b> _it_", "Raw h@loU b bold /b it"),
        ("Wait!!!!! What???", "Wait! What?"),
        ("[a page](https://example.com/a), # and **b**", "a page, # and b"),
    ],
)
def test_cleaning(text: str, spoken: str) -> None:
    assert clean_text(text) == spoken


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three? four", 4),
        ("It is 3.14 m, e.g. for Dr. Smith.", 1),
        ("J. K. Rowling met the U.S. president at 5 p.m. yesterday.", 1),
        ("We closed at 5 p.m. Then we left.", 2),
        ('He said "Stop." Then he left.', 2),
        ("Well… maybe. No. Yes.", 3),
        ("Title\n\nA line that\nwraps.\n- item one\n- item two", 4),
        ("今日は。元気ですか？はい", 3),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(text)) == count


def test_pauses() -> None:
    pauses = [piece.pause for piece in split_text("One. Two.\nThree.")]
    assert 0 < pauses[0] < pauses[1] == PARAGRAPH_PAUSE and pauses[2] == 0


@pytest.mark.parametrize("text", ["word " * 400, "one, two; " * 200, "x" * 2000, "a. " * 1000])
def test_long_sentences_are_cut_without_loss(text: str) -> None:
    pieces = sentences(text)
    assert all(0 < len(piece) <= LIMIT for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(clean_text(text).split())


def test_cuts_fall_on_clauses() -> None:
    assert all(piece.endswith(";") for piece in sentences("the cat sat on the mat, and so on; " * 30)[:-1])


@pytest.mark.parametrize(
    "text", ["One two. Three!\nFour. " * 60, "x" * 2000, "am 3. Mai " * 200, "a, b; " * 400, "Hi."]
)
def test_blocks_lose_nothing(text: str) -> None:
    tidied = tidy(text)
    found = list(blocks(tidied, 100))
    assert "".join("".join(block.text for block in found).split()) == "".join(tidied.split())
    assert all(block.text and len(block.text) <= 320 for block in found)
    assert all(block.pause > 0 for block in found[:-1] if "x" not in block.text) and found[-1].pause == 0
    cut = list(split_blocks([Piece("One. Two.", 1.5), Piece("", 0.3), Piece("Three.", 0.0)]))
    assert [(piece.text, piece.pause) for piece in cut] == [
        ("One.", 0.35), ("Two.", 1.5), ("", 0.3), ("Three.", 0.0)
    ]  # fmt: skip


def test_ten_thousand_words_stream() -> None:
    text = clean_text("The quick brown fox jumps over a lazy dog today. " * 1000)
    tracemalloc.start()
    assert sum(1 for _ in split_text(text)) == 1000
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()


def test_a_long_first_sentence_begins_early() -> None:
    long = (
        "When the weather is fine, and nobody has anything better to do, we all go down to the river. " + "Then home."
    )
    pieces = list(begun_early(split_text(long)))
    assert [piece.text for piece in pieces] == [
        "When the weather is fine, and nobody has anything better to do,",
        "we all go down to the river.",
        "Then home.",
    ]
    assert pieces[0].pause < pieces[1].pause
    for text in ("Short, and sweet.", "x" * 200 + " y, z."):  # nothing to win, or nowhere to cut
        assert list(begun_early(split_text(text))) == list(split_text(text))
