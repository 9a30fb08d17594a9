"""A published family driven by landmarks: speech moves it as it moves the compact generator (SPACE, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from speechhead.core.arrays import Array
from speechhead.core.stages import stage
from speechhead.engines.torch import to_pictures, to_tensor
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.generators.checkpoints.imported import find_latents
from speechhead.generators.checkpoints.open import open_model
from speechhead.generators.families.crops import FADE, resized
from speechhead.generators.families.family import Appearance, Family, Motion
from speechhead.generators.families.latents import FamilyLatents
from speechhead.generators.families.registry import spec
from speechhead.media.image import Picture, border_ramp


@dataclass(frozen=True)
class DrivenSource:
    """A portrait, prepared once: its crop, what the family's networks read off it, and its landmarks and pose."""

    crop: Picture
    appearance: Appearance
    motion: Motion
    normalised: Array
    pose: Pose


class DrivenGenerator:
    """Portrait and driving landmarks to pictures, through a family and its Landmarks2Latents.

    Parameters
    ----------
    model : family on its device
    latents : fitted to it
    size : side of the square crops; the networks see them at their own size
    """

    def __init__(self, model: Family, latents: FamilyLatents, size: int) -> None:
        self.family, self.size = model.name, size
        self.model, self._settle = model, spec(model.name).settle
        self.latents = latents.to(next(model.parameters()).device)
        self._ramp = border_ramp(size, size, FADE)[..., None]

    @classmethod
    def load(cls, name: str, size: int = 512, engine: str = "auto", device: str = "auto") -> DrivenGenerator:
        """Imported weights with the Landmarks2Latents beside them.

        Raises
        ------
        WeightsError if either is missing or does not fit; DeviceError for a device that is not there.
        """
        fitted = find_latents(name)
        model = open_model(name, None, engine, device)
        return cls(model, FamilyLatents.open(fitted, model.name), size)

    batched = True
    """A family fills its device with one call; several at once would only wait for each other."""

    @property
    def device(self) -> str:
        """Where the networks are."""
        return str(self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def native(self) -> int:
        """Side of the pictures that the family was made for; at other sizes they are scaled."""
        return self.model.image_size

    def sized(self, size: int) -> DrivenGenerator:
        """The same networks for square crops of another size."""
        return DrivenGenerator(self.model, self.latents, size)

    @torch.inference_mode()
    def prepare(self, crop: Picture, mesh: Array) -> DrivenSource:
        """Everything about a portrait that does not change from frame to frame.

        Parameters
        ----------
        crop : uint8 [S, S, 3], S = size
        mesh : float32 [478, 3]; the face mesh in crop pixels
        """
        normalised, poses = remove_pose(from_mesh(mesh)[None])
        image = to_tensor([resized(crop, self.model.image_size)], self._device)
        return DrivenSource(crop, self.model.appearance(image), self.model.motion(image), normalised[0], poses[0])

    @torch.inference_mode()
    def render(self, source: DrivenSource, normalised: Array, pose: Pose) -> Picture:
        """One frame.

        Parameters
        ----------
        source : from `prepare`
        normalised : float32 [70, 3]; driving landmarks in normalised space, of the portrait's proportions
        pose : driving head pose in crop pixels

        Returns
        -------
        uint8 [S, S, 3]; fades into the portrait at the crop's border
        """
        with stage("latents"):
            driving = self.latents.drive(
                self.model, source.motion, normalised[None], pose, source.normalised, source.pose, self.size
            )
            driving = self._settle(self.model, source.motion, driving)
        with stage("networks"):
            frame = to_pictures(self.model.render(source.appearance, source.motion, driving))[0]
        mixed = resized(frame, self.size) * self._ramp + source.crop * (1 - self._ramp)
        return np.round(mixed).astype(np.uint8)

    def render_many(self, sources: Sequence[DrivenSource], normalised: Array, poses: Sequence[Pose]) -> list[Picture]:
        """Frames of several portraits: landmarks float32 [N, 70, 3], and a source and a pose for each."""
        return [self.render(source, face, pose) for source, face, pose in zip(sources, normalised, poses)]
