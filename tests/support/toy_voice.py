"""A voice engine in one file, as somebody else's package brings it.

Its package says `[project.entry-points."speechhead.voices"] hummer = "toy_voice:ENGINE"`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from speechhead.tts.engine import VoiceEngine
from speechhead.tts.speech import Speech, VoiceInfo, finish
from speechhead.tts.text import clean_text, split_text

RATE = 8000


class Hum:
    """Hums a note as long as the text."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pitch = float(name.partition(":")[2] or 120)

    def speak(self, text: str) -> Iterator[Speech]:
        for piece in split_text(clean_text(text)):
            time = np.arange(round(0.05 * len(piece.text) * RATE)) / RATE
            yield finish(np.sin(2 * np.pi * self.pitch * time).astype(np.float32), RATE, piece.text, 0.0)


ENGINE = VoiceEngine(
    name="hummer",
    voices=(VoiceInfo("hum", "unknown", "mul", "CC0"),),
    missing=lambda: "",
    open=lambda name, threads: Hum(name),
    others=True,
)
