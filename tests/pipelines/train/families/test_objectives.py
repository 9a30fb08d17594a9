"""Every family learns by its paper's losses: gradients reach what a stage trains, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from support.family_models import MODELS  # noqa: E402

from pipelines.train.config import ConfigError  # noqa: E402
from pipelines.train.families.config import FamilyTraining  # noqa: E402
from pipelines.train.families.objectives import column, reenact  # noqa: E402
from pipelines.train.families.stages.retargeting import ellipse  # noqa: E402
from pipelines.train.families.train import Trainer  # noqa: E402
from speechhead.face.landmarks import rotation_matrix  # noqa: E402

STAGES = [(family, "motion") for family in MODELS] + [("dagan", "depth"), ("liveportrait", "retargeting")]


def trainer(family: str, stage: str, **more: Any) -> Trainer:
    values = {"family": family, "model": MODELS[family], "stage": stage, "size": 64, "perceptual": "pixels"}
    values |= {"threads": 1, "discriminator": {"block_expansion": 4, "max_features": 8, "num_blocks": 2}}
    if stage != "motion":
        values["losses"] = {"adversarial": 0}
    return Trainer(FamilyTraining.from_dict(values | more))


def batch() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    names = ("source", "driver", "before", "after")
    pictures = {name: torch.rand(2, 3, 64, 64, generator=generator) for name in names}
    turn = torch.from_numpy(rotation_matrix([[5.0, 0.0, 3.0]] * 2))
    marks = torch.rand(2, 70, 3, generator=generator) - 0.5
    placed = {
        "source_rotation": turn,
        "driver_rotation": turn.mT,
        "source_landmarks": marks,
        "driver_landmarks": -marks,
    }
    return pictures | placed


@pytest.mark.parametrize(("family", "stage"), STAGES)
def test_a_step_changes_what_the_stage_trains(family: str, stage: str) -> None:
    run = trainer(family, stage)
    before = {name: value.clone() for name, value in run.family.state_dict().items()}
    values = run.update([batch()])
    assert all(map(torch.isfinite, map(torch.tensor, values.values())))
    after = run.family.state_dict()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    everything = {name for name, _ in run.family.named_children()}
    frozen = {name for name in everything if name.startswith("depth") or name == "stitching_retargeting_module"}
    wanted = {"motion": everything - frozen}.get(stage, frozen)
    assert changed == wanted
    losses = {"motion": {"perceptual", "adversarial", "matching", "critic", "equivariance_value"}}
    more = {"fomm": {"equivariance_jacobian"}, "dagan": {"equivariance_jacobian", "prior"}}
    posed = {"prior", "head_pose", "deformation"} | ({"guidance"} if family == "liveportrait" else set())
    if stage == "motion":
        assert values.keys() == losses["motion"] | more.get(family, posed)


def test_keypoints_are_learnt_before_pictures() -> None:
    run = trainer("face-vid2vid", "motion", pictures_after=1, losses={"guidance": 5})
    drawing = {name: value.clone() for name, value in run.family.generator.state_dict().items()}
    assert run.update([batch()]).keys() == {"prior", "head_pose", "deformation", "guidance"}
    assert all(torch.equal(value, drawing[name]) for name, value in run.family.generator.state_dict().items())
    assert "perceptual" in run.update([batch()])
    with pytest.raises(ConfigError, match="pictures_after"):
        FamilyTraining.from_dict({"family": "fomm", "pictures_after": 1})


@pytest.mark.parametrize("family", ["face-vid2vid", "liveportrait"])
def test_a_posed_family_reenacts_with_the_sources_canonical_keypoints(family: str) -> None:
    network = trainer(family, "motion").family.eval()
    pictures = batch()
    with torch.no_grad():
        source, driver = network.motion(pictures["source"]), network.motion(pictures["driver"])
        driving = reenact(network, source, driver)
        # Column rotations turn canonical keypoints as the family's own equation does.
        turned = driving["canonical"] @ column(network, driving).mT + driving["expression"]
        scale = driving.get("scale", torch.ones(2, 1))
        moved = scale[..., None] * turned if family == "liveportrait" else turned
        assert torch.equal(driving["canonical"], source["canonical"])
        assert torch.equal(driving["expression"], driver["expression"])
        offset = driving["value"] - moved
        assert torch.allclose(offset[..., :2], driver["translation"][:, None, :2].expand_as(offset[..., :2]), atol=1e-5)


def test_an_ellipse_covers_its_points() -> None:
    mask = ellipse(torch.tensor([[[-0.2, -0.1], [0.2, 0.1]]]), 20, 1.5)[0, 0]
    assert mask[10, 10] == 1 and mask[10, 12] == 1 and mask[0, 0] == 0 and mask[14, 10] == 0


def test_stages_stand_in_the_specs_and_have_a_module_each() -> None:
    from pipelines.train.families.objectives import objective_class
    from pipelines.train.families.overfit import CONFIGS, stages_before_motion
    from speechhead.generators.families import registry

    for family in registry.specs():
        for stage in family.stages:
            assert objective_class(stage.name).__module__.endswith(f".{stage.name}")
        for first in stages_before_motion(family.name):
            assert (CONFIGS / f"{family.name.replace('-', '_')}_{first}_small.json").is_file()
    assert stages_before_motion("dagan") == ["depth"] and stages_before_motion("liveportrait") == []
