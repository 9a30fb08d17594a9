"""The discriminator in training: what it learns, and what the generator learns of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from pipelines.train.config import from_values
from speechhead.generators.families.family import Family
from speechhead.generators.nets.discriminator import DiscriminatorConfig, Judgement, MultiScaleDiscriminator

from . import losses
from .config import FamilyTraining, Losses
from .fitting import fit


@dataclass(frozen=True)
class Gan:
    """What maker and critic learn of the critic's scores, one map for each scale: (of made), (of real, of made)."""

    maker: Callable[[Sequence[Tensor]], Tensor]
    critic: Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]


KINDS = {
    "lsgan": Gan(losses.lsgan_generator, losses.lsgan_discriminator),
    "hinge": Gan(losses.hinge_generator, losses.hinge_discriminator),
}
"""By `gan` of the config."""


class Critic(nn.Module):
    """A multi-scale discriminator, and its own loss as the forward pass."""

    def __init__(self, config: DiscriminatorConfig, gan: str = "lsgan") -> None:
        super().__init__()
        self.network = MultiScaleDiscriminator(config)
        self.gan = KINDS[gan]

    @classmethod
    def for_training(cls, options: FamilyTraining, family: Family) -> Critic:
        """As `discriminator` of the config says, for this family's keypoints.

        Raises
        ------
        ConfigError for fields that are unknown or of the wrong type.
        """
        given = {"num_kp": getattr(family.config, "num_kp", 10)} | options.discriminator
        return cls(from_values(DiscriminatorConfig, given, "discriminator"), options.gan)

    def judge(self, image: Tensor, keypoints: Tensor) -> list[Judgement]:
        """Scores and features of pictures [B, 3, H, W] that show keypoints [B, K, 2 or 3]."""
        return self.network(image, keypoints[..., :2])

    def forward(self, real: Tensor, made: Tensor, keypoints: Tensor) -> Tensor:
        """Its own loss."""
        scores = [
            [judgement.realness for judgement in self.judge(image, keypoints)]
            for image in (fit(real, made.shape[-1]), made)
        ]
        return self.gan.critic(*scores)


def adversarial_losses(
    critic: Critic, real: Tensor, made: Tensor, keypoints: Tensor, weights: Losses
) -> dict[str, Tensor]:
    """The generator's weighted losses: the score of what it made, and features matched to the real picture's."""
    critic.requires_grad_(False)
    judged, wanted = critic.judge(made, keypoints), critic.judge(fit(real, made.shape[-1]), keypoints)
    critic.requires_grad_(True)
    found = {"adversarial": weights.adversarial * critic.gan.maker([j.realness for j in judged])}
    if weights.matching:
        features = losses.feature_matching([j.features for j in judged], [j.features for j in wanted])
        found["matching"] = weights.matching * features
    return found
