"""Landmarks2Latents of the torch families: driving landmarks, what was before them and what is heard with them, to any
generator's keypoints (SPACE, sec. 3.2)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from speechhead.core.arrays import Array
from speechhead.core.errors import LandmarkError, WeightsError
from speechhead.core.outputs import replaced
from speechhead.core.typed import FieldError, from_json
from speechhead.core.weights import read_metadata
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.surroundings import SOUND_ROWS, Surroundings

from .crops import crop_pose
from .family import Family, Motion

FORMAT = "speechhead landmarks2latents"
"""Metadata entry 'format' of a weight file."""


@dataclass(frozen=True)
class LatentsConfig:
    """Sizes of the network, and what it belongs to; stored in the weight file.

    family : name of the generator family, as in `registry.names`
    latent : D, numbers in the family's latent
    hidden : width of the two hidden layers
    past, sound : frames before a frame whose landmarks are read, and frames of sound up to it; 0 in files of before
    guided : so many of the portrait's keypoints are landmarks, and lie where the tracker sees those
    """

    family: str
    latent: int
    hidden: int = 256
    past: int = 0
    sound: int = 0
    guided: int = 0

    @property
    def surroundings(self) -> Surroundings:
        """What faces have to carry."""
        return Surroundings(self.past, self.sound)


class FamilyLatents(nn.Module):
    """latent = source latent + linear(motion) + mlp(motion, portrait) - mlp(0, portrait).

    Motion is what the landmarks do relative to the portrait's own, seen twice: in normalised space (expression) and
    posed in the crop (where keypoints of FOMM and DaGAN live), with the change of the pose itself; and, squeezed, how
    they came there and what is heard. A portrait that stays as it is, in silence, gives exactly its own latent.
    """

    MOTION = 210 + 210 + 9 + 3 + 1
    PORTRAIT = 210 + 9 + 3 + 1
    AROUND = 48
    """Numbers that past and sound are squeezed into."""

    def __init__(self, config: LatentsConfig) -> None:
        super().__init__()
        self.config = config
        around = context_width(config.surroundings)
        self.around = nn.Linear(around, self.AROUND, bias=False) if around else None
        moved = self.MOTION + (self.AROUND if around else 0)
        self.linear = nn.Linear(moved, config.latent, bias=False)
        last = nn.Linear(config.hidden, config.latent)
        self.mlp = nn.Sequential(
            nn.Linear(moved + self.PORTRAIT + config.latent, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.hidden),
            nn.GELU(),
            last,
        )
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(last.weight)
        # Latents of one generator differ in size from number to number; the fit is on comparable ones.
        self.register_buffer("centre", torch.zeros(config.latent))
        self.register_buffer("spread", torch.ones(config.latent))

    centre: Tensor
    spread: Tensor

    def forward(self, motion: Tensor, portrait: Tensor, source: Tensor) -> Tensor:
        """Latents [B, D] from motion [B, 433] and portrait [B, 223] (see `motion_features`), source latents [B, D].

        Behind the motion come the `context_features`, if the network reads any.
        """
        if self.around is not None:
            motion = torch.cat([motion[:, : self.MOTION], self.around(motion[:, self.MOTION :])], 1)
        face = torch.cat([portrait, (source - self.centre) / self.spread], 1)
        bend = self.mlp(torch.cat([motion, face], 1)) - self.mlp(torch.cat([torch.zeros_like(motion), face], 1))
        return source + self.spread * (self.linear(motion) + bend)

    @torch.no_grad()
    def latent(
        self,
        normalised: Array,
        poses: Pose | Sequence[Pose],
        source_normalised: Array,
        source_pose: Pose,
        source_latent: Tensor,
        size: float,
    ) -> Tensor:
        """Driving latents for one portrait.

        Parameters
        ----------
        normalised : float32 [B, 70, 3], or with the rows of `config.surroundings`; driving landmarks in normalised
            space, of the portrait's proportions
        poses : one driving head pose, or B of them, in pixels of the portrait's crop
        source_normalised, source_pose : the portrait's own
        source_latent : float32 [1, D]; `Family.to_latent` of the portrait's motion
        size : side of the square crop in which the poses are, px

        Returns
        -------
        float32 [B, D] for `Family.from_latent`; the portrait's own where the landmarks and the pose are

        Raises
        ------
        LandmarkError if shapes or counts do not fit.
        """
        driving, before, sound = self.config.surroundings.split(normalised)
        poses = [poses] * len(driving) if isinstance(poses, Pose) else list(poses)
        if len(poses) != len(driving):
            raise LandmarkError(f"{len(poses)} poses for {len(driving)} frames. Give one pose, or one for each frame.")
        still, own = stack([source_normalised], [crop_pose(source_pose, size)])
        moved, turned = stack(driving, [crop_pose(pose, size) for pose in poses])
        motion, portrait = motion_features(moved, turned, still, own)
        motion = torch.cat([motion, context_features(moved, torch.from_numpy(before), torch.from_numpy(sound))], 1)
        device = self.spread.device
        many = portrait.to(device).expand(len(motion), -1)
        return self(motion.to(device), many, source_latent.to(device).expand(len(motion), -1))

    def drive(
        self,
        family: Family,
        source: Motion,
        normalised: Array,
        poses: Pose | Sequence[Pose],
        source_normalised: Array,
        source_pose: Pose,
        size: float,
    ) -> Motion:
        """Driving motion of a portrait, ready for `Family.render`; arguments as in `latent`."""
        with torch.no_grad():
            latents = self.latent(normalised, poses, source_normalised, source_pose, family.to_latent(source), size)
            many = {key: value.expand(len(latents), *value.shape[1:]) for key, value in source.items()}
            return family.from_latent(latents, many)

    def save(self, path: str | Path, **notes: str) -> Path:
        """Write weights and config to safetensors, replacing an older file in one step."""
        from safetensors import SafetensorError
        from safetensors.torch import save

        path = Path(path)
        metadata = {"format": FORMAT, "config": json.dumps(dataclasses.asdict(self.config)), **notes}
        state = {key: value.detach().cpu().contiguous() for key, value in self.state_dict().items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replaced(path, WeightsError) as part:
                part.write_bytes(save(state, metadata))  # safetensors' own files are their owner's alone
        except (OSError, SafetensorError) as error:
            reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
            raise WeightsError(f"{path}: can not be written ({reason}). Choose another place.") from error
        return path

    @classmethod
    def open(cls, path: str | Path, family: str | None = None) -> FamilyLatents:
        """The network in a weight file, ready to run.

        Parameters
        ----------
        path : safetensors written by `save` (`python -m pipelines.train landmarks2latents --generator ...`)
        family : the family that it must belong to, or None

        Raises
        ------
        WeightsError if the file is missing, damaged, of another kind or another family.
        """
        from safetensors.torch import load_file

        metadata = read_metadata(path)
        if metadata.get("format") != FORMAT:
            raise WeightsError(
                f"{path}: no Landmarks2Latents. Fit one, in a checkout: python -m pipelines.train landmarks2latents."
            )
        try:
            network = cls(from_json(LatentsConfig, json.loads(metadata["config"])))
            network.load_state_dict(load_file(str(path)))
        except (KeyError, TypeError, ValueError, RuntimeError, ArithmeticError, FieldError) as error:
            reason = " ".join(str(error).split())[:100]
            raise WeightsError(f"{path}: does not fit its own config ({reason}). Fit it anew.") from error
        broken = [key for key, value in network.state_dict().items() if not torch.isfinite(value).all()]
        if broken:
            raise WeightsError(f"{path}: {broken[0]} has NaN or infinity. Its training diverged: fit it anew.")
        if family is not None and network.config.family != family:
            raise WeightsError(
                f"{path}: Landmarks2Latents of {network.config.family}, not of {family}. Fit one for {family}."
            )
        return network.eval().requires_grad_(False)


def context_width(surroundings: Surroundings) -> int:
    """Numbers of `context_features`."""
    return 210 * surroundings.past + 3 * SOUND_ROWS * surroundings.sound


def context_features(driving: Tensor, before: Tensor, sound: Tensor) -> Tensor:
    """How driving landmarks [B, 70, 3] came from those before [B, past, 70, 3], and sound [B, 48 * sound], [B, C]."""
    return torch.cat([10 * (before - driving[:, None]).flatten(1), sound], 1)


Placement = tuple[Tensor, Tensor, Tensor]
"""Rotation [B, 3, 3], translation [B, 3] and scale [B] of heads in crop units."""


def stack(normalised: Sequence[Array] | Array, poses: Sequence[Pose]) -> tuple[Tensor, Placement]:
    """Landmarks [B, 70, 3] and poses in crop units as tensors."""
    landmarks = torch.from_numpy(np.stack([np.asarray(one, np.float32) for one in normalised]))
    rotation = torch.from_numpy(np.stack([np.asarray(pose.rotation, np.float32) for pose in poses]))
    translation = torch.from_numpy(np.stack([np.asarray(pose.translation, np.float32) for pose in poses]))
    return landmarks, (rotation, translation, torch.tensor([float(pose.scale) for pose in poses]))


def motion_features(
    driving: Tensor, driving_pose: Placement, source: Tensor, source_pose: Placement
) -> tuple[Tensor, Tensor]:
    """What `FamilyLatents` reads.

    Parameters
    ----------
    driving, source : float32 [B, 70, 3]; normalised landmarks; one source for all, or one each
    driving_pose, source_pose : in crop units

    Returns
    -------
    motion [B, 433], zero where nothing moves, and portrait [B, 223] (of one source, [1, 223])
    """

    seen = driving.new_tensor([1.0, 1.0, 0.0])  # a head's depth has no origin that a picture shows

    def posed(landmarks: Tensor, pose: Placement) -> Tensor:
        return pose[2][:, None, None] * (landmarks @ pose[0].mT) + (pose[1] * seen)[:, None]

    batch, one = len(driving), len(source)
    # Factors bring every group to the order of one: lips move a tenth of the eyes' distance.
    motion = torch.cat(
        [
            10 * (driving - source).reshape(batch, -1),
            5 * (posed(driving, driving_pose) - posed(source, source_pose)).reshape(batch, -1),
            3 * (driving_pose[0] - source_pose[0]).reshape(batch, -1),
            5 * (driving_pose[1] - source_pose[1]) * seen,
            5 * (driving_pose[2] / source_pose[2]).log()[:, None],
        ],
        1,
    )
    shape = 5 * (source - torch.from_numpy(REFERENCE).to(source)).reshape(one, -1)
    place = [3 * source_pose[0].reshape(one, -1), source_pose[1] * seen, source_pose[2][:, None]]
    portrait = torch.cat([shape, *place], 1)
    return motion, portrait
