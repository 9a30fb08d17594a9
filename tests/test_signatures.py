"""What a function asks for fits a reader's head, and what a module hides is hidden."""

from __future__ import annotations

import ast

import pytest
from support.paths import ROOT

MOST = 8
"""Parameters of a function; what needs more takes a record."""

TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for folder in ("speechhead", "server", "pipelines", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    asked = function.args
    names = [each.arg for each in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def test_no_function_of_library_and_server_takes_more_than_a_record_should_hold():
    found = {
        f"{path}:{node.name}": len(parameters(node))
        for path, tree in TREES.items()
        if path.startswith(("speechhead", "server"))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(parameters(node)) > MOST
    }
    assert not found


@pytest.mark.parametrize("folder", ["speechhead", "server", "pipelines", "tests"])
def test_no_private_name_is_imported_from_another_module(folder):
    found = [
        f"{path}: {alias.name}"
        for path, tree in TREES.items()
        if path.startswith(f"{folder}/")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]
    assert not found
