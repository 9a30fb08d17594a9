"""The parity command: fixtures of the published implementations, and fixtures made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from pipelines.judge.parity.fill import fill  # noqa: E402
from pipelines.parity import app  # noqa: E402
from speechhead.generators.families.fomm import Fomm  # noqa: E402
from speechhead.generators.families.fomm_config import FommConfig  # noqa: E402
from speechhead.generators.nets.discriminator import DiscriminatorConfig, MultiScaleDiscriminator  # noqa: E402

HOURGLASS = {"block_expansion": 3, "max_features": 8, "num_blocks": 2, "scale_factor": 0.25}
CONFIG = {
    "model": "fomm",
    "model_params": {
        "common_params": {"num_kp": 4, "num_channels": 3, "estimate_jacobian": True},
        "kp_detector_params": {**HOURGLASS, "temperature": 0.1},
        "generator_params": {
            "block_expansion": 3,
            "max_features": 8,
            "num_down_blocks": 2,
            "num_bottleneck_blocks": 1,
            "estimate_occlusion_map": True,
            "dense_motion_params": HOURGLASS,
        },
        "discriminator_params": {
            "scales": [1],
            "block_expansion": 3,
            "max_features": 8,
            "num_blocks": 2,
            "use_kp": True,
        },
    },
}
GIVEN = ("source_u8", "driving_u8", "driving_initial_u8")


def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict], str]:
    with pytest.raises(SystemExit) as end:
        app([str(folder)])
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    for line in lines:
        assert list(line) == ["model", "array", "max_abs_diff", "max_abs_ref"]
    return int(end.value.code or 0), {line["array"]: line for line in lines}, err


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fixture as the published ones are, of a network of our own."""
    from pipelines.judge.parity.fixtures import Arrays, StoredWeights
    from pipelines.judge.parity.stages import fomm

    folder = tmp_path_factory.mktemp("fomm")
    torch.manual_seed(0)
    model = Fomm(FommConfig.from_published(CONFIG))
    torch.nn.init.normal_(model.kp_detector.kp.weight, std=0.3)
    judge = MultiScaleDiscriminator(DiscriminatorConfig.from_published(CONFIG))
    state = model.state_dict() | {f"discriminator.{key}": value for key, value in judge.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    weights = StoredWeights(folder / "weights.safetensors")
    random = np.random.default_rng(0)
    io = Arrays({name: random.integers(0, 256, (2, 3, 48, 64), np.uint8) for name in GIVEN})
    io.update({f"{name}_{key}": value.numpy() for name, key, value in _motions(model, io)})
    for name, array in fomm.stages(CONFIG, weights, io):
        io[name] = array.detach().numpy()
    np.savez(folder / "io.npz", **io)
    return folder


def _motions(model: Fomm, io) -> list:
    """The keypoints that later stages are fed with."""
    model = model.eval().requires_grad_(False)
    source, driving, first = (model.motion(io.recorded(name)) for name in GIVEN)
    named = {
        "kp_source": source,
        "kp_driving": driving,
        "kp_driving_initial": first,
        "relative_adapt": model.transfer(source, driving, first),
    }
    return [(name, key, value) for name, motion in named.items() for key, value in motion.items()]


def changed(own: Path, folder: Path, change) -> Path:
    with np.load(own / "io.npz") as stored:
        io = dict(stored)
    change(io)
    for name in ("weights.safetensors", "config.json"):
        (folder / name).write_bytes((own / name).read_bytes())
    np.savez(folder / "io.npz", **io)
    return folder


def test_agreement(own: Path, capsys) -> None:
    code, lines, err = run(own, capsys)
    assert (code, err) == (0, "")
    assert len(lines) == 33 - 2  # two blocks in the discriminator where the published fixture has four
    assert max(line["max_abs_diff"] for line in lines.values()) < 1e-4


def test_a_device_that_is_not_there_is_said(own: Path, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        app([str(own), "--device", "cuda:99"])
    assert end.value.code == 2 and "device 'cuda:99'" in capsys.readouterr().err


def test_everything_is_computed_on_the_device(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's meta device mixes with the CPU as little as CUDA does; only how far keypoints spread needs numbers."""
    from pipelines.judge.parity.fixtures import find
    from pipelines.judge.parity.stages import fomm

    monkeypatch.setattr(
        "speechhead.generators.families.fomm.adaptive_scale", lambda source, first: source.new_ones(len(source), 1, 1)
    )
    (fixture,) = find(own, "meta")
    computed = dict(fomm.stages(fixture.config, fixture.weights(), fixture.arrays()))
    assert len(computed) > 20 and {array.device.type for array in computed.values()} == {"meta"}


def test_a_changed_array_is_found(own: Path, tmp_path: Path, capsys) -> None:
    def change(io) -> None:
        io["out_mask"][0, 1, 2, 3] += 0.01

    code, lines, err = run(changed(own, tmp_path, change), capsys)
    assert code == 1
    assert lines["out_mask"]["max_abs_diff"] == pytest.approx(0.01, rel=0.01)
    assert f"{tmp_path.name}/out_mask" in err
    assert lines["out_deformation"]["max_abs_diff"] < 1e-4  # other stages are not fed with it


@pytest.mark.parametrize("name", ["gen_encoded", "kp_driving_value", "source_u8"])
def test_a_missing_array_is_found(own: Path, tmp_path: Path, capsys, name: str) -> None:
    code, lines, _ = run(changed(own, tmp_path, lambda io: io.pop(name)), capsys)
    assert code == 1
    assert lines[name]["max_abs_diff"] is None


def test_an_array_that_no_stage_computes_is_found(own: Path, tmp_path: Path, capsys) -> None:
    code, lines, _ = run(changed(own, tmp_path, lambda io: io.update(surprise=np.ones(3))), capsys)
    assert code == 1
    assert lines["surprise"] == {"model": "fomm", "array": "surprise", "max_abs_diff": None, "max_abs_ref": 1.0}


def test_another_shape_or_no_number_is_a_difference(own: Path, tmp_path: Path, capsys) -> None:
    def change(io) -> None:
        io["out_mask"] = io["out_mask"][:1]
        io["relative_value"][0, 0, 0] = np.nan

    code, lines, _ = run(changed(own, tmp_path, change), capsys)
    assert code == 1
    assert lines["out_mask"]["max_abs_diff"] is None
    assert lines["relative_value"]["max_abs_diff"] is None


def test_bad_folders_are_one_clear_line(own: Path, tmp_path: Path, capsys) -> None:
    def broken(name: str, content: bytes) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        changed(own, folder, lambda io: None)
        (folder / name).write_bytes(content)
        return folder

    empty = tmp_path / "empty"
    empty.mkdir()
    wider = {**CONFIG, "model_params": {**CONFIG["model_params"], "common_params": {"num_kp": 7}}}
    folders = [
        tmp_path / "nowhere",
        empty,
        broken("io.npz", b"PK nothing"),
        broken("weights.safetensors", b"\x08\0\0\0\0\0\0\0{}"),
        broken("config.json", b"{"),
        broken("config.json", b'{"model": "who"}'),
        broken("config.json", b'{"model": "fomm"}'),
        broken("config.json", json.dumps(wider).encode()),
    ]
    for folder in folders:
        code, lines, err = run(folder, capsys)
        assert (code, lines) == (2, {}), folder
        assert err.count("\n") == 1, err
        assert str(folder) in err
        assert "Traceback" not in err


def test_weights_follow_from_names() -> None:
    shapes = {
        "first.conv.weight": (4, 3, 3, 3),
        "first.conv.bias": (4,),
        "first.norm.weight": (4,),
        "first.norm.running_mean": (4,),
        "first.norm.num_batches_tracked": (),
        "down.weight": (3, 1, 13, 13),
        "up.weight_orig": (4, 2, 3, 3),
        "up.weight_u": (4,),
        "up.weight_v": (18,),
    }
    rule = {
        "norm_modules": {"net": ["first.norm"]},
        "table": {"net/first.conv.weight": {"mul": 2.0}, "net/first.conv.bias": {"mul": 1.0, "add": [1.0, -1.0]}},
    }
    state = fill("net", shapes, rule, {"net::first.norm.running_mean": np.full(4, 0.5, np.float16)})
    assert state.keys() == shapes.keys() - {"down.weight"}
    assert state["first.conv.weight"].std() == pytest.approx(2 / np.sqrt(27), rel=0.2)
    assert state["first.conv.bias"] == pytest.approx([1, -1, 1, -1], abs=0.5)
    assert state["first.norm.running_mean"].tolist() == [0.5] * 4
    assert np.linalg.norm(state["up.weight_u"]) == pytest.approx(1)
    direction = state["up.weight_orig"].reshape(4, -1).T @ state["up.weight_u"]
    assert state["up.weight_v"] == pytest.approx(direction / np.linalg.norm(direction), abs=1e-5)


@pytest.mark.parametrize("model", ["fomm", "dagan", "facevid2vid_osfv", "facevid2vid_f2f", "liveportrait"])
def test_published_implementations(shared: Path, capsys, model: str) -> None:
    code, lines, err = run(shared / "parity" / model, capsys)
    assert code == 0, err
    with np.load(shared / "parity" / model / "io.npz") as recorded:
        assert lines.keys() <= set(recorded.files)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["fomm", "dagan", "facevid2vid_osfv", "liveportrait"])
def test_published_implementations_in_full_size(shared: Path, capsys, model: str) -> None:
    code, _, err = run(shared / "parity" / "fullsize" / model, capsys)
    assert code == 0, err
