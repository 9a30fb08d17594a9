"""The families' trainer on a made-up clip: weights that open, exact resume, many processes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.paths import ROOT  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from pipelines.train.__main__ import app  # noqa: E402
from pipelines.train.config import ConfigError  # noqa: E402
from pipelines.train.families.average import Average  # noqa: E402
from pipelines.train.families.caching import load_family_clips  # noqa: E402
from pipelines.train.families.config import FamilyTraining, Losses  # noqa: E402
from pipelines.train.families.critic import Critic, adversarial_losses  # noqa: E402
from pipelines.train.families.data import FamilyPairs, Sway, batches, widest  # noqa: E402
from pipelines.train.families.sources import FamilyClip  # noqa: E402
from pipelines.train.families.train import Trainer, train  # noqa: E402
from speechhead.core.errors import MediaError  # noqa: E402
from speechhead.face.landmarks import REFERENCE  # noqa: E402
from speechhead.generators.checkpoints import stored  # noqa: E402
from speechhead.generators.nets.discriminator import DiscriminatorConfig  # noqa: E402
from speechhead.media.writer import VideoWriter  # noqa: E402

MODEL = {
    "num_kp": 3,
    "image_size": 32,
    "kp_detector": {"block_expansion": 4, "max_features": 8, "num_blocks": 2},
    "generator": {
        "block_expansion": 4,
        "max_features": 8,
        "num_down_blocks": 1,
        "num_bottleneck_blocks": 1,
        "estimate_occlusion_map": True,
        "dense_motion_params": {"block_expansion": 4, "max_features": 8, "num_blocks": 2},
    },
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one video of a bright square that moves over a dark ground."""
    folder = tmp_path_factory.mktemp("clips")
    with VideoWriter(folder / "square.mp4", 32, 32, 25) as writer:
        for number in range(12):
            frame = np.full((32, 32, 3), 40, np.uint8)
            frame[8:20, 2 + number : 14 + number] = (220, 180, 120)
            writer.write(frame)
    return folder


def options(clip: Path, output: Path, **changes: Any) -> FamilyTraining:
    values: dict[str, Any] = {
        "family": "fomm",
        "model": MODEL,
        "clips": str(clip),
        "cache": str(clip / "cache"),
        "output": str(output),
        "size": 32,
        "batch": 2,
        "steps": 4,
        "threads": 1,
        "workers": 0,
        "perceptual": "pixels",
        "discriminator": {"block_expansion": 4, "max_features": 8, "num_blocks": 2},
        "shown": 1,
        "save_every": 100,
        "sheet_every": 100,
    }
    return FamilyTraining.from_dict(values | changes)


def same(a: Any, b: Any) -> bool:
    """Whether two nested states are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_a_run_writes_weights_that_open_a_log_and_a_sheet(clip: Path, tmp_path: Path) -> None:
    weights = train(options(clip, tmp_path))
    family = stored.open_family(weights, "fomm")
    assert family.config.num_kp == 3
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    wanted = {"perceptual", "adversarial", "matching", "equivariance_value", "equivariance_jacobian", "critic"}
    assert lines[-1]["step"] == 4 and wanted <= lines[-1].keys()
    assert (tmp_path / "sheet_000004.png").stat().st_size > 500
    assert not list(tmp_path.glob(".*"))


def test_a_run_that_was_stopped_ends_in_the_same_bits(clip: Path, tmp_path: Path) -> None:
    through, halves = tmp_path / "through", tmp_path / "halves"
    train(options(clip, through, accumulate=2))
    trainer = Trainer(options(clip, halves, accumulate=2))
    pairs = FamilyPairs(load_family_clips(clip, 32, clip / "cache"))
    stream = batches(pairs, 2)
    for _ in range(2):
        trainer.update([next(stream), next(stream)])
    halves.mkdir()
    trainer.save(halves)
    torch.rand(7)  # random numbers drawn elsewhere do not matter
    train(options(clip, halves, accumulate=2), resume=halves / "resume.pt")
    first, second = (torch.load(folder / "resume.pt", weights_only=True) for folder in (through, halves))
    assert first.pop("config") != second.pop("config")
    assert same(first, second)


@pytest.fixture(scope="module")
def people(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same video of two people, of whom one is held out."""
    folder = tmp_path_factory.mktemp("people")
    for name in ("ada", "bob"):
        (folder / f"{name}.mp4").symlink_to(clip / "square.mp4")
    (folder / "catalog.csv").write_text("file,identity,split\nada.mp4,Ada,train\nbob.mp4,Bob,val\n")
    return folder


