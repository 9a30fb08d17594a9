"""Families by name, and configs that survive a file."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from support.paths import ROOT

from speechhead.core import weights
from speechhead.core.errors import WeightsError
from speechhead.generators.checkpoints import imported
from speechhead.generators.checkpoints.stored import FORMAT, VERSION, config_from_json
from speechhead.generators.families.registry import canonical, is_form, names


def test_names():
    assert canonical("face_vid2vid") == canonical(" Face-Vid2Vid ") == "face-vid2vid"
    assert {"fomm", "face-vid2vid", "dagan", "liveportrait"} <= set(names())
    assert is_form("face-vid2vid-f2f", "face-vid2vid") and not is_form("face-vid2vid", "face-vid2vid-f2f")
    with pytest.raises(WeightsError, match="'gan' is unknown. Use one of .*fomm"):
        canonical("gan")


def test_the_table_needs_no_torch():
    code = "import sys, speechhead.core.weights, speechhead.cli.main, speechhead.generators.families.registry as r"
    code += "; r.specs(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.split() == ["False"], done.stderr


def test_without_torch_there_is_one_clear_line():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from speechhead.generators.families.registry import family\n"
        "try: family('fomm')\nexcept ValueError as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "DeviceError" in done.stdout and "pip install 'speechhead[train]'" in done.stdout, done.stderr


TOLD_WITHOUT_TORCH = """
import io, json, sys
from contextlib import redirect_stderr
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from speechhead.cli.main import main

sys.modules["torch"] = None
home, metadata = Path(sys.argv[1]), json.loads(sys.argv[2])
orders = {"say": ["say", "Hello.", "-o", "a.mp4"], "animate": "animate -s grace_hopper -d none.mp4 -o a.mp4".split()}
said = []

def ask(command, family):
    sys.argv = ["speechhead", *orders[command], "--generator", family]
    told = io.StringIO()
    try:
        with redirect_stderr(told):
            main()
    except SystemExit as end:
        said.append((command, family, end.code, told.getvalue()))

for command in orders:
    ask(command, "nosuch")
    ask(command, "liveportrait")
save_file({"a": np.zeros(1, np.float32)}, home / "fomm.safetensors", metadata)
ask("say", "fomm")
save_file({"a": np.zeros(1, np.float32)}, home / "fomm.latents.safetensors")
ask("say", "fomm")
ask("animate", "fomm")
print(json.dumps(said))
"""
"""What the command line says in a process of its own, where there is no torch: orders with ever more weights."""


def test_what_torch_would_not_cure_is_said_before_torch(tmp_path):
    home = {**os.environ, weights.USER_FOLDER: str(tmp_path), "PYTHONPATH": str(ROOT)}
    metadata = json.dumps({"format": FORMAT, "version": VERSION, "family": "fomm", "config": "{}"})
    words = [sys.executable, "-c", TOLD_WITHOUT_TORCH, str(tmp_path), metadata]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=home, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert all(code == 2 and told.count("\n") == 1 for *_, code, told in said), said
    assert [(command, family) for command, family, *_ in said] == [
        *((command, family) for command in ("say", "animate") for family in ("nosuch", "liveportrait")),
        ("say", "fomm"), ("say", "fomm"), ("animate", "fomm"),
    ]  # fmt: skip
    unknown, absent = "'nosuch' is unknown. Use one of compact, ", "no weights here. Run `speechhead weights pull live"
    mute, bare = "can not speak yet: fomm.latents.safetensors is missing", "needs torch, which is not installed. pip in"
    for (*_, told), wanted in zip(said, (unknown, absent, unknown, absent, mute, bare, bare), strict=True):
        assert wanted in told


@pytest.mark.parametrize("name", names())
def test_every_config_survives_json(name):
    pytest.importorskip("torch")
    from speechhead.generators.families.registry import config_class, family

    config = config_class(name).full_size()
    assert is_form(family(name).name, name)
    assert config_from_json(type(config), json.loads(json.dumps(dataclasses.asdict(config)))) == config
    with pytest.raises(WeightsError, match="more: no such field"):
        config_from_json(type(config), {"more": 1})


def test_user_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv(weights.USER_FOLDER, raising=False)
    assert weights.user_folder() == tmp_path / "speechhead" / "weights"
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "mine"))
    assert weights.user_folder() == tmp_path / "mine"
    assert imported.imported() == {}
