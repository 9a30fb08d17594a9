"""Commands of other packages: a broken one breaks neither the help nor ours, and ours keeps its name."""

from __future__ import annotations

import importlib.metadata
import signal
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoints
from pathlib import Path

import pytest
from support.plugins import package

from speechhead.cli import main as cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The command `speechhead`: exit code, stdout, stderr."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("COLUMNS", "300")

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["speechhead", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code, *capsys.readouterr()

    yield command
    signal.signal(signal.SIGTERM, before)


BROKEN = {
    "absent": ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    "value": ("raise ValueError('no [such] key')", "ValueError: no [such] key"),
    "syntax": ("def broken(:\n", "SyntaxError"),
    "exits": ("raise SystemExit('no display')", "SystemExit: no display"),
    "none": ("command = None", "TypeError: no function but NoneType"),
    "typed": ("def command(x: int | str) -> None: ...", "Union"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_command_is_not_available(kind: str, run: Run, tmp_path: Path) -> None:
    code, reason = BROKEN[kind]
    with package(tmp_path, f"juggle_{kind}", code, cli.COMMANDS, "juggle", "command"):
        status, out, err = run("--help")
        (line,) = [line for line in out.splitlines() if "juggle" in line and "Not available" in line]
        assert (status, err) == (0, "") and reason in line and "doctor" in out
        for arguments in (("juggle", "--balls", "3", "now"), ("juggle", "--help")):
            status, out, err = run(*arguments)
            assert (status, out, err.count("\n")) == (2, "", 1), err
            assert reason in err and f"package 'juggle_{kind}'" in err and "speechhead[server]" not in err


def test_an_unknown_option_leads_to_the_help_of_its_own_command(run: Run) -> None:
    status, out, err = run("say", "Hello.", "--yaw", "10")
    assert (status, out) == (2, "") and err == "No such option: --yaw. Try 'speechhead say --help'.\n"


def test_a_command_that_works_runs(run: Run, tmp_path: Path) -> None:
    code = "def command(balls: int = 2) -> None: print(balls)"
    with package(tmp_path, "juggle_well", code, cli.COMMANDS, "juggle", "command"):
        assert run("juggle", "--balls", "3") == (0, "3\n", "")
        assert "Did you mean 'juggle'?" in run("jugle")[2]


@pytest.mark.parametrize("name", ["serve", "voices"])
def test_a_command_of_ours_is_not_replaced(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = "def command() -> None:\n    '''Steal.'''\n    print('stolen')"
    with (
        package(tmp_path, "speechhead", "def command() -> None:\n    print('ours')", cli.COMMANDS, "serve", "command"),
        package(tmp_path, f"thief_{name}", theirs, cli.COMMANDS, name, "command"),
    ):
        status, out, err = run("--help")
        assert status == 0 and "Steal" not in out and sum(f" {name} " in line for line in out.splitlines()) == 1
        assert err == f"note: command '{name}' of package 'thief_{name}' left out: it is speechhead's.\n"
        assert "stolen" not in run(name, "--help")[1]


def test_serve_without_metadata_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "entry_points", lambda **_: EntryPoints(()))
    cli.joined.cache_clear()
    before = set(sys.modules)
    for arguments in (("serve",), ("serve", "--port", "1"), ("serve", "--help")):
        status, out, err = run(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert "pip install 'speechhead[server]'" in err and "pip install -e '.[server]'" in err
    status, out, _ = run("--help")
    assert status == 0 and "pip install -e '.[server]'" in out
    status, _, err = run("srve")
    assert status == 2 and "No such command 'srve'. Did you mean 'serve'?" in err
    assert not {module for module in set(sys.modules) - before if module.startswith("speechhead_server")}
    cli.joined.cache_clear()


def test_serve_is_ours_even_where_it_is_not_installed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.metadata.entry_points
    theirs = "def command() -> None:\n    print('stolen')"
    with package(tmp_path, "thief_alone", theirs, cli.COMMANDS, "serve", "command"):
        alone = EntryPoints(entry for entry in found(group=cli.COMMANDS) if entry.value.startswith("thief"))
        monkeypatch.setattr(cli, "entry_points", lambda **_: alone)
        status, out, err = run("serve")
    assert (status, out) == (2, "") and "pip install 'speechhead[server]'" in err
    assert "note: command 'serve' of package 'thief_alone' left out" in err


def test_our_own_command_comes_from_our_own_distribution() -> None:
    names = {entry.dist.name for entry in importlib.metadata.entry_points(group=cli.COMMANDS, name="serve")}
    assert names <= {cli.OWN}
