"""The command line: options to arguments, errors to one line, progress to the terminal."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.markup import escape
from typer.core import TyperGroup

from speechhead import __version__
from speechhead.core.clocks import FPS
from speechhead.core.controls import Controls
from speechhead.core.errors import SpeechheadError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.core.outputs import undo_all
from speechhead.core.process import calm_blas, calm_opencv, keep_freed_pictures
from speechhead.core.results import ResultOptions

from .avatars import avatars_app, check_picture, scene
from .batch import batch
from .bench import bench
from .faces import faces
from .pointers import more, pointed
from .records import from_records
from .terminal import bar, standard_input, told
from .voices import voices_app
from .weights import weights_app

COMMANDS = "speechhead.commands"
"""Entry points that are commands of `speechhead`: this is how a package above the library, the server, joins in."""

OWN = "speechhead"
"""Distribution of the library and its server: of two commands of one name, its own stands."""

SERVE = "serve"
"""The command of our server; an installation that knows nothing of it says what to install."""

log = logging.getLogger("speechhead")

VIDEOS, MATERIAL, MACHINE = "Make a video", "Who speaks", "Networks and this machine"
JOINED = "Live, and from other packages"
"""What the help lists commands under, by what a user wants to do."""

STYLE: dict[str, Any] = {"add_completion": False, "rich_markup_mode": "rich"}


def _package(entry: EntryPoint) -> str:
    """Name of the package that brings a command."""
    return entry.dist.name if entry.dist else entry.value


def _foreign(entry: EntryPoint) -> bool:
    """Whether a command is of somebody else's package."""
    return _package(entry).lower() != OWN


@cache
def joined(taken: frozenset[str]) -> dict[str, EntryPoint]:
    """Commands of other packages by name, ours first; one whose name is taken is left out, with a warning."""
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=COMMANDS), key=_foreign):
        if entry.name in taken | found.keys() or (entry.name == SERVE and _foreign(entry)):
            owner = _package(found[entry.name]) if entry.name in found else OWN
            log.warning("command '%s' of package '%s' left out: it is %s's.", entry.name, _package(entry), owner)
        else:
            found[entry.name] = entry
    return found


def _without(name: str, reason: str) -> Any:
    """A command that is not available: the help says why, and so does the command, whatever it is given."""

    def refuse() -> None:
        raise SpeechheadError(reason)

    single = typer.Typer(**STYLE)
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    said = escape(f"Not available: {reason}")
    named: dict[str, Any] = {
        "help": said,
        "add_help_option": False,
        "context_settings": settings,
        "rich_help_panel": JOINED,
    }
    single.command(name, **named)(refuse)
    return typer.main.get_command(single)


def _loaded(entry: EntryPoint) -> Any:
    """The command of another package; one that says why it is not available if the package is broken."""
    try:
        function = entry.load()
        if not callable(function):
            raise TypeError(f"no function but {type(function).__name__}")
        single = typer.Typer(**STYLE)
        single.command(entry.name, rich_help_panel=JOINED)(function)
        command = typer.main.get_command(single)
        return command if _foreign(entry) else pointed(entry.name, command)
    except (Exception, SystemExit) as error:
        if not _foreign(entry) and isinstance(error, ImportError):
            return _without(entry.name, f"{entry.name} needs {error.name or error}. pip install 'speechhead[server]'.")
        why = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        remedy = f"Repair package '{_package(entry)}', or remove it."
        return _without(entry.name, f"{entry.name}: {entry.value} can not be imported ({why}). {remedy}")


class Commands(TyperGroup):
    """The library's own commands, and those of other packages, which are loaded when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *sorted({SERVE, *joined(frozenset(own))})]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own:
            return pointed(cmd_name, own)
        entry = joined(frozenset(super().list_commands(ctx))).get(cmd_name)
        if entry:
            return _loaded(entry)
        remedy = "pip install 'speechhead[server]', or pip install -e '.[server]' in a checkout"
        return _without(SERVE, f"{SERVE} is not installed here. {remedy}.") if cmd_name == SERVE else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name; a misspelt one is told what comes near, of all that are listed."""
        near = [] if self.get_command(ctx, args[0]) else get_close_matches(args[0], self.list_commands(ctx))
        if near:
            ctx.fail(f"No such command '{args[0]}'. Did you mean {', '.join(map(repr, near))}?")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="speechhead",
    cls=Commands,
    help="One portrait and one voice in, a talking head out.",
    no_args_is_help=True,
    **(STYLE | {"add_completion": True}),
)
say_app = typer.Typer(name="python -m speechhead.say", **STYLE)


def _version(asked: bool) -> None:
    if asked:
        print(f"speechhead {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What stands before a command."""


Output = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="Video to write: mp4, m4v, mov, mkv, webm, gif, apng, frames/%05d.png.", metavar="FILE"
    ),
]


@say_app.command(epilog=more("say"))
@app.command(rich_help_panel=VIDEOS)
@from_records(fps=FPS)
def say(
    text_or_wav: Annotated[
        str,
        typer.Argument(
            metavar="TEXT_OR_WAV", help="Text to speak, a text, sound or video file, or - for standard input."
        ),
    ],
    output: Output = Path("say.mp4"),
    portrait: Annotated[
        str | None,
        typer.Option("--portrait", "-p", help="Picture, saved .avatar file, or name of a shipped one.", metavar="IMG"),
    ] = None,
    voice: Annotated[
        str | None,
        typer.Option(help="A name from `speechhead voices`; by default one that suits the portrait.", metavar="NAME"),
    ] = None,
    *,
    options: RenderOptions,
    controls: Controls,
    results: ResultOptions,
) -> None:
    """Make a portrait speak a text or a recording."""
    from speechhead.api import say as run

    if text_or_wav == "-":
        text_or_wav = standard_input()
    with bar() as progress:
        path = run(text_or_wav, output, portrait, voice, options, controls, progress, results)
    print(path)