def test_the_loss_of_held_out_people_is_told_and_changes_nothing(people: Path, tmp_path: Path, capsys: Any) -> None:
    told, silent = tmp_path / "told", tmp_path / "silent"
    values = {"cache": str(people / "cache"), "accumulate": 1, "gan": "hinge"}
    train(options(people, told, save_every=1, judged=3, **values))
    train(options(people, silent, save_every=100, judged=3, **values))
    lines = [json.loads(line) for line in (told / "validation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert {"perceptual", "l1", "equivariance_value"} <= lines[0].keys() and "adversarial" not in lines[0]
    assert 0 < lines[-1]["l1"] < 1 and len({line["l1"] for line in lines}) > 1
    assert "held out: step 4 " in capsys.readouterr().out
    first, second = (torch.load(folder / "resume.pt", weights_only=True) for folder in (told, silent))
    assert same({**first, "config": 0}, {**second, "config": 0})


def test_the_critic_learns_by_hinge_or_by_squares() -> None:
    critics = {}
    for gan in ("lsgan", "hinge"):
        torch.manual_seed(0)
        critics[gan] = Critic(DiscriminatorConfig(block_expansion=4, max_features=8, num_blocks=2), gan)
    real, made, points = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), torch.zeros(2, 3, 2)
    squares, hinge = (critics[gan](real, made, points) for gan in ("lsgan", "hinge"))
    scores = [critics["hinge"].judge(image, points)[0].realness for image in (real, made)]
    assert torch.isclose(hinge, (1 - scores[0]).relu().mean() + (1 + scores[1]).relu().mean())
    assert torch.isclose(squares, (1 - scores[0]).pow(2).mean() + scores[1].pow(2).mean())
    learnt = {
        gan: adversarial_losses(critic, real, made, points, Losses(adversarial=2)) for gan, critic in critics.items()
    }
    assert torch.isclose(learnt["hinge"]["adversarial"], -2 * scores[1].mean())
    assert torch.isclose(learnt["lsgan"]["adversarial"], 2 * (1 - scores[1]).pow(2).mean())
    assert FamilyTraining.read(ROOT / "pipelines" / "configs" / "face_vid2vid.json").gan == "hinge"


def test_a_damaged_or_foreign_state_is_one_clear_error(clip: Path, tmp_path: Path) -> None:
    trainer = Trainer(options(clip, tmp_path))
    (tmp_path / "torn.pt").write_bytes(b"PK\x03\x04 torn")
    torch.save({"step": 1}, tmp_path / "foreign.pt")
    for name in ("torn.pt", "foreign.pt"):
        with pytest.raises(ConfigError, match=name):
            trainer.load(tmp_path / name)


def test_minutes_end_a_run(clip: Path, tmp_path: Path) -> None:
    train(options(clip, tmp_path, steps=10_000), minutes=0.01)
    steps = torch.load(tmp_path / "resume.pt", weights_only=True)["step"]
    assert 1 <= steps < 10_000


def test_half_precision_learns_finite_weights(clip: Path, tmp_path: Path) -> None:
    weights = train(options(clip, tmp_path, precision="bf16", steps=2))
    assert all(torch.isfinite(p).all() for p in stored.open_family(weights).parameters())


def test_the_average_follows_slower_and_slower() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    average = Average(network, 0.5)
    torch.nn.init.ones_(network.weight)
    average.update(network)
    assert average.family.weight.item() == pytest.approx(0.9)  # decay 1/10 at first
    for _ in range(20):
        average.update(network)
    torch.nn.init.constant_(network.weight, 3.0)
    average.update(network)
    assert average.family.weight.item() == pytest.approx(2.0, abs=1e-3)


def test_batches_depend_on_their_number_alone(clip: Path) -> None:
    pairs = FamilyPairs(load_family_clips(clip, 32, clip / "cache"))
    stream = batches(pairs, 4)
    next(stream)
    second, again = next(stream), next(batches(pairs, 4, start=1))
    assert all(torch.equal(second[name], again[name]) for name in second)
    halves = [next(batches(pairs, 2, start=1, rank=rank, world=2)) for rank in range(2)]
    assert torch.equal(torch.cat([half["driver"] for half in halves]), second["driver"])


def test_configs_are_checked(clip: Path, tmp_path: Path) -> None:
    assert options(clip, tmp_path, losses={"pixels": 2}).losses == Losses(
        pixels=2, adversarial=1, equivariance_value=10, equivariance_jacobian=10
    )
    for wrong in ({"lr": 1}, {"losses": {"magic": 1}}, {"stage": "depth"}, {"precision": "int3"}, {"gan": "w"}):
        with pytest.raises(ConfigError):
            options(clip, tmp_path, **wrong)
    with pytest.raises(MediaError, match="no videos"):
        load_family_clips(tmp_path, 32, tmp_path / "cache")


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines" / "configs").glob("*.json")), ids=lambda path: path.stem)
def test_shipped_configs_of_families_build(path: Path) -> None:
    if "family" not in json.loads(path.read_text(encoding="utf-8")):
        pytest.skip("another trainer's")
    read = FamilyTraining.read(path)
    assert read.network().image_size > 0


def test_the_command_line_names_clips_and_output_for_a_config(clip: Path, tmp_path: Path) -> None:
    values = dataclasses.asdict(options(tmp_path / "none", tmp_path / "nowhere", steps=1, cache=str(clip / "cache")))
    (tmp_path / "config.json").write_text(json.dumps(values))
    call = ["generator", "--config", str(tmp_path / "config.json"), "--clips", str(clip), "-o", str(tmp_path / "run")]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "fomm.safetensors").is_file() and not (tmp_path / "nowhere").exists()


