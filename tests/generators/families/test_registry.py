"""Families by name, and configs that survive a file."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file
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


@pytest.mark.parametrize("command", ["say Hello. -o a.mp4", "animate -s grace_hopper -d none.mp4 -o a.mp4"])
def test_what_torch_would_not_cure_is_said_before_torch(command, tmp_path):
    def said(name):
        code = "import sys; sys.modules['torch'] = None\nfrom speechhead.cli.main import main\nmain()"
        home = {**os.environ, weights.USER_FOLDER: str(tmp_path), "PYTHONPATH": str(ROOT)}
        words = [sys.executable, "-c", code, *command.split(), "--generator", name]
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=home, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    assert "'nosuch' is unknown. Use one of compact, " in said("nosuch")
    assert "no weights here. Run `speechhead weights pull liveportrait`" in said("liveportrait")
    metadata = {"format": FORMAT, "version": VERSION, "family": "fomm", "config": "{}"}
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "fomm.safetensors", metadata)
    if command.startswith("say"):
        assert "can not speak yet: fomm.latents.safetensors is missing" in said("fomm")
        save_file({"a": np.zeros(1, np.float32)}, tmp_path / "fomm.latents.safetensors")
    assert "needs torch, which is not installed. pip install" in said("fomm")


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
