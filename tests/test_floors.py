"""The house: every module has a floor, imports go down only, nothing goes in circles, and a file is one idea.

`FLOORS` is the table that docs/architecture.md quotes.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

FLOORS = """
speechhead.core
speechhead.audio speechhead.media
speechhead.engines
speechhead.face
speechhead.speech speechhead.motion speechhead.tts
speechhead.generators.protocol speechhead.generators.nets
speechhead.generators.families speechhead.generators.compact
speechhead.generators.checkpoints
speechhead.generators.lent_mouth
speechhead.generators.driven
speechhead.generators.open
speechhead.avatar
speechhead.render
speechhead.api
speechhead
speechhead.batch speechhead.bench
speechhead.cli
speechhead.say speechhead.__main__
speechhead_server.core
speechhead_server.stage
speechhead_server.voice speechhead_server.rtc speechhead_server.uploads
speechhead_server.live speechhead_server.offline
speechhead_server.talk
speechhead_server.agents speechhead_server.http
pipelines
pipelines.command
pipelines.data pipelines.make
pipelines.judge
pipelines.train
pipelines.evaluate pipelines.parity
pipelines.__main__
"""
"""From the bottom up, a floor a line. A room imports itself and the floors below, not its neighbours."""

LONGEST = 400
"""Lines of a file; more are two ideas."""

HOMES = {"speechhead": ROOT, "speechhead_server": ROOT / "server", "pipelines": ROOT}
FLOOR = {room: floor for floor, line in enumerate(FLOORS.split("\n")) for room in line.split()}


def named(path: Path, home: Path) -> str:
    return ".".join(path.relative_to(home).with_suffix("").parts).removesuffix(".__init__")


FILES = {named(path, home): path for name, home in HOMES.items() for path in sorted((home / name).rglob("*.py"))}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in FILES.items()}


def room(module: str) -> str:
    """The longest name in the table that a module is in; a package's own `__init__` belongs to a room of its name."""
    parts = module.split(".")
    inside = [".".join(parts[:count]) for count in range(len(parts), 1, -1)]
    return next((name for name in inside if name in FLOOR), module)


def imported(module: str) -> Iterator[str]:
    """Modules of the house that a file imports: at its head, in functions and for type checkers alike."""
    package = module.split(".") if FILES[module].name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(TREES[module]):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [inner if (inner := f"{base}.{alias.name}") in FILES else base for alias in node.names]
        yield from (name for name in names if name in FILES and name != module)


ARROWS = {module: set(imported(module)) for module in FILES}


def test_every_module_has_a_floor():
    empty = {"speechhead.generators", "speechhead_server"}
    assert [module for module in FILES if room(module) not in FLOOR and module not in empty] == []
    assert all(not TREES[package].body[1:] for package in empty), "nothing but a docstring where there is no floor"
    assert set(FLOOR) == {room(module) for module in FILES} - empty


def test_imports_go_down():
    """So no two rooms can import each other, either."""
    arrows = [(above, below) for above, targets in ARROWS.items() for below in targets if room(above) != room(below)]
    wrong = [f"{above} -> {below}" for above, below in arrows if FLOOR.get(room(below), -1) >= FLOOR[room(above)]]
    assert wrong == []


def test_the_library_stands_alone_and_the_server_leaves_the_workshop_alone():
    packages = {(above.split(".")[0], below.split(".")[0]) for above, targets in ARROWS.items() for below in targets}
    assert {pair for pair in packages if len(set(pair)) == 2} <= {
        ("speechhead_server", "speechhead"),
        ("pipelines", "speechhead"),
    }


def test_no_circle_of_files():
    left = {module: set(targets) for module, targets in ARROWS.items()}
    while done := {module for module, targets in left.items() if not targets & left.keys()}:
        left = {module: targets for module, targets in left.items() if module not in done}
    assert left == {}, "each of these imports another of them"


@pytest.mark.parametrize("kind", ["py", "js", "css", "html"])
def test_files_are_short(kind):
    paths = [
        path for folder in ("speechhead", "server", "pipelines", "tests") for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    long = {
        str(path): count for path in paths if (count := len(path.read_text(encoding="utf-8").splitlines())) >= LONGEST
    }
    assert long == {}


def test_a_class_name_stands_once_in_library_and_server():
    classes = Counter(
        node.name
        for module, tree in TREES.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not module.startswith("pipelines")
    )
    assert {name: count for name, count in classes.items() if count > 1} == {}
