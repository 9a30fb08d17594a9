"""The options of the commands are the fields of the records: same spelling, defaults and places of values as ever."""

from __future__ import annotations

import pytest
import typer
from support.paths import ROOT
from typer.testing import CliRunner

from speechhead.cli.main import app, say_app
from speechhead.cli.pointers import DOCS, more
from speechhead.cli.records import from_records
from speechhead.core.controls import Controls
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.core.records import entries

SPEAKING = {
    "--output -o": "FILE",
    "--size": None,
    "--fps": None,
    "--generator": "NAME compact",
    "--engine": "NAME auto",
    "--device": "NAME auto",
    "--precision": "NAME auto",
    "--graph": "NAME auto",
    "--encoder": "NAME auto",
    "--face": "N",
    "--landmarks": "NAME mesh",
    "--crop": False,
    "--watermark": "TEXT",
    "--c2pa": "CERT KEY",
    "--speaker": "N",
    "--emotion": "NAME[:0..1]",
    "--gaze": "YAW,PITCH",
    "--head": "MODE_OR_FILE generated",
    "--head-brows": False,
    "--head-amplitude": 1.0,
    "--temperament": 1.0,
    "--amplitude": 1.4,
    "--blinks": 16.0,
    "--blink-frames": 10.0,
    "--keyframes": "FILE",
    "--look-away": 20.0,
    "--idle --no-idle": True,
    "--seed": 0,
}
RESULTS = {
    "--alpha": False,
    "--background": "COLOUR|IMG",
    "--subtitles": "FILE",
    "--export-motion": "FILE",
    "--blendshapes": "FILE",
}
SAY = {"TEXT_OR_WAV": "", "--portrait -p": "IMG", "--voice": "NAME", **SPEAKING, **RESULTS, "--size": None, "--fps": 25}
FILM = {
    "--codec": "NAME",
    "--crf": None,
    "--lossless": False,
    "--length": "WAY",
    "--from": "SECONDS",
    "--to": "SECONDS",
    "--report": "FILE",
    "--keep-audio": False,
}
RENDER = {"--source -s": "IMG_OR_VIDEO", "--audio -a": "WAV_OR_VIDEO", "--json": False, **SPEAKING, **FILM, **RESULTS}
ANIMATE = {
    "--source -s": "IMG",
    "--driver -d": "VIDEO",
    **{name: SPEAKING[name] for name in list(SPEAKING)[:14]},
    "--weights": "FILE",
    "--relative --absolute": True,
    "--adapt-scale --no-adapt-scale": True,
    "--find-best": False,
    "--whole": False,
    "--yaw": 0.0,
    "--pitch": 0.0,
    "--roll": 0.0,
    "--region": "NAME",
    "--multiplier": None,
    "--stitching --no-stitching": True,
    "--batch": None,
    "--audio --no-audio": True,
}


def described(command):
    """Spellings of a command's parameters, each with its metavar and default."""
    found = {}
    for parameter in command.params:
        if parameter.name == "help":
            continue
        spelled = " ".join([*parameter.opts, *parameter.secondary_opts])
        if parameter.param_type_name == "argument":
            found[parameter.metavar] = ""
            continue
        default = parameter.default() if callable(parameter.default) else parameter.default
        words = [] if default is None or spelled.startswith("--output") else [str(default)]
        found[spelled] = " ".join([parameter.metavar, *words]) if parameter.metavar else default
    return found


@pytest.mark.parametrize(("name", "expected"), [("say", SAY), ("render", RENDER), ("animate", ANIMATE)])
def test_options_are_spelled_as_ever(name, expected):
    assert described(typer.main.get_command(app).get_command(None, name)) == expected
    if name == "say":
        assert described(typer.main.get_command(say_app)) == expected


def test_help_is_that_of_the_fields():
    shown = {parameter.name: parameter.help for parameter in typer.main.get_command(say_app).params[1:]}
    for record in (RenderOptions, Controls):
        for entry in entries(record):
            if entry.option.command:
                assert shown[entry.name].startswith(entry.option.meaning)
    animate = typer.main.get_command(app).get_command(None, "animate")
    text = {parameter.name: parameter.help for parameter in animate.params}
    assert text["fps"] == "Frames per second, 1..120; 25 for a portrait, a video's own if not given."
    assert text["batch"] == "Frames computed at once; by device if not given."


def test_every_help_says_where_more_is_written():
    group = typer.main.get_command(app)
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        for each in (command, *getattr(command, "commands", {}).values()):
            assert each.epilog == more(name)
    named = {path for paths in DOCS.values() for path in paths.split(", ")}
    assert all((ROOT / path).is_file() for path in named)


def test_a_command_gets_its_records_whole():
    given = []
    one = typer.Typer()

    @one.command()
    @from_records(size=256)
    def go(name: str, *, options: RenderOptions, drive: DriveOptions) -> None:
        """Go."""
        given.extend([name, options, drive])

    done = CliRunner().invoke(one, ["x", "--crop", "--absolute", "--yaw", "3", "--no-stitching"])
    assert done.exit_code == 0, done.output
    assert given == ["x", RenderOptions(size=256, crop=True), DriveOptions(relative=False, yaw=3, stitching=False)]


def test_every_option_of_the_pages_is_known():
    known = {
        spelling
        for name in ("say", "render", "animate", "serve")
        for parameter in typer.main.get_command(app).get_command(None, name).params
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(("python -m speechhead.say", "speechhead render", "speechhead animate", "speechhead serve")):
            words = line.partition(" #")[0].split()
            assert {word for word in words if word.startswith("-") and word != "-m"} <= known, line
