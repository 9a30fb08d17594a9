"""Pieces of text, and the times of their words."""

from __future__ import annotations

from speechhead_server.voice.words import FIRST, pieces, word_times

from speechhead.tts.speech import SILENCE, Phoneme
from speechhead.tts.text import Piece


def test_the_first_piece_is_short_and_nothing_is_lost():
    text = "Good morning, everyone, and welcome to this short talk about the history of computers. It is long."
    cut = list(pieces([Piece(text, 0.0)]))
    assert len(cut[0].text) <= FIRST and cut[0].text == "Good morning, everyone,"
    assert " ".join(piece.text for piece in cut) == text
    for text in ("Hi.", "x" * 500, "I was asked today whether machines could ever really think about it.", "a b " * 90):
        cut = list(pieces([Piece(text, 0.0)]))
        assert "".join("".join(p.text for p in cut).split()) == "".join(text.split())
        assert all(piece.text.strip() for piece in cut)


def test_words_are_timed_by_the_engine_or_by_their_letters():
    sounds = [Phoneme("h", 0.1, 0.2, 0), Phoneme("i", 0.2, 0.3, 0), Phoneme("y", 0.4, 0.5, 1), Phoneme(SILENCE, 0.5, 1)]
    assert word_times("Hi you.", sounds, 1.0) == [("Hi", 0.1, 0.3), ("you.", 0.4, 0.5)]
    for phonemes in ([], sounds):
        timed = word_times("one two three", phonemes, 1.0)
        assert [word for word, _, _ in timed] == ["one", "two", "three"]
        assert all(a <= b for _, a, b in timed) and timed[0][2] <= timed[1][1]
    assert word_times("...", [], 1.0) == []
