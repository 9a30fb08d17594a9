"""Pages tell the truth about the tree: links resolve, named functions exist, and what is told twice is the same."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import typer
from support.paths import ROOT
from typer.core import TyperGroup

from speechhead.cli.main import app
from speechhead.core.errors import SpeechheadError

ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "NOTICE")),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "pipelines").rglob("*.md"),
        *(ROOT / "weights").glob("*.md"),
        ROOT / "server" / "PROTOCOL.md",
    ]
)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"`(?P<path>[\w./-]+\.(?:py|md|json|toml|js|html|css))(?:::(?P<name>[\w.]+))?`")
FENCE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)


SNIPPET = re.compile(r"^ *```python\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
RUN = re.compile(r"python -m ((?:speechhead|pipelines|server)[\w.]*)")
OURS = ("speechhead", "speechhead_server")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[tuple[str, str, str]]:
    """(text, file, anchor) of the links of a page that lead into the repository."""
    for text, target in LINK.findall(prose(page)):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield text, file, anchor


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def names(path: Path) -> frozenset[str]:
    """What a Python file defines: functions, classes, `Class.method`, constants, and what it imports by name."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        found |= _defined(node)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for part in node.body for name in _defined(part)}
    return frozenset(found)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    return set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for text, file, anchor in links(page):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"[{text}]({file}) leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"[{text}]({file}#{anchor}): no such heading"


def test_architecture_names_files_and_functions_that_exist():
    named = 0
    for text, file, _ in links(ARCHITECTURE):
        label = CODE.fullmatch(text)
        if label is None:
            continue
        target = (ARCHITECTURE.parent / file).resolve()
        assert target.name == Path(label["path"]).name, f"{text} leads to {file}"
        if label["name"] is not None:
            assert label["name"] in names(target), f"{file} defines no {label['name']}"
            named += 1
    assert named > 60


def test_architecture_and_contributing_name_paths_from_the_root():
    for page in (ARCHITECTURE, ROOT / "CONTRIBUTING.md"):
        for code in CODE.finditer(LINK.sub("", prose(page))):
            if "/" not in code["path"] or "NAME" in code["path"]:
                continue
            path = ROOT / code["path"]
            assert path.exists(), f"{page.name}: {code[0]} is not in the repository"
            assert code["name"] is None or code["name"] in names(path), f"{page.name}: {code[0]} is not defined"


def test_architecture_has_every_room_and_the_floors_as_they_are_tested():
    text = ARCHITECTURE.read_text(encoding="utf-8")
    tree = ast.parse((ROOT / "tests" / "test_floors.py").read_text(encoding="utf-8"))
    (floors,) = (node.value for node in tree.body if isinstance(node, ast.Assign) and _defined(node) == {"FLOORS"})
    assert f"```text{ast.literal_eval(floors)}```" in text
    for roof in ("speechhead", "server/speechhead_server", "pipelines"):
        rooms = {file.parent.name for file in (ROOT / roof).glob("*/__init__.py")}
        assert rooms and all(f"`{room}/`" in text for room in rooms), f"{roof}: a room is missing in architecture.md"


def test_decisions_are_listed_and_numbered():
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("0*.md"))
    assert [name[:4] for name in records] == [f"{number + 1:04}" for number in range(len(records))]
    assert sorted(file for _, file, _ in links(folder / "README.md")) == records
    for name in records:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {int(name[:4])}. ")
        assert "**Context.**" in text and "**Tried.**" in text and "**Decision.**" in text, f"{name}: a part is missing"


def test_the_report_has_the_notes_word_for_word():
    notes = (ROOT / "docs" / "evaluation_notes.md").read_text(encoding="utf-8")
    assert notes.strip() in (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_that_a_page_runs_exist(page):
    for module in RUN.findall(page.read_text(encoding="utf-8")):
        inside = module.rstrip(".").replace(".", "/")
        places = [home / file for home in (ROOT, ROOT / "server") for file in (f"{inside}.py", f"{inside}/__main__.py")]
        assert any(place.is_file() for place in places), f"{page.name}: python -m {module}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_snippets_parse_and_import_what_there_is(page):
    text = page.read_text(encoding="utf-8")
    for snippet in [*SNIPPET.findall(text), *re.findall(r'python -c "([^"]+)"', text)]:
        tree = compile(snippet, page.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in OURS:
                for alias in node.names:
                    assert _importable(str(node.module), alias.name), f"from {node.module} import {alias.name}"


def _importable(module: str, name: str) -> bool:
    """Whether a name can be imported; True where a package that is not ours is missing for it."""
    try:
        return hasattr(import_module(module), name)
    except (ModuleNotFoundError, SpeechheadError) as error:
        missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        return isinstance(missing, ModuleNotFoundError) and str(missing.name).partition(".")[0] not in OURS


def test_tests_that_pages_name_exist():
    for page in PAGES:
        for pattern in re.findall(r"\btests/[\w./*]+", page.read_text(encoding="utf-8")):
            assert list(ROOT.glob(pattern.rstrip("./"))), f"{page.name}: {pattern} is nowhere"


def commands() -> Iterator[tuple[Path, list[str]]]:
    """Every call of the command line in a page's shell blocks, as words."""
    for page in PAGES:
        for block in re.findall(r"^ *```bash\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["speechhead"]:
                    yield page, words[1:]
                elif words[:3] == ["python", "-m", "speechhead.say"]:
                    yield page, ["say", *words[3:]]


def test_commands_and_their_options_exist():
    shown = list(commands())
    assert {words[0] for _, words in shown} >= {"say", "render", "animate", "serve", "weights", "doctor"}
    for page, words in shown:
        command, rest = typer.main.get_command(app), list(words)
        while isinstance(command, TyperGroup):
            found = command.get_command(typer.Context(command), rest.pop(0))
            assert found is not None, f"{page.name}: speechhead {' '.join(words)}"
            command = found
        known = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts}
        for word in rest:
            option = word.partition("=")[0]
            assert not re.match(r"--?[a-z]", word) or option in known, f"{page.name}: {option} of {' '.join(words)}"
