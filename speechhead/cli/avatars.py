"""The commands about portraits: list them, add and remove one, check a picture, prepare one for a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from unicodedata import normalize

import typer

from speechhead.core.options import PORTRAIT_SIZE, check_size

from .terminal import table

avatars_app = typer.Typer()


@avatars_app.callback(invoke_without_command=True)
def avatars(context: typer.Context) -> None:
    """List the portraits that have a name: for --portrait, and in the live page."""
    if context.invoked_subcommand:
        return
    from speechhead.avatar.named import faults, named_portraits

    rows = [(a.name, a.voice or "default", a.licence, a.credit) for a in named_portraits().values()]
    table(("name", "voice", "licence", "credit"), rows)
    for fault in faults().values():
        typer.echo(f"note: {fault}", err=True)


@avatars_app.command()
def add(
    picture: Annotated[Path, typer.Argument(help="A picture of one face.")],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name by default.")] = None,
    voice: Annotated[str | None, typer.Option(help="The voice that suits it.", metavar="NAME")] = None,
    face: Annotated[int | None, typer.Option(help="Number of the face, largest first.")] = None,
) -> None:
    """Keep a portrait of your own under a name."""
    from speechhead.avatar.check import check
    from speechhead.avatar.named import add as keep
    from speechhead.avatar.named import check_name
    from speechhead.tts import open_voice

    name = normalize("NFC", picture.stem if name is None else name)
    check_name(name)
    report = check(picture, face)
    if voice is not None:
        open_voice(voice)
    for line in report.lines:
        typer.echo(f"note: {line}", err=True)
    print(keep(picture, name, voice or "").path)


@avatars_app.command()
def remove(name: Annotated[str, typer.Argument(help="The name under which it was added.")]) -> None:
    """Forget a portrait that was added, with its picture."""
    from speechhead.avatar.named import remove as forget

    forget(normalize("NFC", name))


def check_picture(
    picture: Annotated[Path, typer.Argument(help="A picture of one face.")],
    face: Annotated[int | None, typer.Option(help="Number of the face, largest first.")] = None,
) -> None:
    """Say whether a picture will speak well, and what would make it better."""
    from speechhead.avatar.check import check

    report = check(picture, face)
    for line in report.lines:
        print(line)
    angles = f"turned {report.yaw:+.0f}, nodding {report.pitch:+.0f}, tilted {report.roll:+.0f} degrees"
    verdict = "works well" if not report.lines else "works"
    print(f"{picture}: {verdict}; eyes {report.eyes:.0f} px apart, {angles}.")


def scene(
    portrait: Annotated[str, typer.Argument(help="Picture, saved .avatar file, or name of a shipped one.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.", metavar="FILE")] = Path(
        "avatar.scene"
    ),
    size: Annotated[int, typer.Option(help="Pixels a side of the square that is shown.")] = PORTRAIT_SIZE,
) -> None:
    """Prepare a portrait for a browser that draws it by itself: one file, see docs/scene.md."""
    from speechhead.avatar.named import named_portraits
    from speechhead.avatar.portrait import Avatar
    from speechhead.avatar.scene import scene_of
    from speechhead.avatar.square import on_stage
    from speechhead.core.outputs import keep_inputs, replaced
    from speechhead.generators.compact.generator import CompactGenerator
    from speechhead.generators.compact.scene.file import check_scene
    from speechhead.media.targets import check_beside

    check_scene(output)
    check_beside(output, ())
    keep_inputs(output, portrait, named={name: entry.path for name, entry in named_portraits().items()})
    staged = on_stage(Avatar.open(portrait), check_size(size))
    data = scene_of(staged, CompactGenerator.load(size))
    with replaced(output) as part:
        part.write_bytes(data)
    print(output)
