"""What a user gets from `pip install`: a light base, weights and portraits inside, names that are ours alone."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from support.paths import ROOT

from speechhead.core import weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

WHEEL = "hatchling.builders.wheel"
TRAP = "raise SystemExit('a file of the working folder was run')\n"
COMMANDS = [
    ["speechhead.say", "--help"],
    ["speechhead", "avatars"],
    ["speechhead", "doctor"],
    ["speechhead", "serve", "--help"],
]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_base_install_is_light():
    base = " ".join(PROJECT["dependencies"]).lower()
    assert not any(heavy in base for heavy in ("torch", "tensorflow", "scipy", "librosa", "cuda", "onnxruntime-gpu"))


def test_nothing_brings_a_second_onnxruntime():
    """It would write the folder of the first: what is installed last runs, and CUDA goes without a word."""
    asked = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    assert [line for line in [*PROJECT["dependencies"], *asked] if re.match(r"onnxruntime[-_]", line)] == []


def test_promised_extras_are_there():
    assert {"gpu", "train", "server", "dev", "align", "voices"} <= set(PROJECT["optional-dependencies"])


def test_shipped_avatars_have_pictures_voices_and_terms():
    folder = ROOT / "speechhead" / "avatar" / "portraits"
    table = json.loads((folder / "avatars.json").read_text(encoding="utf-8"))
    assert table["default"] in [avatar["name"] for avatar in table["avatars"]]
    for avatar in table["avatars"]:
        assert (folder / avatar["file"]).is_file()
        assert avatar["voice"] and avatar["licence"] and avatar["credit"]
        assert avatar["file"] in (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_readme_has_the_blocks_that_users_and_ci_run():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = (block.split("```")[0] for block in readme.split("```bash\n")[1:3])
    assert "pip install ." in first and "python -m speechhead.say" in first
    assert "<!-- tests -->\n```bash\n" + second in readme and "pytest" in second


def test_wheel_carries_weights_cards_and_portraits(tmp_path):
    builder = pytest.importorskip(WHEEL).WheelBuilder
    (wheel,) = builder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    for name, weight in weights.manifest().items():
        assert {f"speechhead/_weights/{name}", f"speechhead/_weights/{weight.card}"} <= names
    assert "speechhead/_weights/manifest.json" in names
    assert {"speechhead/avatar/portraits/avatars.json", "speechhead/avatar/portraits/grace_hopper.jpg"} <= names
    assert {
        "speechhead/face/topology.npz",
        "speechhead_server/http/app.py",
        "speechhead_server/client/index.html",
    } <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"speechhead", "speechhead_server"}
    assert {"speechhead/py.typed", "speechhead_server/py.typed"} <= names


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A working folder with files that are called as rooms of the checkout."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("server", "pipelines"):
        (folder / f"{name}.py").write_text(TRAP)
    return folder


def run(*command: object, cwd: Path, **environment: str) -> str:
    """What a command prints; its words are told where it fails."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env={**given, **environment}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_files_of_the_working_folder_are_not_taken_for_ours(command, trapped):
    if "serve" in command:
        pytest.importorskip("fastapi")
    path = os.pathsep.join(str(home) for home in (ROOT, ROOT / "server"))
    assert run(sys.executable, "-m", *command, cwd=trapped, PYTHONPATH=path)


@pytest.mark.slow
def test_the_wheel_alone_speaks_from_any_folder(trapped, tmp_path):
    """In a new environment that has the packages of this one, but of Speechhead nothing except the wheel."""
    (wheel,) = pytest.importorskip(WHEEL).WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    home = tmp_path / "environment"
    venv.create(home, symlinks=os.name != "nt")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    (own / "packages.pth").write_text(sysconfig.get_path("purelib"))  # which come after what the wheel brings

    where = "import speechhead, speechhead_server; print(speechhead.__file__, speechhead_server.__file__)"
    assert all(Path(file).is_relative_to(own) for file in run(python, "-c", where, cwd=tmp_path).split())
    absent = "from importlib.util import find_spec; print([find_spec(name) for name in ('pipelines', 'server')])"
    assert run(python, "-c", absent, cwd=tmp_path).strip() == "[None, None]"
    for command in COMMANDS:
        assert run(python, "-m", *command, cwd=trapped)
        assert command[0] != "speechhead" or run(python.with_name("speechhead"), *command[1:], cwd=trapped)
    run(python, "-m", "speechhead.say", "Hello.", "--voice", "joe", "--size", "128", "-o", "hello.mp4", cwd=trapped)
    assert (trapped / "hello.mp4").stat().st_size > 10_000


PACKAGES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "piper": "piper-tts",
    "pi_heif": "pi-heif",
    "yaml": "pyyaml",
    "pipecat": "pipecat-ai",
    "livekit": "livekit-agents",
    "jwt": "pyjwt",
    "opentelemetry": "opentelemetry-api",
    "c2pa": "c2pa-python",
}
"""Modules that are not called as the package which brings them."""

EXTRAS = {
    "speechhead": {"voices", "gpu", "hub", "align", "train", "ray", "c2pa"},
    "server": {"server", "livekit", "pipecat", "otel", "listen"},
    "pipelines": {"listen", "train"},
    "tests": {"dev", "livekit", "pipecat", "ray", "otel"},
}
"""Extras, besides the base, that a folder may import from."""

OURS = {"speechhead", "speechhead_server", "server", "pipelines", "support"}
CHECKERS = {"typing_extensions"}  # which type checkers bring
SYSTEM = {"gi", "schemathesis"}  # of another Python, which alone runs the file that needs it


def package(name: str) -> str:
    """A package as it is looked up: letters in one case, and one kind of dash."""
    return name.lower().replace("-", "_")


def declared(extras: set[str]) -> set[str]:
    """Packages of the base and of some extras, and of the extras that these name."""
    wanted = PROJECT["dependencies"] + sum((PROJECT["optional-dependencies"][extra] for extra in extras), [])
    found = set()
    for requirement in wanted:
        name, inner = re.match(r"([\w.-]+)(?:\[([\w,]+)\])?", requirement).groups()
        found |= declared(set(inner.split(","))) if name == PROJECT["name"] else {package(name)}
    return found


def imports(path: Path) -> set[str]:
    """First names of all modules that a file imports, relative ones aside."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
    return {name.split(".")[0] for name in found}


@pytest.mark.parametrize("folder", EXTRAS)
def test_every_package_that_is_imported_is_declared(folder):
    known = declared(EXTRAS[folder]) | sys.stdlib_module_names | OURS | CHECKERS | SYSTEM
    found = {(path.name, name) for path in (ROOT / folder).rglob("*.py") for name in imports(path)}
    assert {(path, name) for path, name in found if package(PACKAGES.get(name, name)) not in known} == set()
