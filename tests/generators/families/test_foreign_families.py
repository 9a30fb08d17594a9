"""Families of broken packages are left out with one note, and names that are taken stay with their first owner."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.plugins import package

from speechhead.cli import main as cli
from speechhead.core import weights
from speechhead.core.errors import WeightsError
from speechhead.generators.checkpoints.imported import find_generator
from speechhead.generators.checkpoints.stored import FORMAT
from speechhead.generators.families import registry

GOOD = """
from speechhead.generators.families.spec import FamilySpec
SPEC = FamilySpec(name="moth", model="no_such_module:Moth", parts={"moth": "moth"}, marks=("moth",))
"""

BROKEN = {
    "value": ("raise ValueError('no such key')", "ValueError: no such key"),
    "syntax": ("def broken(:\n", "SyntaxError"),
    "exits": ("raise SystemExit('no display')", "SystemExit: no display"),
    "absent": ("import no_such_module", "No module named 'no_such_module'"),
    "none": ("SPEC = None", "no FamilySpec but of type NoneType"),
    "text": ("SPEC = 'hello'", "no FamilySpec but of type str"),
    "module": ("import json as SPEC", "no FamilySpec but of type module"),
    "partless": (GOOD.replace('{"moth": "moth"}', "None"), "has a field of the wrong kind"),
    "optional": (GOOD.replace("marks=", "options=dict, marks="), "has a field of the wrong kind"),
    "renamed": (GOOD.replace('name="moth"', 'name="wasp"'), "is the spec of 'wasp'"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_package_is_one_note(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code, reason = BROKEN[kind]
    with package(tmp_path, f"moth_{kind}", code, registry.GROUP, "moth", "SPEC"):
        for _ in range(2):
            known = {family.name for family in registry.specs()}
            assert "fomm" in known and not known & {"moth", "wasp"}
        with pytest.raises(WeightsError) as told:
            registry.spec("moth")
    (note,) = caplog.messages
    assert note == str(told.value) and "family 'moth'" in note and f"'moth_{kind}'" in note and reason in note


def test_a_broken_family_that_is_asked_for_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    arguments = ["weights", "import", str(tmp_path / "moth_asked.py"), "--family", "moth"]
    monkeypatch.setattr(sys, "argv", ["speechhead", *arguments])
    with (
        package(tmp_path, "moth_asked", "SPEC = 'hello'", registry.GROUP, "moth", "SPEC"),
        pytest.raises(SystemExit) as done,
    ):
        cli.main()
    signal.signal(signal.SIGTERM, before)
    out, err = capsys.readouterr()
    assert (done.value.code, out, err.count("\n")) == (2, "", 1), err


def test_a_network_that_does_not_import_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with (
        package(tmp_path, "moth_network", GOOD, registry.GROUP, "moth", "SPEC"),
        pytest.raises(WeightsError, match="family 'moth': no_such_module:Moth can not be imported"),
    ):
        registry.family("moth")


def test_weights_of_a_broken_family_do_not_block_those_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path))
    for file, family in (("first", "fomm"), ("a", "moth"), ("z", "moth")):
        metadata = {"format": FORMAT, "family": family, "config": json.dumps({})}
        save_file({"x": np.zeros(1, np.float32)}, tmp_path / f"{file}.safetensors", metadata)
    with package(tmp_path, "moth_beside", "import no_such_module", registry.GROUP, "moth", "SPEC"):
        assert find_generator("fomm") == tmp_path / "first.safetensors"
        assert not registry.is_form("moth", "fomm") and registry.is_form("moth", "moth")
    assert len(caplog.messages) == 1 and "no_such_module" in caplog.text


def test_a_taken_name_stays_with_its_owner(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fomm = GOOD.replace("moth", "fomm")
    # A folder that is put on the path later comes first.
    with (
        package(tmp_path, "moth_second", GOOD, registry.GROUP, "Moth", "SPEC"),
        package(tmp_path, "moth_first", GOOD, registry.GROUP, "moth", "SPEC"),
        package(tmp_path, "moth_fomm", fomm, registry.GROUP, "FOMM", "SPEC"),
    ):
        assert [name for name in registry.names() if name.lower() in ("moth", "fomm")] == ["fomm", "moth"]
        assert caplog.messages == []
        for _ in range(2):
            specs = {family.name: family for family in registry.specs()}
        assert specs["fomm"].model == "speechhead.generators.families.fomm:Fomm"
        assert registry.entries()["moth"].value == "moth_first:SPEC"
    assert sorted(caplog.messages) == [
        "family 'FOMM' of package 'moth_fomm' left out: speechhead.generators.families.fomm_spec:SPEC has that name.",
        "family 'Moth' of package 'moth_second' left out: moth_first:SPEC has that name.",
    ]


def test_names_are_compared_in_one_form(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = GOOD.replace('name="moth"', 'name="Night_Moth"')
    with package(tmp_path, "moth_night", code, registry.GROUP, "night_moth", "SPEC"):
        assert registry.spec("Night-Moth").name == "night-moth" and "night-moth" in registry.names()
        assert registry.is_form("Night_Moth", "night-moth")
    assert caplog.messages == []
