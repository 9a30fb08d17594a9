"""Subtitles of a spoken text: what is said, from when to when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from speechhead.core.outputs import replaced
from speechhead.tts import SILENCE, Speech

LONGEST = 84
"""Characters of one subtitle: two lines of 42, as television writes them."""

LINE = 42


@dataclass(frozen=True)
class Caption:
    """A text, shown from start to end, seconds."""

    start: float
    end: float
    text: str


class Captions:
    """Collects what a voice says, piece by piece."""

    def __init__(self) -> None:
        self.captions: list[Caption] = []
        self._at = 0.0

    def hear(self, speech: Speech) -> None:
        """The next piece of speech. A long one becomes several captions, each as long as its part of the letters."""
        start = self._at
        self._at += speech.seconds
        text = " ".join(speech.text.split())
        if not text:
            return
        spoken = [phoneme.end_s for phoneme in speech.phonemes if phoneme.symbol != SILENCE]
        length = max(spoken) if spoken else speech.seconds
        parts = list(cut(text))
        letters = sum(map(len, parts))
        for part in parts:
            end = start + length * len(part) / letters
            self.captions.append(Caption(start, end, part))
            start = end

    def write(self, path: Path) -> None:
        """Write them as the file's ending says, WebVTT or SubRip."""
        text = vtt(self.captions) if path.suffix.lower() == ".vtt" else srt(self.captions)
        with replaced(path) as part:
            part.write_text(text, encoding="utf-8")


def cut(text: str) -> Iterator[str]:
    """A text in parts of at most `LONGEST` characters, between words, after a comma where one is late enough."""
    while len(text) > LONGEST:
        pauses = [match.end() for match in re.finditer(r"[,;:–—](?=\s)|[、，；：]", text[:LONGEST])]
        spaces = [match.start() for match in re.finditer(r"\s", text[: LONGEST + 1])]
        at = next((place for place in reversed(pauses) if place > LONGEST // 2), spaces[-1] if spaces else LONGEST)
        yield text[:at].strip()
        text = text[at:].strip()
    yield text


def folded(text: str) -> str:
    """A caption in two lines of about the same length, where it is longer than one."""
    if len(text) <= LINE:
        return text
    spaces = [match.start() for match in re.finditer(r"\s", text)]
    if not spaces:
        return text
    at = min(spaces, key=lambda place: abs(place - len(text) / 2))
    return f"{text[:at]}\n{text[at + 1 :]}"


def vtt(captions: list[Caption]) -> str:
    """As WebVTT."""

    def plain(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    cues = (f"{stamp(each.start)} --> {stamp(each.end)}\n{plain(folded(each.text))}\n" for each in captions)
    return "\n".join(["WEBVTT\n", *cues])


def srt(captions: list[Caption]) -> str:
    """As SubRip."""
    return "\n".join(
        f"{number}\n{stamp(each.start, ',')} --> {stamp(each.end, ',')}\n{folded(each.text)}\n"
        for number, each in enumerate(captions, 1)
    )


def stamp(seconds: float, point: str = ".") -> str:
    """A time as 00:00:00.000."""
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{point}{whole % 1000:03}"