@app.command(rich_help_panel=VIDEOS)
@from_records()
def render(
    source: Annotated[
        str, typer.Option("--source", "-s", help="Portrait, or video to lip-sync anew.", metavar="IMG_OR_VIDEO")
    ],
    audio: Annotated[Path, typer.Option("--audio", "-a", help="Sound or video file to speak.", metavar="WAV_OR_VIDEO")],
    output: Output = Path("render.mp4"),
    json: Annotated[bool, typer.Option("--json", help="Tell what happens as JSON, a line each.")] = False,
    *,
    options: RenderOptions,
    controls: Controls,
    film: FilmOptions,
    results: ResultOptions,
) -> None:
    """Lip-sync a portrait, or a video with its own head motion, to a recording."""
    from speechhead.api import render as run

    with told(json, source=source, audio=str(audio), output=str(output)) as (progress, made):
        made(run(source, audio, output, options, controls, progress, film, results))


@app.command(rich_help_panel=VIDEOS)
@from_records(without=("speaker",))
def animate(
    source: Annotated[str, typer.Option("--source", "-s", help="Picture, or name of a shipped one.", metavar="IMG")],
    driver: Annotated[Path, typer.Option("--driver", "-d", help="Video of one face that moves.", metavar="VIDEO")],
    output: Output = Path("animate.mp4"),
    *,
    options: RenderOptions,
    drive: DriveOptions,
) -> None:
    """Move a portrait as the person in a video moves."""
    from speechhead.api import animate as run

    with bar() as progress:
        path = run(source, driver, output, options, drive, progress)
    print(path)


@app.command(rich_help_panel=MACHINE)
def doctor(json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False) -> None:
    """Show what works on this machine, on which device, and how fast."""
    from .doctor import report, told_as_json

    found = []
    for finding in report():
        found.append(finding)
        if not json:
            print(f"{finding.name:<12} {finding.state}", flush=True)
    if json:
        print(told_as_json(found))
    if not all(finding.good for finding in found):
        raise typer.Exit(1)


app.command("batch", rich_help_panel=VIDEOS)(batch)
app.command("bench", rich_help_panel=MACHINE)(bench)
app.command("check", rich_help_panel=MATERIAL)(check_picture)
app.command("faces", rich_help_panel=MATERIAL)(faces)
app.command("scene", rich_help_panel=MATERIAL)(scene)
app.add_typer(avatars_app, name="avatars", rich_help_panel=MATERIAL)
app.add_typer(voices_app, name="voices", rich_help_panel=MATERIAL)
app.add_typer(weights_app, name="weights", rich_help_panel=MACHINE)


def main() -> NoReturn:
    """The command `speechhead`."""
    _run(app, "speechhead")


def main_say() -> NoReturn:
    """The command `python -m speechhead.say`."""
    _run(say_app, "python -m speechhead.say")


def _run(application: typer.Typer, name: str) -> NoReturn:
    """Run an application; whatever is wrong with the input ends in one line on stderr and exit code 2."""
    # A terminated run unwinds like an interrupted one, so that no half-written file stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keep_freed_pictures()
    calm_blas()
    calm_opencv()
    notes = logging.StreamHandler(sys.stderr)
    notes.setFormatter(logging.Formatter("note: %(message)s"))
    logging.getLogger("speechhead").handlers = [notes]
    command = typer.main.get_command(application)
    try:
        try:
            code = command.main(args=sys.argv[1:], prog_name=name, standalone_mode=False)
        finally:
            undo_all()
        if code == 130:
            raise KeyboardInterrupt  # which some versions of typer turn into this code
        sys.exit(code if isinstance(code, int) else 0)
    except BrokenPipeError:  # `speechhead voices | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted, nothing written.", 130)
    except (SpeechheadError, OSError, MemoryError) as error:
        if os.environ.get("SPEECHHEAD_DEBUG"):
            raise
        _fail(_reason(error) or "not enough memory. Use a smaller picture or --size.", 2)
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the help has been shown
            sys.exit(0)
        if hasattr(error, "format_message"):  # typer's own classes have moved between its versions
            line = error.format_message()
            asked = getattr(getattr(error, "ctx", None), "command_path", "") or name  # of `say`, not all commands
            _fail(f"{line.rstrip('.')}. Try '{asked} --help'.", 2)
        if os.environ.get("SPEECHHEAD_DEBUG"):
            raise
        kind = type(error).__name__
        _fail(f"internal error, please report it: {kind}: {error} (SPEECHHEAD_DEBUG=1 shows more).", 1)


def _reason(error: BaseException) -> str:
    """What is wrong, and the remedy: an error of the system's says neither as a sentence."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}. Check the path, and what may be written there."
    return str(error)


def _fail(message: str, code: int) -> NoReturn:
    print(" ".join(message.split()), file=sys.stderr, flush=True)
    if any(thread.name.startswith("speechhead") for thread in threading.enumerate()):
        os._exit(code)  # a voice that hangs must not turn the end into a crash
    sys.exit(code)


if __name__ == "__main__":
    main()
