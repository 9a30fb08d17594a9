"""The workshop's commands: one list, one style, and every command that a page names is there with its options."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pytest
import typer
from support.paths import ROOT
from typer.testing import CliRunner

from pipelines import INSTALL, missing
from pipelines.__main__ import WIDTH, commands, listed, summary
from pipelines.command import command, spelled
from speechhead.core.errors import MediaError

CALL = re.compile(r"-m (pipelines(?:\.\w+)*)([^`\n]*)")
"""A call in a page: the module and the rest of its line."""


def calls() -> dict[str, set[str]]:
    """Options by module, of every call in pages, model cards, docstrings and errors."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "weights").glob("*.md")]
    for folder in ("pipelines", "speechhead", "server"):
        pages += [*(ROOT / folder).rglob("*.md"), *(ROOT / folder).rglob("*.py")]
    found: dict[str, set[str]] = {}
    for page in pages:
        text = re.sub(r"\\\n\s*|\n\s+(?=\[--)", " ", page.read_text(encoding="utf-8"))
        for module, rest in CALL.findall(text):
            found.setdefault(module, set()).update(re.findall(r"--[a-z-]+\b", rest.partition(" # ")[0]))
    return found


@cache
def application(module: str) -> typer.Typer:
    if module == "pipelines":
        return listed()
    home = import_module(module)
    return (import_module(f"{module}.__main__") if hasattr(home, "__path__") else home).app


def test_every_call_that_a_page_names_exists_with_its_options() -> None:
    for extra in ("torch", "onnx", "librosa"):
        pytest.importorskip(extra)
    named = calls()
    assert {"pipelines.train", "pipelines.evaluate", "pipelines.parity"} <= set(named) - {"pipelines"}
    for module, options in named.items():
        shown = CliRunner().invoke(application(module), ["--help"])
        assert shown.exit_code == 0, (module, shown.output)
        missing = options - set(re.findall(r"--[a-z-]+\b", shown.output))
        assert not missing, f"python -m {module} has no {', '.join(missing)}"


def test_every_command_stands_in_the_workshops_page() -> None:
    page = (ROOT / "pipelines" / "README.md").read_text(encoding="utf-8")
    absent = [module for module in commands().values() if f"`python -m {module}" not in page]
    assert not absent, f"pipelines/README.md does not name {', '.join(absent)}"


def test_the_list_has_a_line_for_each_and_loads_none() -> None:
    code = "import sys; sys.argv[1:] = ['--help']; import runpy\n"
    code += "try: runpy.run_module('pipelines', run_name='__main__')\n"
    code += "except SystemExit: print(sorted({'torch', 'numpy', 'cv2', 'onnxruntime', 'scipy'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]"
    for name, module in commands().items():
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert line.endswith(summary(module)) and len(line) <= WIDTH


def test_the_list_runs_a_command() -> None:
    pytest.importorskip("onnx")
    shown = CliRunner().invoke(listed(), ["pack", "--help"])
    assert shown.exit_code == 0 and "--kind" in shown.output and "python -m pipelines.make.pack" in shown.output
    refused = CliRunner().invoke(listed(), ["pack", "absent.onnx", "b.onnx", "--kind", "int8"])
    assert refused.exit_code == 2 and refused.output.count("\n") == 1 and "absent.onnx" in refused.output


@dataclass(frozen=True)
class Order:
    """Options in a record."""

    clips: Annotated[list[str], typer.Argument(help="What to cut.")]
    longest: Annotated[float, typer.Option(help="Seconds.")] = 3.0
    output: Annotated[Path | None, typer.Option("-o", "--output")] = None


def serve(order: Order, context: typer.Context) -> None:
    """Cut clips."""
    if order.longest <= 0:
        raise MediaError(f"longest {order.longest:g}:\nmust be positive.")
    print(order, spelled("pipelines.cut", context))


