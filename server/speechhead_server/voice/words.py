"""Text cut so that speech begins soon, and when each of its words is heard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from speechhead.tts.speech import SILENCE, Phoneme
from speechhead.tts.text import CLAUSE_PAUSE, Piece, split_blocks

FIRST, SECOND = 24, 54
"""Characters of the first and the second piece at most. A piece is heard when all of it is made, so the first one is
short; while it is heard the next is made, and may be longer."""

SHORTEST = 6
"""Characters that a piece has at least."""

_CLAUSE = re.compile(r"[,;:]\s+")
_BEFORE = re.compile(
    r"\s+(?=(?:and|or|but|so|because|that|which|who|when|where|while|if|as|to|of|in|on|at|for|from|with|by|about|into|"
    r"the|a|an|is|are|was|were|will|would|can|could|has|have|had)\s)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


def pieces(blocks: Iterable[Piece], whole: bool = False) -> Iterator[Piece]:
    """Cut blocks of text into what is synthesised in one go: a few words first, then a clause, then sentences.

    A cut falls after a comma where there is one, else before a small word, where speakers breathe too, else at a space.
    `whole` gives sentences from the first on, for a text that is heard later.
    """
    limits = [] if whole else [FIRST, SECOND]
    for piece in split_blocks(blocks):
        rest = piece.text
        while limits and len(rest) > limits[0]:
            cut, pause = _cut(rest, limits.pop(0))
            if cut is None:
                break
            yield replace(piece, text=rest[:cut].strip(), pause=pause)
            rest = rest[cut:].lstrip()
        if limits and len(rest) <= limits[0]:
            limits.pop(0)
        yield replace(piece, text=rest)


def _cut(text: str, limit: int) -> tuple[int | None, float]:
    for pattern, pause in ((_CLAUSE, CLAUSE_PAUSE / 2), (_BEFORE, 0.0), (_SPACE, 0.0)):
        ends = [found.end() for found in pattern.finditer(text, SHORTEST, limit + 2)]
        ends = [end for end in ends if len(text) - end >= SHORTEST]
        if ends:
            return ends[-1], pause
    return None, 0.0


def word_times(text: str, phonemes: Sequence[Phoneme], seconds: float) -> list[tuple[str, float, float]]:
    """When each word of a piece is heard: (word, start, end) in seconds of the piece.

    From the engine's own words where it has as many as the text; else they share the sounded time by their letters.

    Parameters
    ----------
    phonemes : timed sounds of the piece, may be empty
    seconds : duration of the piece
    """
    words = [word for word in text.split() if any(c.isalnum() for c in word)]
    sounds = [p for p in phonemes if p.symbol != SILENCE]
    if not words:
        return []
    groups: dict[int, list[Phoneme]] = {}
    for sound in sounds:
        groups.setdefault(sound.word, []).append(sound)
    if len(groups) == len(words):
        return [(word, group[0].start_s, group[-1].end_s) for word, group in zip(words, groups.values())]
    edges = [0.0]
    for word in words:
        edges.append(edges[-1] + len(word) + 1)
    shares = [edge / edges[-1] for edge in edges]
    times = [_at(sounds, share, seconds) for share in shares]
    return [(word, times[i], times[i + 1]) for i, word in enumerate(words)]


def _at(sounds: Sequence[Phoneme], share: float, seconds: float) -> float:
    """Time at which `share` of the sounds (by number) has been heard."""
    if not sounds:
        return share * seconds
    whole, part = divmod(share * len(sounds), 1)
    if int(whole) >= len(sounds):
        return sounds[-1].end_s
    sound = sounds[int(whole)]
    return sound.start_s + part * (sound.end_s - sound.start_s)
