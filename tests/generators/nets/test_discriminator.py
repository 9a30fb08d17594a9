"""The multi-scale discriminator, with and without keypoints."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.published import own_keys, published_keys  # noqa: E402

from speechhead.generators.nets.discriminator import DiscriminatorConfig, MultiScaleDiscriminator  # noqa: E402


def test_every_scale_gives_features_and_realness() -> None:
    config = DiscriminatorConfig(scales=(1, 0.5), block_expansion=4, max_features=12, num_blocks=3)
    judged = MultiScaleDiscriminator(config)(torch.rand(2, 3, 96, 64))
    assert [j.realness.shape for j in judged] == [(2, 1, 18, 10), (2, 1, 6, 2)]
    assert [feature.shape[1] for feature in judged[0].features] == [8, 12, 12]


def test_keypoints_are_seen_but_not_trained() -> None:
    config = DiscriminatorConfig(block_expansion=4, max_features=12, num_blocks=3, use_kp=True, num_kp=5)
    network = MultiScaleDiscriminator(config)
    keypoints = (torch.rand(1, 5, 2) - 0.5).requires_grad_()
    picture = torch.rand(1, 3, 64, 64)
    realness = network(picture, keypoints)[0].realness
    realness.sum().backward()
    assert keypoints.grad is None
    assert not torch.equal(realness, network(picture, -keypoints)[0].realness)
    with pytest.raises(ValueError, match="use_kp"):
        network(picture)


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("fomm", DiscriminatorConfig(use_kp=True)),
        ("dagan", DiscriminatorConfig(use_kp=True, num_kp=15)),
        ("facevid2vid_osfv", DiscriminatorConfig(sn=True)),
    ],
)
def test_full_size_has_the_published_keys(model: str, config: DiscriminatorConfig) -> None:
    with torch.device("meta"):
        network = MultiScaleDiscriminator(config)
    assert own_keys(network) == published_keys(model, Path())["discriminator"]
