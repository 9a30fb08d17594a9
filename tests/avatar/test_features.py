"""An avatar keeps each generator's features for itself: by the object, not by its family's name."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from support.fakes import FakeGenerator

from speechhead.avatar.portrait import Avatar


class Tinted(FakeGenerator):
    """Its one weight shows in its features."""

    def __init__(self, weight: int) -> None:
        super().__init__()
        self.weight = np.uint8(weight)

    def prepare(self, crop: Any, mesh: Any) -> Any:
        return super().prepare(crop, mesh) // 2 + self.weight


@dataclass
class Unhashable:
    """Compared by value, as a user's generator may be."""

    family: str = "fake"
    size: int = 128
    read: list[int] = field(default_factory=list, compare=False)

    def prepare(self, crop: Any, mesh: Any) -> Any:
        self.read.append(1)
        return crop.copy()


@pytest.fixture
def avatar() -> Avatar:
    return Avatar.default(128)


def test_generators_of_one_family_have_their_own_features(avatar: Avatar) -> None:
    one, other = Tinted(1), Tinted(90)
    for generator in (one, other, one, other):
        assert (avatar.source(generator) == avatar.crop // 2 + generator.weight).all()
    assert (one.prepared, other.prepared) == (1, 1)
    assert avatar.source(one) is avatar.source(one)


def test_the_same_weights_twice_are_two_generators(avatar: Avatar) -> None:
    first, second = Tinted(7), Tinted(7)
    assert (avatar.source(first) == avatar.source(second)).all()
    assert avatar.source(first) is not avatar.source(second) and second.prepared == 1
    alike = Unhashable(), Unhashable()
    assert alike[0] == alike[1] and avatar.source(alike[0]) is not avatar.source(alike[1])
    assert avatar.source(alike[0]) is avatar.source(alike[0]) and alike[0].read == [1]


def test_features_go_with_their_generator(avatar: Avatar) -> None:
    kept = Tinted(3)
    avatar.source(kept)
    for weight in range(50):  # a new one often lies where the last one lay, and has its id
        passing = Tinted(weight)
        gone = weakref.ref(avatar.source(passing))
        assert (avatar.source(passing) == avatar.crop // 2 + passing.weight).all()
        del passing
        assert gone() is None and len(avatar._features) == 1
    assert kept.prepared == 1 and avatar.source(kept) is avatar.source(kept)


def test_a_generator_keeps_no_avatar() -> None:
    generator, portrait = Tinted(3), Avatar.default(128)
    features, there = weakref.ref(portrait.source(generator)), weakref.ref(portrait)
    gc.disable()  # they go at once, not when cycles are looked for
    try:
        del portrait
        assert there() is None and features() is None
    finally:
        gc.enable()


def test_copies_and_files_have_none(avatar: Avatar, tmp_path: Any) -> None:
    generator = Tinted(5)
    wanted = avatar.source(generator)
    loaded = Avatar.load(avatar.save(tmp_path / "me.avatar"))
    for number, other in enumerate((loaded, pickle.loads(pickle.dumps(avatar)), copy.deepcopy(avatar))):
        assert len(other._features) == 0
        assert (other.source(generator) == wanted).all() and generator.prepared == 2 + number
    assert avatar.source(generator) is wanted


def test_two_dagans_draw_different_pictures(avatar: Avatar) -> None:
    torch = pytest.importorskip("torch")
    from support.small_families import small

    from speechhead.generators.driven import DrivenGenerator
    from speechhead.generators.families.latents import FamilyLatents, LatentsConfig

    def driven(seed: int) -> DrivenGenerator:
        model = small("dagan", seed)
        size = model.to_latent(model.motion(torch.rand(1, 3, model.image_size, model.image_size))).shape[1]
        latents = FamilyLatents(LatentsConfig("dagan", size, 16)).requires_grad_(False)
        latents.linear.weight.normal_(std=0.05)
        return DrivenGenerator(model, latents, avatar.size)

    def drawn(portrait: Avatar, generator: DrivenGenerator) -> Any:
        spoken = portrait.neutral.copy()
        spoken[55:60, 1] += 0.2  # at rest both draw the portrait itself
        return generator.render(portrait.source(generator), spoken, portrait.pose)

    generators = [driven(0), driven(1)]
    alone = [drawn(Avatar.default(128), generator) for generator in generators]
    together = [drawn(avatar, generator) for generator in generators]
    assert (alone[0] != alone[1]).any()
    assert all((a == b).all() for a, b in zip(alone, together))
