"""Landmarks2Latents of the families: still landmarks change nothing, the crop does not matter, talking faces fit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from pipelines.train.__main__ import app  # noqa: E402
from pipelines.train.families import latents as fitting  # noqa: E402
from pipelines.train.families.caching import load_family_clips  # noqa: E402
from pipelines.train.families.sources import FamilyClip  # noqa: E402
from speechhead.core.errors import LandmarkError, WeightsError  # noqa: E402
from speechhead.core.weights import read_metadata  # noqa: E402
from speechhead.face.landmarks import REFERENCE, Pose, rotation_matrix, to_pixels  # noqa: E402
from speechhead.generators.checkpoints import stored  # noqa: E402
from speechhead.generators.families import registry  # noqa: E402
from speechhead.generators.families.crops import crop_pose  # noqa: E402
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig  # noqa: E402
from speechhead.motion.surroundings import COEFFICIENTS, Surroundings  # noqa: E402

CONFIG = {
    "num_kp": 4,
    "image_size": 32,
    "kp_detector": {"block_expansion": 4, "max_features": 8, "num_blocks": 2},
    "generator": {
        "block_expansion": 4,
        "max_features": 8,
        "num_down_blocks": 1,
        "num_bottleneck_blocks": 1,
        "dense_motion_params": {"block_expansion": 4, "max_features": 8, "num_blocks": 2},
    },
}


def lively(latent: int = 6, **seen: int) -> FamilyLatents:
    """A network with random weights: it does move latents."""
    torch.manual_seed(0)
    network = FamilyLatents(LatentsConfig("fomm", latent, **seen)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network


def pose(yaw: float = 0, x: float = 128, scale: float = 70) -> Pose:
    return Pose.from_angles(yaw, translation=(x, 110, 5), scale=scale)


def test_the_portraits_own_landmarks_give_its_own_latent() -> None:
    network, own = lively(), torch.rand(1, 6)
    same = network.latent(REFERENCE[None], pose(12), REFERENCE, pose(12), own, 256)
    assert torch.allclose(same, own, atol=1e-6)
    moved = network.latent(REFERENCE[None] * 1.1, [pose(20)], REFERENCE, pose(12), own, 256)
    assert (moved - own).abs().max() > 0.01


def test_neither_the_crops_size_nor_the_heads_depth_matters() -> None:
    network, own = lively(), torch.rand(1, 6)
    driving = np.repeat(REFERENCE[None], 3, 0) * np.float32([1.05, 0.97, 1.0])
    small = network.latent(driving, pose(20), REFERENCE, pose(12), own, 256)

    def doubled(given: Pose, depth: float) -> Pose:
        return Pose(given.rotation, given.translation * 2 + np.float32([0, 0, depth]), given.scale * 2)

    large = network.latent(driving, [doubled(pose(20), 33)] * 3, REFERENCE, doubled(pose(12), -7), own, 512)
    assert small.shape == (3, 6) and torch.allclose(small, large, atol=1e-5)


def test_bad_arguments_are_one_clear_error() -> None:
    network, own = lively(), torch.rand(1, 6)
    with pytest.raises(LandmarkError, match=r"\[B, 70, 3\]"):
        network.latent(REFERENCE, pose(), REFERENCE, pose(), own, 256)
    with pytest.raises(LandmarkError, match="2 poses for 1"):
        network.latent(REFERENCE[None], [pose(), pose()], REFERENCE, pose(), own, 256)


def test_weights_carry_their_config(tmp_path: Path) -> None:
    network = lively()
    path = network.save(tmp_path / "some.latents.safetensors", generator="some.safetensors")
    opened = FamilyLatents.open(path, "fomm")
    assert opened.config == network.config
    arguments = (REFERENCE[None] * 1.1, pose(20), REFERENCE, pose(12), torch.ones(1, 6), 256)
    assert torch.equal(opened.latent(*arguments), network.latent(*arguments))
    with pytest.raises(WeightsError, match="of fomm, not of dagan"):
        FamilyLatents.open(path, "dagan")
    (tmp_path / "torn.safetensors").write_bytes(path.read_bytes()[:900])
    with pytest.raises(WeightsError, match=r"torn.safetensors"):
        FamilyLatents.open(tmp_path / "torn.safetensors")
    foreign = stored.save_family(registry.build("fomm", config()), tmp_path / "fomm.safetensors")
    with pytest.raises(WeightsError, match="no Landmarks2Latents"):
        FamilyLatents.open(foreign)


def test_a_network_of_before_sees_no_past_and_a_new_one_does(tmp_path: Path) -> None:
    before = lively()
    assert "around.weight" not in before.state_dict() and before.config.surroundings.rows == 0
    old = before.save(tmp_path / "old.latents.safetensors")
    metadata = {**read_metadata(old), "config": json.dumps({"family": "fomm", "latent": 6, "hidden": 256})}
    save_file(load_file(old), old, metadata)
    assert FamilyLatents.open(old).config == LatentsConfig("fomm", 6)
    new, own = lively(past=2, sound=3), torch.rand(1, 6)
    surroundings = new.config.surroundings
    faces = REFERENCE * np.float32([1, 1.05, 1]) ** np.arange(4, dtype=np.float32)[:, None, None]
    plain = new.latent(faces, pose(), REFERENCE, pose(), own, 256)
    held = np.stack([surroundings.around(face[None], np.zeros(0, np.float32))[0] for face in faces])
    assert torch.allclose(new.latent(held, pose(), REFERENCE, pose(), own, 256), plain, atol=1e-6)
    assert torch.allclose(plain[:1], own, atol=1e-6)  # still and silent: the portrait's own
    noise = np.random.default_rng(0).normal(0, 0.1, 2560).astype(np.float32)
    for carried in (surroundings.around(faces, np.zeros(0, np.float32)), surroundings.around(faces, noise)):
        moved = new.latent(carried, pose(), REFERENCE, pose(), own, 256)
        assert (moved - plain)[1:].abs().max() > 0.01
        plain = moved


def test_what_is_heard_gets_louder_and_silence_stays() -> None:
    sound = torch.zeros(3, 2 * COEFFICIENTS)
    sound[:2, 0] = 1.0
    louder = fitting.louder(sound, torch.tensor([0.5, -2.0, 0.5]))
    assert louder[0, 0] == 1.5 and louder[1, 0] == 0 and not louder[2].any() and not louder[:, 1:].any()


def test_clips_of_validation_people_are_held_out_else_every_fifth() -> None:
    clips = [talking(number, 10)[0] for number in range(6)]
    assert fitting.held_out(clips) == [True, False, False, False, False, True]
    assert fitting.held_out(clips[:4]) == [False] * 4
    talks = [fitting.Talk(**dict.fromkeys(fitting.Talk.__dataclass_fields__, torch.zeros(10, 1)))] * 4
    learnt, judged = fitting.split(talks, [False] * 4)
    assert [len(talk) for talk in (*learnt, *judged)] == [8] * 4 + [2] * 4


def test_where_a_face_is_lost_the_one_before_holds() -> None:
    clip = talking(0, 12)[0]
    clip.track["scale"][[0, 5, 6]] = np.nan
    usable = np.flatnonzero(np.isfinite(clip.track["scale"]))
    clip = dataclasses.replace(clip, usable=usable)
    faces = fitting.surrounded(clip, Surroundings(past=1))
    assert (faces[0, :70] == clip.track["normalised"][1]).all()
    assert (faces[6, 70:] == clip.track["normalised"][4]).all()


def config():
    return stored.config_from_json(registry.config_class("fomm"), CONFIG)


class Follower(torch.nn.Module):
    """A stand-in for a family: its keypoints are four of the face's landmarks, marked in the picture's first row."""

    name = "fomm"

    def __init__(self) -> None:
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def motion(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        row = (image[:, 0, 0] * 255).round().long()
        return {"value": self.table[row[:, 0] + 100 * row[:, 1]]}

    def to_latent(self, motion: dict[str, torch.Tensor]) -> torch.Tensor:
        return motion["value"].flatten(1)


def talking(number: int, frames: int = 40) -> tuple[FamilyClip, torch.Tensor]:
    """A tracked clip of a jaw that drops and a head that sways, and the keypoints of its frames [T, 4, 2]."""
    random = np.random.default_rng(number)
    shape = REFERENCE + random.normal(0, 0.01, REFERENCE.shape).astype(np.float32)
    clock = np.linspace(0, 6, frames)
    normalised = np.repeat(shape[None], frames, 0)
    normalised[:, 60:68, 1] += (0.1 * np.sin(3 * clock + number) ** 2)[:, None].astype(np.float32)
    rotation = rotation_matrix(np.stack([15 * np.sin(clock + number), 0 * clock, 4 * np.cos(clock)], -1))
    poses = [Pose(r, np.float32([130 + 5 * np.sin(c), 110, 0]), 70) for r, c in zip(rotation, clock)]
    units = [crop_pose(one, 256) for one in poses]
    landmarks = np.stack([to_pixels(n, u) for n, u in zip(normalised, units)])
    track = {
        "landmarks": landmarks,
        "normalised": normalised,
        "rotation": np.stack([u.rotation for u in units]),
        "translation": np.stack([u.translation for u in units]),
        "scale": np.float32([u.scale for u in units]),
    }
    pictures = np.zeros((frames, 8, 8, 3), np.uint8)
    ids = number * frames + np.arange(frames)
    pictures[:, 0, 0, 0], pictures[:, 0, 1, 0] = ids % 100, ids // 100
    return FamilyClip(str(number), pictures, track, np.arange(frames)), torch.from_numpy(
        landmarks[:, [30, 62, 66, 8], :2]
    )


def test_a_fit_on_talking_faces_drives_unseen_ones() -> None:
    clips = [talking(number) for number in range(6)]
    family = Follower()
    family.table = torch.cat([keypoints for _, keypoints in clips])
    network, error = fitting.fit(family, [clip for clip, _ in clips], fitting.Fitting(steps=150))
    assert network.config == LatentsConfig("fomm", 8, past=2, sound=3)
    assert error < 0.35  # of the motion; clips 0 and 5 were held out


def test_the_command_needs_weights_and_clips(tmp_path: Path) -> None:
    call = ["landmarks2latents", "--generator", str(tmp_path / "none.safetensors")]
    for arguments in (call, [*call, "--clips", str(tmp_path)], [*call, "--clips", str(tmp_path / "absent")]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2 and "Traceback" not in result.output


def test_the_command_fits_imported_weights_to_a_folder(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fitting, "LIP_SECONDS", 0.4)
    clip = shared / "media" / "GRID_s1_061d89.mp4"
    if not clip.is_file():
        pytest.skip("no clip")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / clip.name).symlink_to(clip)
    weights = stored.save_family(registry.build("fomm", config()), tmp_path / "mine.safetensors")
    done = fitting.main(str(weights), tmp_path / "clips", minutes=0.02, cache=tmp_path / "cache")
    assert done == tmp_path / "mine.latents.safetensors"
    assert "1 seen clips: lips from speech r" in capsys.readouterr().out
    network = FamilyLatents.open(done, "fomm")
    family = stored.open_family(weights)
    found = load_family_clips(tmp_path / "clips", 32, tmp_path / "cache", tracked=True)[0]
    source = family.motion(torch.from_numpy(np.array(found.frames[:1])).permute(0, 3, 1, 2).float() / 255)
    marks = found.track["normalised"]
    driving = network.drive(family, source, marks[:5], pose(), marks[0], pose(), 256)
    assert driving["value"].shape == (5, 4, 2)
    assert torch.allclose(driving["value"][:1], source["value"], atol=1e-5)


def test_the_state_that_errs_least_on_held_out_frames_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes after it: worse states, and ones whose error is no number."""
    network = lively()
    (weight,) = (value for name, value in network.named_parameters() if name == "linear.weight")
    monkeypatch.setattr(fitting, "error", lambda judged, _: judged.linear.weight.mean().item())
    best = fitting.BestLatents(network, [])
    for value in (3.0, 1.0, 2.0, float("nan")):
        torch.nn.init.constant_(weight, value)
        assert best.look() == value or np.isnan(value)
    kept, missed = best.restored()
    assert missed == 1.0 and kept is network and (weight == 1.0).all()