def test_the_command_line_finds_the_families_trainer(clip: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"family": "fomm", "model": MODEL, "clips": str(tmp_path), "typo": 1}))
    result = CliRunner().invoke(app, ["generator", "--config", str(config)])
    assert result.exit_code == 2 and "typo" in result.output and "Traceback" not in result.output


def test_two_processes_learn_what_one_learns_with_twice_the_passes(people: Path, tmp_path: Path) -> None:
    """And read the clips together. Running statistics of BatchNorm alone differ: they are the first process's."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.mp4").symlink_to(people / "ada.mp4")
    (folder / "broken.mp4").write_bytes(b"no film")
    (folder / "catalog.csv").write_text("file,split\n" + "".join(f"{n}.mp4,train\n" for n in (0, 1, 2, "broken")))
    alone, together = tmp_path / "alone", tmp_path / "together"
    values = dataclasses.asdict(options(folder, together, batch=1, cache=str(tmp_path / "cache")))
    (tmp_path / "config.json").write_text(json.dumps(values))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "pipelines.train", "generator", "--config", str(tmp_path / "config.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "to learn from: 3 clips, 3 people" in done.stdout and "1 of 4 clips can not be used" in done.stdout
    train(options(folder, alone, batch=1, accumulate=2, cache=str(tmp_path / "cache")))
    first, second = (torch.load(run / "resume.pt", weights_only=True) for run in (together, alone))
    assert first["step"] == second["step"] == 4
    learnt = [key for key in first["objective"] if "running_" not in key and "num_batches" not in key]
    for part, keys in (("objective", learnt), ("critic", first["critic"])):
        for key in keys:
            assert torch.allclose(first[part][key], second[part][key], atol=1e-6), key
    fresh = Trainer(options(folder, tmp_path / "fresh")).objective.state_dict()
    assert max((first["objective"][key] - fresh[key]).abs().max() for key in learnt) > 1e-4


def test_swayed_marks_stay_on_their_picture() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[20:23, 40:43] = 255
    mark = np.array([[(41 + 0.5) / 32 - 1, (21 + 0.5) / 32 - 1, 0]], np.float32)
    for number in range(5):
        sway = Sway.random(np.random.default_rng(number), 0.2)
        rows, columns = np.nonzero(sway.image(image)[..., 0] > 60)
        seen = (np.array([columns.mean(), rows.mean()]) + 0.5) / 32 - 1
        assert np.abs(sway.marks(mark)[0, :2] - seen).max() < 0.03
        assert np.abs(seen - mark[0, :2]).max() > 0.03
        assert np.allclose(sway.roll @ sway.roll.T, np.eye(3), atol=1e-6)


def test_drivers_are_drawn_from_the_widest_mouths() -> None:
    faces = np.repeat(REFERENCE[None], 10, 0)
    faces[:, 65:68, 1] += np.linspace(0, 0.3, 10, dtype=np.float32)[:, None]
    track = {"normalised": faces, "landmarks": faces, "rotation": np.repeat(np.eye(3, dtype=np.float32)[None], 10, 0)}
    frames = np.repeat(np.arange(10, dtype=np.uint8)[:, None, None, None], 8, 1).repeat(8, 2).repeat(3, 3)
    clip = FamilyClip("wide", frames, track, np.arange(9))  # the last one has no face
    assert sorted(widest(clip)) == [7, 8]
    wide, any_of_them = (FamilyPairs([clip], augment=False, opened=share) for share in (1.0, 0.0))
    rows = [int(round(float(wide[number]["driver"].max()) * 255)) for number in range(12)]
    assert set(rows) == {7, 8}
    assert len({float(any_of_them[number]["driver"].max()) for number in range(12)}) > 3
