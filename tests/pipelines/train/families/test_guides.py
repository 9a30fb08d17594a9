"""Keypoints that are landmarks."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from pipelines.train.config import ConfigError  # noqa: E402
from pipelines.train.families.config import FamilyTraining  # noqa: E402
from speechhead.generators.families.family import Family  # noqa: E402
from speechhead.generators.families.guides import GUIDES, placed  # noqa: E402
from speechhead.generators.nets.nearest import LIPS  # noqa: E402


class Plain:
    """What of a family `placed` asks for."""

    moved_to = Family.moved_to


def test_keypoints_are_put_where_their_landmarks_are() -> None:
    marks = torch.rand(2, 70, 3)
    motion = {"value": torch.zeros(2, 30, 2), "jacobian": torch.ones(2, 30, 2, 2)}
    value = placed(Plain(), motion, marks, 12)["value"]
    assert torch.equal(value[:, :12], marks[:, GUIDES[:12], :2]) and not value[:, 12:].any()
    one = placed(Plain(), motion, marks, 99, first=1)
    assert torch.equal(one["value"][0, : len(GUIDES)], marks[0, GUIDES, :2]) and not one["value"][1].any()
    assert one["jacobian"] is motion["jacobian"] and not motion["value"].any()


def test_no_landmark_guides_two_keypoints() -> None:
    assert len(set(GUIDES)) == len(GUIDES) == 22
    assert tuple(number for number, mark in enumerate(GUIDES) if mark in range(61, 68) and mark != 64) == LIPS


def test_what_is_taught_must_be_guided() -> None:
    with pytest.raises(ConfigError, match=r"taught needs keypoints that are landmarks\. Set losses\.guidance\."):
        FamilyTraining.from_dict({"family": "fomm", "taught": 0.5})
