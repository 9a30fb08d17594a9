"""What a listener makes of a voice: the counting of errors, and a table of a toy voice."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.judge import voices
from speechhead.tts import Speech, VoiceInfo


def test_errors_are_those_of_words_and_letters() -> None:
    assert voices.errors("Señor, el PAN.", "senor el pan") == (1 / 3, 1 / 10)
    assert voices.errors("a b c d", "a x b d") == (2 / 4, 2 / 4)
    assert voices.distance("kitten", "sitting") == 3  # Levenshtein's usual example


class Listener:
    """Writes down the first two thirds of what it is told."""

    def transcribe(self, samples: np.ndarray, **options: Any) -> tuple[list[SimpleNamespace], None]:
        text = voices.SENTENCES[options["language"]]
        return [SimpleNamespace(text=" ".join(text.split()[: 2 * len(text.split()) // 3]))], None


def test_the_table_has_a_line_a_voice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    infos = [
        VoiceInfo("toy", "female", "es", "CC0", engine="toys", available=True),
        VoiceInfo("gone", "male", "es", ""),
    ]
    monkeypatch.setattr(voices, "voices", lambda: infos)
    monkeypatch.setattr(voices, "open_voice", lambda name, threads: name)
    monkeypatch.setattr(voices, "synthesize", lambda text, voice: Speech(np.zeros(16000, np.float32), text=text))
    monkeypatch.setattr(voices, "open_whisper", lambda folder: Listener())
    page = tmp_path / "voices.md"
    done = CliRunner().invoke(voices.app, ["--markdown", str(page)])
    assert done.exit_code == 0, done.output
    lines = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert len(lines) == 1 and lines[0].startswith("| `toy` | toys | es | CC0 |") and "| 35% |" in lines[0]
    assert CliRunner().invoke(voices.app, ["nobody"]).exit_code == 2
