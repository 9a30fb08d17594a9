"""Text that comes bit by bit is cut into the same sentences however it comes."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speechhead.tts.markup import known_only
from speechhead.tts.sentences import LONGEST, SentenceCutter, gathered, sentences

PARTS = [
    "a", "word ", " ", "\n", "\n\n", ".", "!", "...", "\u2026", "\u3002", "\uff01", "\u300d", "[", "]", "[happy:0.7]",
    "[pause 1s]", "<sub alias=\"a. b\">", "</sub>", "<b>", "<", ">", "<!-- ", "-->", "3", "3.5", "Dr", "e.g", ". ",
    "- ", "2. ", "\"", ")", "A", "Z", "long " * 70, "\u597d" * 40,
]  # fmt: skip


def pushed(portions):
    cutter = SentenceCutter()
    found = [piece for portion in portions for piece in cutter.push(portion)]
    return [(piece.text, piece.pause) for piece in [*found, *cutter.end()]]


@settings(max_examples=150, deadline=None)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=60), data=st.data())
@example(parts=["[", "\n\n", "a"], data=None)
@example(parts=["a.", "\n", "\n"], data=None)
def test_however_a_text_is_portioned_its_sentences_are_the_same(parts, data):
    text = "".join(parts)
    cuts = [] if data is None else data.draw(st.lists(st.integers(0, len(text)), max_size=20).map(sorted))
    edges = [0, *cuts, len(text)]
    whole = [(piece.text, piece.pause) for piece in sentences(text)]
    assert pushed([text[a:b] for a, b in zip(edges, edges[1:])]) == whole == pushed(text)
    assert all(len(said) <= 3 * LONGEST for said, _ in whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dr. Smith paid 3.50, e.g. for U.S. goods. Good!", ["Dr. Smith paid 3.50, e.g. for U.S. goods.", "Good!"]),
        ("Am 3. Mai kam er. Dann nicht", ["Am 3. Mai kam er.", "Dann nicht"]),
        (
            "\u4f60\u597d\u3002\u300c\u771f\u7684\uff1f\u300d\u4ed6\u8bf4",
            ["\u4f60\u597d\u3002", "\u300c\u771f\u7684\uff1f\u300d", "\u4ed6\u8bf4"],
        ),
        ("[sad:1]\n\nOh. [pause 1s] Well", ["[sad:1] Oh.", "[pause 1s] Well"]),
        ('<sub alias="a. b">x. y</sub> one. Two', ['<sub alias="a. b">x. y</sub> one.', "Two"]),
        ('One. <break time="1.5 s"/> Two', ["One.", '<break time="1.5 s"/> Two']),
        ("Buy:\n- one\n- two\n\nDone", ["Buy:", "- one", "- two", "Done"]),
        ("\U0001f600. Yes.", ["Yes."]),
        ("a < b. So", ["a < b.", "So"]),
        ("[happy:1]", []),
    ],
)
def test_what_ends_a_sentence(text, said):
    assert [piece.text for piece in sentences(text)] == said


def test_a_sentence_is_whole_as_soon_as_the_next_one_begins():
    cutter = SentenceCutter()
    assert not cutter.push("It is 5 p.m. now") and not cutter.push(". ")
    assert [piece.text for piece in cutter.push("T")] == ["It is 5 p.m. now."] and cutter.held == 1
    assert not cutter.push("hat is all.")
    assert [piece.text for piece in cutter.settle()] == ["That is all."]
    assert (
        not cutter.push("It is [happy") and not cutter.settle() and not cutter.push("On the 3.") and not cutter.settle()
    )


def test_a_long_text_is_cut_where_one_breathes_and_read_in_parts():
    words = "one two, three " * 300
    cut = sentences(words)
    assert " ".join(piece.text for piece in cut) == words.strip() and all(len(piece.text) <= LONGEST for piece in cut)
    assert all(piece.text.endswith(",") for piece in cut[:-1])
    parts = gathered("A sentence of words. " * 500 + "\n\nEnd.", 1000)
    assert len(parts) == 12 and " ".join(part.text for part in parts).count("words.") == 500


def test_hostile_texts_cost_no_more_than_others():
    for bit in ("<!--", "<sub ", "[", "<a b='", ". ", "\n", "a", "&#1;", "\u3002"):
        begin = time.process_time()
        sentences(bit * (20_000 // len(bit)))
        assert time.process_time() - begin < 2, bit


def test_unknown_tags_are_left_out():
    assert known_only("[laughs] Hi [happy:0.5] you[1], [a](http://b)") == " Hi [happy:0.5] you, [a](http://b)"
