"""What a training's config says that can not be is one line, whatever record it stands in."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("torch")

from pipelines.train.compact.learner import CompactTraining
from pipelines.train.config import ConfigError, read
from pipelines.train.families.config import FamilyTraining
from pipelines.train.latents import LatentsTraining

WRONG = [
    ({"steps": -1}, "steps: -1 is out of range, 1 is the least"),
    ({"steps": 0}, "steps: 0 is out of range"),
    ({"batch": "8"}, "batch: '8' is not a whole number"),
    ({"batch": True}, "batch: True is not a whole number"),
    ({"learning_rate": float("nan")}, "learning_rate: nan is not a finite number"),
    ({"learning_rate": float("inf")}, "learning_rate: inf is not a finite number"),
    ({"learning_rate": -1e-3}, "learning_rate: -0.001 is out of range, 0 is the least"),
    ({"seed": -4}, "seed: -4 is out of range"),
    ({"output": 3}, "output: 3 is not"),
    ({"setps": 3}, "setps: no such field"),
]


@pytest.mark.parametrize(("values", "said"), WRONG)
def test_every_trainer_refuses_numbers_that_can_not_be(values: dict[str, object], said: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    readers: list[Callable[[Path], object]] = [
        partial(read, LatentsTraining),
        CompactTraining.read,
        FamilyTraining.read,
    ]
    for reads in readers:
        file.write_text(json.dumps(values | ({"family": "fomm"} if reads == FamilyTraining.read else {})))
        with pytest.raises(ConfigError) as caught:
            reads(file)
        assert said in str(caught.value) and "\n" not in str(caught.value) and "See " in str(caught.value)


def test_numbers_within_lists_and_records_are_looked_at(tmp_path: Path) -> None:
    for values, said in (
        ({"losses": {"perceptual": -1.0}}, "losses.perceptual: -1.0 is out of range"),
        ({"betas": [0.5, 1.5]}, "betas[1]: 1.5 is out of range, 1 is the most"),
        ({"ema": 2.0}, "ema: 2.0 is out of range, 1 is the most"),
    ):
        with pytest.raises(ConfigError) as caught:
            FamilyTraining.from_dict({"family": "fomm", **values})
        assert said in str(caught.value)
