"""How a family is trained: one JSON file, read into frozen dataclasses."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.train.config import ConfigError, from_values, read_json
from speechhead.core.errors import WeightsError
from speechhead.generators.families import registry

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
GANS = ("lsgan", "hinge")


@dataclass(frozen=True)
class Losses:
    """Weight of each loss; 0 leaves it out. `of` has the papers' weights.

    perceptual : multi-scale perceptual pyramid
    pixels : mean absolute difference; in none of the papers, helps small runs
    lips : mean absolute difference around the mouth; in none of the papers, lets small pictures speak
    adversarial, matching : of the discriminator (`gan` of the config), and matching of its features
    equivariance_value, equivariance_jacobian : under random thin-plate warps
    prior : keypoints apart, at mean depth 0.33
    head_pose : against the face tracker's rotation, per degree
    deformation : L1 of expression
    guidance : the first `guided` keypoints follow landmarks; LivePortrait's, of use to small runs of others
    """

    perceptual: float = 10.0
    pixels: float = 0.0
    lips: float = 0.0
    adversarial: float = 0.0
    matching: float = 10.0
    equivariance_value: float = 0.0
    equivariance_jacobian: float = 0.0
    prior: float = 0.0
    head_pose: float = 0.0
    deformation: float = 0.0
    guidance: float = 0.0

    @classmethod
    def of(cls, family: str) -> Losses:
        """The weights of the family's paper, as its spec has them."""
        return cls(**registry.spec(family).losses)


@dataclass(frozen=True)
class FamilyTraining:
    """Everything about a run; stored beside its weights.

    family : name as in `speechhead.generators.families.registry`
    model : 'full_size', or the family's config (of its dataclass, or `model_params` as published)
    stage : 'motion' (all but what the other stages train), or another of the family's spec
    weights : safetensors to begin from, instead of fresh weights
    clips : one video, or a folder of them, of samples of `pipelines.data.prepare` or of `pipelines.data.footage`
    validation : such a folder of people to judge by, None for those whom the catalogue of `clips` has in split val
    cache : where decoded frames and tracks are kept; output : folder of checkpoints, log and sheets
    size : side of the pictures that are learnt; input_size : of what the networks see, None for the same
    batch : pairs in one pass and process; accumulate : passes in one step
    steps : of the optimiser; milestones : fractions of them at which the learning rate is multiplied by `decay`
    clip_gradient : largest norm of the gradient, 0 for any
    pictures_after : step before which only head pose, guidance and the priors are learnt, of which steps are cheap; a
        small run's motion field would else settle for the identity while its keypoints still mean nothing
    adversarial_after : step at which the discriminator joins; discriminator : its config; gan : lsgan or hinge
    ema : decay of the averaged weights, which are what is kept; it grows from 0.1 to this
    precision : auto (bf16 or fp16 on a GPU, fp32 on a CPU), fp32, bf16, fp16
    device : auto, cpu or cuda; threads : of the CPU; workers : processes that load data, and that read clips before
    augment : mirror and recolour; sway : and shift, zoom and turn by up to as much, 0.1 being a tenth of the picture
    opened : share of pairs whose driver has the mouth wide open: most frames of speech show nothing between the lips
    perceptual : vgg19, resnet or pixels; vgg : file of VGG-19's weights
    scales, layers : of the perceptual pyramid, and the weight of each feature map
    guided : keypoints that follow landmarks under `guidance`, ten in LivePortrait's paper and 22 at most
    taught : share of pairs whose pictures are made of these landmarks, which a small detector reads too near each other
    log_every, save_every, sheet_every : in steps; shown : pairs on a sheet
    judged : pairs of held-out people, whose loss is told with every save
    """

    family: str
    model: Any = "full_size"
    stage: str = "motion"
    weights: str | None = None
    clips: str = "../shared/media"
    validation: str | None = None
    cache: str = "runs/families/cache"
    output: str = "runs/families"
    size: int = 256
    input_size: int | None = None
    batch: int = 8
    accumulate: int = 1
    steps: int = 100_000
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    milestones: tuple[float, ...] = (0.6, 0.9)
    decay: float = 0.1
    clip_gradient: float = 0.0
    pictures_after: int = 0
    adversarial_after: int = 0
    discriminator: dict[str, Any] = field(default_factory=dict)
    gan: str = "lsgan"
    ema: float = 0.999
    precision: str = "auto"
    device: str = "auto"
    threads: int = 2
    workers: int = 1
    augment: bool = True
    sway: float = 0.0
    opened: float = 0.0
    perceptual: str = "vgg19"
    vgg: str | None = None
    scales: tuple[float, ...] = (1, 0.5, 0.25, 0.125)
    layers: tuple[float, ...] = ()
    losses: Losses = field(default_factory=Losses)
    guided: int = 10
    taught: float = 0.0
    log_every: int = 50
    save_every: int = 1000
    sheet_every: int = 1000
    shown: int = 4
    judged: int = 16
    seed: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "config") -> FamilyTraining:
        """From JSON's dictionary; losses that are not named have the paper's weight.

        Raises
        ------
        ConfigError for unknown keys and values, and for values of the wrong type.
        """
        family = values.get("family")
        if not isinstance(family, str):
            wrong = f"family: {family!r:.40} is no name" if "family" in values else "no 'family'"
            raise ConfigError(f"{where}: {wrong}. Use one of {', '.join(registry.names())}.")
        try:
            family = registry.canonical(family)
        except WeightsError as error:
            raise ConfigError(f"{where}: {error}") from error
        losses = values.get("losses", {})
        if isinstance(losses, dict):
            losses = dataclasses.asdict(Losses.of(family)) | losses
        options = from_values(cls, values | {"family": family, "losses": losses}, where)
        possible = [stage.name for stage in registry.spec(family).stages]
        if options.stage not in possible:
            raise ConfigError(f"{where}: stage '{options.stage}' of {family}. Use {' or '.join(possible)}.")
        if options.pictures_after and not (options.losses.head_pose or options.losses.guidance):
            raise ConfigError(f"{where}: pictures_after needs a loss before. Set losses.guidance or losses.head_pose.")
        if options.taught and not options.losses.guidance:
            raise ConfigError(f"{where}: taught needs keypoints that are landmarks. Set losses.guidance.")
        if options.precision not in PRECISIONS:
            raise ConfigError(f"{where}: precision '{options.precision}'. Use one of {', '.join(PRECISIONS)}.")
        if options.gan not in GANS:
            raise ConfigError(f"{where}: gan '{options.gan}'. Use {' or '.join(GANS)}.")
        if options.weights is None:
            options.network(where)  # what is wrong with it is said at once
        return options

    @classmethod
    def read(cls, path: Path) -> FamilyTraining:
        """From a JSON file; ConfigError if it is none."""
        return cls.from_dict(read_json(path), str(path))

    @property
    def tracked(self) -> bool:
        """Whether landmarks of the frames are needed, whatever the stage is."""
        losses = self.losses
        return bool(losses.head_pose or losses.guidance or losses.lips or self.opened)

    def network(self, where: str = "config") -> Any:
        """The family's config dataclass; ConfigError, beginning with `where`, if `model` does not describe one."""
        kind = registry.config_class(self.family)
        if self.model == "full_size":
            return kind.full_size()
        if isinstance(self.model, dict) and "model_params" in self.model:
            try:
                return kind.from_published(self.model)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ConfigError(
                    f"{where}: model: model_params do not describe {self.family} ({error}). Take the published ones."
                ) from error
        return from_values(kind, self.model, f"{where}: model")
