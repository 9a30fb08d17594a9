"""What a user gets from `pip install`: a light base, weights and portraits inside, the promised files."""

from __future__ import annotations

import json
import sys
import zipfile

import pytest
from support.paths import ROOT

from speechhead.core import weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_base_install_is_light():
    base = " ".join(PROJECT["dependencies"]).lower()
    assert not any(heavy in base for heavy in ("torch", "tensorflow", "scipy", "librosa", "cuda", "onnxruntime-gpu"))


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
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder
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
