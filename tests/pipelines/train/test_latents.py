"""Landmarks2Latents' trainer: what is missed of landmarks is spread, and rounded mouths are found."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from pipelines.train import latents  # noqa: E402
from pipelines.train.config import ConfigError  # noqa: E402
from pipelines.train.latents import LatentsNetwork, LatentsTraining, along_skin, narrowest, spreading  # noqa: E402
from pipelines.train.run_files import claimed  # noqa: E402
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_70  # noqa: E402


def test_zero_motion_gives_zero_and_landmarks_are_met() -> None:
    torch.manual_seed(0)
    network = LatentsNetwork(LatentsTraining(hidden=16, basis=8)).eval()
    shape, motion = torch.randn(2, 210) * 0.1, torch.randn(2, 210) * 0.1
    with torch.no_grad():
        assert network(torch.zeros(2, 210), shape).abs().max() == 0
        delta = network(motion, shape).reshape(2, 478, 3)
    np.testing.assert_allclose(delta[:, MESH_TO_70], motion.reshape(2, 70, 3), atol=0.01)


def test_the_place_between_two_landmarks_of_a_lip_goes_along_with_them() -> None:
    weights = spreading(0.25)
    moved = np.zeros(70, np.float32)
    moved[[56, 57]] = 1  # vertices 405 and 17; 314 lies between them
    shares = weights @ moved
    assert 0.7 < shares[314] < 1.1
    assert abs(shares[33]) < 0.05, "an eye's corner stays"


def test_lips_are_apart_along_the_skin() -> None:
    ways = along_skin()
    straight = float(np.linalg.norm(MESH_REFERENCE[13] - MESH_REFERENCE[14]))
    assert ways[13, 14] > 5 * straight
    assert ways[13, 14] == ways[14, 13]


def test_the_narrowest_tenth_is_found() -> None:
    clip = np.zeros((20, 478, 3), np.float32)
    clip[:, 291, 0] = 0.6
    clip[[4, 11], 291, 0] = 0.4, 0.3
    assert sorted(narrowest(clip).tolist()) == [4, 11]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config of a tiny network on two short clips, whose export is left out."""
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        mesh = (MESH_REFERENCE + 0.02 * rng.standard_normal((12, 478, 3))).astype(np.float32)
        np.savez(tmp_path / "data" / f"{name}.npz", mesh=mesh, index=np.arange(12), normalised=mesh)
        np.save(tmp_path / "data" / f"{name}.npy", np.zeros((12, 8, 8, 3), np.uint8))
    monkeypatch.setattr(latents, "export", lambda network, path: path.touch())
    monkeypatch.setattr(latents, "TELL", 3)
    file = tmp_path / "config.json"
    values = {"data": str(tmp_path / "data"), "hidden": 8, "basis": 4, "batch": 16, "steps": 6}
    file.write_text(json.dumps(values | {"output": str(tmp_path / "out")}))
    return file


def weights(config: Path) -> dict[str, bytes]:
    file = Path(json.loads(config.read_text())["output"]) / "checkpoint.safetensors"
    return {name: value.numpy().tobytes() for name, value in load_file(file).items()}


def test_a_run_that_is_stopped_and_goes_on_ends_in_the_same_bits(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latents.main(config)
    whole, output = weights(config), config.parent / "out"
    learn, steps = latents.LatentsLearner.learn, []

    def interrupted(learner: latents.LatentsLearner) -> float:
        steps.append(learner.step)
        if len(steps) == 4:
            os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C, in the middle of a step
        return learn(learner)

    monkeypatch.setattr(latents.LatentsLearner, "learn", interrupted)
    latents.main(config)
    assert steps == [0, 1, 2, 3] and weights(config) != whole, "what was learnt is kept"
    latents.main(config, resume=output / "resume.pt")
    assert steps == [0, 1, 2, 3, 4, 5] and weights(config) == whole


def test_what_is_no_state_of_the_run_is_one_line(config: Path) -> None:
    latents.main(config)
    output = config.parent / "out"
    with pytest.raises(ConfigError, match=r"checkpoint.safetensors: not a state of this run .*Use its own resume.pt"):
        latents.main(config, resume=output / "checkpoint.safetensors")
    (output / "cut.pt").write_bytes((output / "resume.pt").read_bytes()[:2000])
    with pytest.raises(ConfigError, match="not the state of a training"):
        latents.main(config, resume=output / "cut.pt")
    torch.save({"step": 3}, output / "other.pt")
    with pytest.raises(ConfigError, match="not a state of this run"):
        latents.main(config, resume=output / "other.pt")
    config.write_text(config.read_text().replace('"basis": 4', '"basis": 5'))
    with pytest.raises(ConfigError, match="not a state of this run") as caught:
        latents.main(config, resume=output / "resume.pt")
    assert "\n" not in str(caught.value)


def test_a_folder_is_one_runs_alone_and_no_clips_are_said(config: Path) -> None:
    with claimed(config.parent / "out"), pytest.raises(ConfigError, match="another training writes here"):
        latents.main(config)
    for clip in (config.parent / "data").glob("*.npz"):
        clip.unlink()
    with pytest.raises(ConfigError, match="no clips here"):
        latents.main(config)


def test_a_disk_that_is_full_leaves_the_older_state(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latents.main(config)
    state = config.parent / "out" / "resume.pt"
    older = state.read_bytes()

    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")  # what torch says

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ConfigError, match=r"resume.pt: can not be written .*Make room there") as caught:
        latents.main(config)
    assert "\n" not in str(caught.value) and state.read_bytes() == older
    assert not list(state.parent.glob(".*"))
