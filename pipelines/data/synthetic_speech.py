"""Render or collect speech for training: many voices, phonemes where the engine times them.

    python -m pipelines.data.synthetic_speech OUT [--minutes 18] [--prompts /usr/share/asterisk/sounds/en]

Writes OUT/<voice>-<number>.wav (16 kHz mono), one sentence a file, and beside each a .json with the text, the engine
and its settings, the licence and `phonemes`: [symbol (IPA, or "sil"), start_s, end_s], empty where unknown.
The sentences are our own (synthetic_sentences.txt): rich in p, b and m closures, digits and questions.

Voices: Piper joe at several speeds and noise levels; Kokoro's five; espeak-ng and flite where installed
(Debian packages of these names); recorded telephone prompts where found (Debian package
asterisk-core-sounds-en-g722: Allison Smith, CC-BY-SA-3.0 -- keep that out of weights whose licence
does not allow it with --no-prompts). Running it again renders only what is missing.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines.command import command
from speechhead.audio import load_audio, save_wav
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import SpeechheadError
from speechhead.tts import Speech, espeak, kokoro, piper, synthesize
from speechhead.tts.speech import finish

SENTENCES = Path(__file__).parent / "synthetic_sentences.txt"
PROMPTS = Path("/usr/share/asterisk/sounds/en")
ESPEAK = ("en-us", "en-us+f3", "en-gb+f5", "en-gb-scotland", "en-us+m7", "en-us-nyc+f2", "en-gb-x-rp+m3")
FLITE = ("slt", "rms", "awb", "kal16")
JOE = tuple((length, noise) for length in (0.85, 1.0, 1.2) for noise in (0.5, 0.667, 0.9))


@dataclass(frozen=True)
class Recording:
    """One file to make: name without suffix, text, who says it, and the call that does."""

    name: str
    text: str
    engine: str
    licence: str
    settings: dict[str, Any]
    make: Callable[[], Speech]


def jobs(seed: int = 0) -> Iterator[Recording]:
    """Every sentence by joe, and shares of the list by the other voices, shuffled so that any prefix is mixed."""
    lines = [line.strip() for line in SENTENCES.read_text(encoding="utf-8").splitlines() if line.strip()]
    order = random.Random(seed)
    plan: list[Recording] = []
    if not piper.missing():
        for number, text in enumerate(lines):
            length, noise = JOE[number % len(JOE)]
            settings = {"length_scale": length, "noise_scale": noise, "seed": number}
            plan.append(_job("joe", number, text, "piper", piper.LICENCE, settings, _joe(text, settings)))
    if not kokoro.missing():
        for number, text in enumerate(order.sample(lines, len(lines) // 3)):
            name = list(kokoro.VOICES)[number % len(kokoro.VOICES)]
            speed = (0.9, 1.0, 1.15)[number % 3]
            plan.append(
                _job(name, number, text, "kokoro", kokoro.LICENCE, {"speed": speed}, _kokoro(text, name, speed))
            )
    if espeak.program():
        for number, text in enumerate(order.sample(lines, len(lines) // 3)):
            name, speed = ESPEAK[number % len(ESPEAK)], (135, 160, 185)[number % 3]
            file = "espeak-" + name.replace("+", "-")
            plan.append(
                _job(file, number, text, "espeak-ng", "output free", {"speed": speed}, _espeak(text, name, speed))
            )
    if shutil.which("flite"):
        for number, text in enumerate(order.sample(lines, len(lines) // 3)):
            name, stretch = FLITE[number % len(FLITE)], (0.9, 1.0, 1.15)[number % 3]
            licence = "CMU Flite (BSD style)"
            settings = {"duration_stretch": stretch}
            plan.append(_job(f"flite-{name}", number, text, "flite", licence, settings, _flite(text, name, stretch)))
    order.shuffle(plan)
    yield from plan


def prompts(folder: Path, shortest: float = 1.5) -> Iterator[Recording]:
    """Recorded prompts of some length, whose text is not known."""
    for number, file in enumerate(sorted(folder.glob("*.g722"))):
        if file.stat().st_size >= shortest * 8000:  # g722 is 64 kbit/s
            make = _recorded(file)
            yield _job("allison", number, "", "recorded", "CC-BY-SA-3.0 (Allison Smith)", {"file": file.name}, make)


def _job(
    voice: str, number: int, text: str, engine: str, licence: str, settings: dict[str, Any], make: Any
) -> Recording:
    return Recording(f"{voice}-{number:03d}", text, engine, licence, settings, make)


def _joe(text: str, settings: dict[str, Any]) -> Callable[[], Speech]:
    return lambda: synthesize(text, piper.PiperVoice(threads=1, **settings))


def _kokoro(text: str, name: str, speed: float) -> Callable[[], Speech]:
    return lambda: synthesize(text, kokoro.KokoroVoice(name, speed, threads=1))


def _espeak(text: str, name: str, speed: int) -> Callable[[], Speech]:
    return lambda: synthesize(text, espeak.EspeakVoice(f"espeak:{name}", speed))


def _flite(text: str, name: str, stretch: float) -> Callable[[], Speech]:
    def make() -> Speech:
        with tempfile.TemporaryDirectory() as folder:
            wav = Path(folder) / "flite.wav"
            command = ["flite", "-voice", name, "--setf", f"duration_stretch={stretch}", "-t", text, "-o", str(wav)]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            return finish(load_audio(wav), SAMPLE_RATE, text, 0.0)

    return make


def _recorded(file: Path) -> Callable[[], Speech]:
    return lambda: finish(load_audio(file), SAMPLE_RATE, "", 0.0)


def main(
    out: Annotated[Path, typer.Argument(help="Folder for the recordings.")],
    minutes: Annotated[float, typer.Option(help="Stop when OUT holds this much sound.")] = 18,
    folder: Annotated[Path, typer.Option("--prompts", help="Folder of .g722 files.")] = PROMPTS,
    no_prompts: Annotated[bool, typer.Option("--no-prompts", help="Leave recorded prompts (CC-BY-SA) out.")] = False,
) -> None:
    """Make what is missing, until there is enough."""
    out.mkdir(parents=True, exist_ok=True)
    recorded = [] if no_prompts else list(prompts(folder))
    # Five minutes of prompts at most come first: reading them costs nothing.
    total = _run(recorded, out, 0.0, min(300.0, minutes * 20))
    total = _run(jobs(), out, total, minutes * 60)
    print(f"{out}: {total / 60:.1f} minutes")


def _run(work: Any, out: Path, total: float, limit: float) -> float:
    for job in work:
        if total >= limit:
            break
        wav, notes = out / f"{job.name}.wav", out / f"{job.name}.json"
        if not notes.exists():
            try:
                speech = job.make()
            except (SpeechheadError, subprocess.SubprocessError) as error:
                print(f"{job.name}: left out ({error})")
                continue
            save_wav(wav, speech.samples)
            entry = {"text": job.text, "engine": job.engine, "licence": job.licence, "settings": job.settings}
            entry |= {"seconds": speech.seconds, "phonemes": [_rounded(astuple(p)) for p in speech.phonemes]}
            notes.write_text(json.dumps(entry, ensure_ascii=False) + "\n", encoding="utf-8")
        total += json.loads(notes.read_text(encoding="utf-8"))["seconds"]
    return total


def _rounded(values: tuple[Any, ...]) -> list[Any]:
    return [float(np.round(v, 4)) if isinstance(v, float) else v for v in values]


app = command(main)

if __name__ == "__main__":
    app()
