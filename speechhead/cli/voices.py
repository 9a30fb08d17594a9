"""The commands about voices: list them, hear one, add and remove one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated
from unicodedata import normalize

import typer

from speechhead.core.errors import SpeechSynthesisError

from .terminal import table

SAYS = "Hello, this is how I sound. Give me a portrait, and I will speak with its lips."
"""What a voice says where it is only tried."""

PLAYERS = (
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("paplay",),
    ("pw-play",),
    ("aplay", "-q"),
    ("afplay",),
)
"""Programs that play a WAV file, with their options; the first that is installed is taken."""

voices_app = typer.Typer()


@voices_app.callback(invoke_without_command=True)
def voices(
    context: typer.Context,
    play: Annotated[str | None, typer.Option(help="Let this voice speak.", metavar="NAME")] = None,
    text: Annotated[str, typer.Option(help="What --play says.")] = SAYS,
) -> None:
    """List the voices and whether they can speak on this machine."""
    if context.invoked_subcommand:
        return
    if play is not None:
        _play(play, text)
        return
    from speechhead.tts import voices as known

    rows = []
    for voice in known():
        here = "yes" if voice.available else f"no: {voice.remedy}"
        rows.append((voice.name, voice.engine, voice.gender, voice.language, voice.licence, here))
    table(("voice", "engine", "gender", "language", "licence", "on this machine"), rows)
    from speechhead.tts.added import faults

    for fault in faults().values():
        typer.echo(f"note: {fault}", err=True)


@voices_app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A Piper voice's .onnx, its .onnx.json beside it.")],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name by default.")] = None,
    gender: Annotated[str, typer.Option(help="female, male or unknown.")] = "unknown",
) -> None:
    """Add a Piper voice of your own, to be used by its name."""
    from speechhead.tts import added, synthesize
    from speechhead.tts import voices as known

    if file.suffix != ".onnx" or file.is_dir():
        raise SpeechSynthesisError(f"{file}: is no Piper voice. Give its .onnx file, with its .onnx.json beside it.")
    name = normalize("NFC", file.stem if name is None else name)
    added.check_name(name, gender)
    if any(voice.name == name and voice.licence != added.LICENCE for voice in known()):
        raise SpeechSynthesisError(f"name '{name}': a voice has it already. Give another with --name.")
    synthesize(SAYS, str(file))  # whether it is one
    print(added.add(file, name, gender))


@voices_app.command()
def remove(name: Annotated[str, typer.Argument(help="The name under which it was added.")]) -> None:
    """Forget a voice that was added."""
    from speechhead.tts.added import remove as forget

    forget(normalize("NFC", name))


def _play(name: str, text: str) -> None:
    """Say a text aloud; without a program that plays sound, leave a file."""
    from speechhead.audio.io import save_wav
    from speechhead.tts import synthesize

    samples = synthesize(text, name).samples
    found = next((player for player in PLAYERS if shutil.which(player[0])), None)
    if found is not None:
        with tempfile.TemporaryDirectory(prefix="speechhead-") as place:
            file = Path(place) / "voice.wav"
            save_wav(file, samples)
            if subprocess.run([*found, str(file)], capture_output=True, check=False).returncode == 0:
                return
    target = Path(f"{Path(name).stem.replace(':', '_')}.wav")
    save_wav(target, samples)
    print(target)