def test_a_record_stands_for_its_options() -> None:
    done = CliRunner().invoke(command(serve), ["a b", "c", "--longest", "2"])
    assert done.exit_code == 0
    assert done.output == f"{Order(['a b', 'c'], 2.0)} python -m pipelines.cut 'a b' c --longest 2\n"


def test_an_error_of_the_project_is_one_line_and_exit_code_2() -> None:
    done = CliRunner().invoke(command(serve), ["a", "--longest", "-1"])
    assert done.exit_code == 2 and done.output == "longest -1: must be positive.\n"


def absent(name: str) -> None:
    """Imports a package."""
    import_module(name)


def test_a_package_that_a_command_imports_and_that_is_missing_is_one_line(tmp_path: Path) -> None:
    """In a process whose packages lack it, as a user calls it; all commands are in the slow test."""
    assert refused("pipelines.make.convert_mediapipe", "onnx", tmp_path) == f"the package onnx is missing. {INSTALL}\n"


def test_a_package_that_is_broken_is_one_line() -> None:
    assert missing(ValueError("x")) is None and missing(ImportError("x", name="speechhead.core")) is None
    said = missing(ImportError("libcudart.so.13: cannot open\nshared object file", name="torchaudio"))
    assert said is not None and said.startswith("the package torchaudio can not be imported (libcudart.so.13: cannot")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["onnx", "torch", "librosa", "scipy", "numba", "transformers", "matplotlib"])
def test_no_command_lacks_a_package_with_a_traceback(package: str, tmp_path: Path) -> None:
    """All commands are imported by one process; what one of them lacks has its line."""
    (tmp_path / "each.py").write_text(
        "import sys\nfrom importlib import import_module\nfrom pipelines import missing\n"
        "for name in sys.argv[1:]:\n try:\n  import_module(name)\n except ImportError as error:\n"
        "  assert missing(error), name\n  print(missing(error))\n"
    )
    done = subprocess.run(
        [sys.executable, tmp_path / "each.py", *commands().values()],
        cwd=ROOT, capture_output=True, text=True, timeout=200, env=without(package, tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) <= {f"the package {package} is missing. {INSTALL}"}


def without(package: str, folder: Path) -> dict[str, str]:
    """Variables of a process in which a package is not installed."""
    (folder / "sitecustomize.py").write_text(
        f"import sys\nclass No:\n def find_spec(self, name, *_):\n  if name.partition('.')[0] == {package!r}:\n"
        f"   raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)\nsys.meta_path.insert(0, No())\n"
    )
    paths = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths}


def refused(module: str, package: str, folder: Path) -> str:
    """What a command says on stderr where a package is not installed."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, env=without(package, folder),
    )  # fmt: skip
    assert done.returncode in (0, 2), done
    return done.stderr


def test_a_package_that_is_missing_is_one_line_and_our_own_fault_is_none() -> None:
    done = CliRunner().invoke(command(absent), ["nowhere_to_be_found.deep"])
    assert done.exit_code == 2 and done.output.startswith("the package nowhere_to_be_found is missing. Run pip install")
    assert done.output.count("\n") == 1
    done = CliRunner().invoke(command(absent), ["pipelines.nowhere"])
    assert isinstance(done.exception, ModuleNotFoundError)


def test_lines_of_a_long_run_come_through_a_pipe_at_once() -> None:
    code = (
        "import sys\nfrom pipelines.command import command\n"
        "def main() -> None:\n"
        "    print('step 500')\n"
        "    sys.stdin.readline()\n"
        "command(main)()"
    )
    words, home = [sys.executable, "-c", code], {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with subprocess.Popen(words, cwd=ROOT, env=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin is not None and run.stdout is not None
        watch = threading.Timer(20, run.kill)
        watch.start()
        assert run.stdout.readline() == "step 500\n" and run.poll() is None  # it waits: the line came before the end
        watch.cancel()
        run.communicate("\n", timeout=20)
