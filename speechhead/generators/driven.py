"""A published family driven by landmarks: speech moves it as it moves the compact generator (SPACE, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.arrays import Array
from speechhead.core.errors import WeightsError
from speechhead.core.stages import stage
from speechhead.engines.outlet import sent
from speechhead.engines.planes import BT601, as_bytes, i420, on_device
from speechhead.engines.running import Running, within_memory
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.generators.checkpoints.imported import find_latents
from speechhead.generators.checkpoints.open import open_running
from speechhead.generators.families.crops import FADE, resized
from speechhead.generators.families.engine import FamilyDrawing, FamilyEngine, Parts
from speechhead.generators.families.family import Appearance, Drawn, Family, Motion, spread
from speechhead.generators.families.full_resolution import Rest, full_size
from speechhead.generators.families.guides import placed
from speechhead.generators.families.latents import FamilyLatents
from speechhead.generators.families.registry import spec
from speechhead.media.image import SMALLEST, Picture, border_ramp
from speechhead.motion.surroundings import Surroundings

from .lent_mouth import LentMouth, MouthLender, mended, with_inside


@dataclass(frozen=True)
class DrivenSource:
    """A portrait, prepared once: its crop, what the family's networks read off it, and its landmarks and pose.

    shown : the crop on the device, float32 [1, 3, S, S] in 0..1; latent : the family's latent of it, [1, D], on the CPU
    rest : what is drawn of it at rest, for frames of the crop's size
    mouth : what its lips are torn open over, where keypoints are landmarks
    """

    crop: Picture
    appearance: Appearance
    motion: Motion
    normalised: Array
    pose: Pose
    shown: Tensor
    latent: Tensor
    rest: Rest
    mouth: LentMouth | None = None


class DrivenGenerator:
    """Portrait and driving landmarks to pictures, through a family and its Landmarks2Latents.

    Parameters
    ----------
    model : family
    latents : fitted to it
    size : side of the square crops; the networks see them at their own size
    engine : how the family runs; in float32 where the model is, if None
    """

    batched = True
    """A family fills its device with one call; several at once would only wait for each other."""

    def __init__(self, model: Family, latents: FamilyLatents, size: int, engine: FamilyEngine | None = None) -> None:
        self.family, self.size = model.name, size
        self.engine = engine or FamilyEngine(model, Running(next(model.parameters()).device))
        self.running = self.engine.running
        self.model, self._settle = model, spec(model.name).settle
        self.latents = latents.cpu()  # small: a GPU would wait for each of its launches
        ramp = on_device(border_ramp(size, size, FADE)[None, None], self.running.device)
        self._pictures = self.engine.drawing(partial(_mixed, ramp))
        self._planes = self.engine.drawing(
            lambda drawn, beside: i420(_mixed(ramp, drawn, beside), BT601, averaged=False)
        )

    @classmethod
    def load(
        cls, name: str, size: int = 512, engine: str = "auto", running: Running | None = None, device: str = "auto"
    ) -> DrivenGenerator:
        """Imported weights with the Landmarks2Latents beside them.

        Raises
        ------
        WeightsError if either is missing or does not fit; DeviceError for a device that is not there.
        """
        fitted = find_latents(name)
        model, chosen = open_running(name, None, engine, running or Running.of(device))
        return cls(model, FamilyLatents.open(fitted, model.name), size, FamilyEngine(model, chosen))

    @property
    def device(self) -> str:
        """Where the networks are."""
        return str(self.running.device)

    @property
    def surroundings(self) -> Surroundings:
        """What of their past faces have to carry for it."""
        return self.latents.config.surroundings

    @property
    def native(self) -> int:
        """Side of the pictures that the family was made for, or the smallest of a video; at others they are scaled."""
        return max(SMALLEST, self.model.image_size)

    def sized(self, size: int) -> DrivenGenerator:
        """The same networks for square crops of another size."""
        return DrivenGenerator(self.model, self.latents, size, self.engine)

    def prepare(self, crop: Picture, mesh: Array) -> DrivenSource:
        """Everything about a portrait that does not change from frame to frame.

        Parameters
        ----------
        crop : uint8 [S, S, 3], S = size
        mesh : float32 [478, 3]; the face mesh in crop pixels

        Raises
        ------
        DeviceMemoryError where the device has no room for it; WeightsError for latents of other weights.
        """
        device = self.running.device
        return within_memory(lambda: self._prepared(crop, mesh), self.engine.free, "a portrait", device)

    def _prepared(self, crop: Picture, mesh: Array) -> DrivenSource:
        normalised, poses = remove_pose(from_mesh(mesh)[None])
        seen = [resized(crop, self.model.image_size)]
        with self._alone():
            appearance, motion = self.engine.appearance(seen), self._motion(seen, mesh)
            shown = on_device(crop, self.running.device).permute(2, 0, 1)[None].float() / 255
            with self.running.exact():
                latent = self.model.to_latent(motion).cpu()
            self._check_latent(latent)
            rest = self.engine.at_rest(appearance, motion, shown)
        mouth = lender().prepare(crop, mesh) if self.latents.config.guided else None
        return DrivenSource(crop, appearance, motion, normalised[0], poses[0], shown, latent, rest, mouth)

    def _motion(self, seen: list[Picture], mesh: Array) -> Motion:
        """The portrait's motion; keypoints that are landmarks lie where the tracker sees those."""
        motion = self.engine.motion(seen)
        if not self.latents.config.guided:
            return motion
        landmarks = torch.from_numpy(from_mesh(mesh)[None] * np.float32(2 / self.size) - np.float32(1))
        return placed(self.model, motion, landmarks, self.latents.config.guided)

    def _check_latent(self, latent: Tensor) -> None:
        """Refuse a Landmarks2Latents of other weights of the family, whose keypoints are more or fewer."""
        fitted = self.latents.config.latent
        if latent.shape[1] != fitted:
            raise WeightsError(
                f"generator '{self.family}': its weights have latents of {latent.shape[1]} numbers, and the "
                f"Landmarks2Latents beside them makes {fitted}. Fit it to these weights."
            )

    def render(self, source: DrivenSource, normalised: Array, pose: Pose) -> Picture:
        """One frame.

        Parameters
        ----------
        source : from `prepare`
        normalised : float32 [70, 3], or with the rows of `surroundings`; driving landmarks in normalised space, of the
            portrait's proportions
        pose : driving head pose in crop pixels

        Returns
        -------
        uint8 [S, S, 3]; fades into the portrait at the crop's border
        """
        return self.render_many([source], normalised[None], [pose])[0]

    def render_many(self, sources: Sequence[DrivenSource], normalised: Array, poses: Sequence[Pose]) -> list[Picture]:
        """N frames, of different portraits too, as one batch of the family.

        Parameters
        ----------
        sources : N, from `prepare`; one portrait may be there several times
        normalised : float32 [N, 70, 3], or with more rows, as the latents take them
        poses : N

        Raises
        ------
        DeviceMemoryError where memory ends even for one frame; what the call held is free again.
        """
        return list(self._drawn(self._pictures, sources, normalised, poses))

    def render_planar(
        self, sources: Sequence[DrivenSource], normalised: Array, poses: Sequence[Pose]
    ) -> list[NDArray[np.uint8]]:
        """As `render_many`, each frame planar 4:2:0 [S * 3 / 2, S] of BT.601, made on the device; S is even."""
        return list(self._drawn(self._planes, sources, normalised, poses))

    def _drawn(
        self, drawing: FamilyDrawing, sources: Sequence[DrivenSource], normalised: Array, poses: Sequence[Pose]
    ) -> NDArray[np.uint8]:
        if not len(sources):
            return np.zeros((0, self.size, self.size, 3), np.uint8)
        with self._alone():
            with stage("latents"):
                shown = _different(sources)
                motion = _joined([source.motion for source in shown])
                driving = self._driving(sources, normalised, poses, motion)
            with stage("networks"):
                appearance = _joined([source.appearance for source in shown])
                beside = _joined([{"shown": source.shown, **source.rest.parts()} for source in shown])
                beside |= self._insides(sources, normalised, poses)
                made: NDArray[np.uint8] = sent(drawing(appearance, motion, driving, beside))()
        return made

    def _driving(
        self, sources: Sequence[DrivenSource], normalised: Array, poses: Sequence[Pose], motion: Motion
    ) -> Motion:
        """Driving motion of every frame: Landmarks2Latents once for each portrait, the family's steps for all."""
        rows = {id(source): [i for i, other in enumerate(sources) if other is source] for source in sources}
        latents: list[Any] = [None] * len(sources)
        with self.running.exact():
            for places in rows.values():
                own = sources[places[0]]
                moved, turned = np.asarray(normalised)[places], [poses[i] for i in places]
                found = self.latents.latent(moved, turned, own.normalised, own.pose, own.latent, self.size)
                for i, latent in zip(places, found):
                    latents[i] = latent
            there = torch.stack(latents).to(self.running.device, non_blocking=True)
            driving = self.model.from_latent(there, spread(motion, len(sources)))
            return self._settle(self.model, motion, driving)

    def _insides(self, sources: Sequence[DrivenSource], normalised: Array, poses: Sequence[Pose]) -> Parts:
        """Insides of the mouths of every frame, for `with_inside`; nothing where the family draws its own."""
        mouths = [source.mouth for source in sources if source.mouth is not None]
        if len(mouths) < len(sources):
            return {}
        squares, corners = lender().squares(mouths, np.asarray(normalised), poses, self.size)
        return {"inside": on_device(squares, self.running.device), "corner": on_device(corners, self.running.device)}

    def _alone(self) -> AbstractContextManager[Any]:
        """On a GPU one thread at a time: graphs write into memory of their own. A CPU draws in several."""
        return nullcontext() if self.running.graph in ("none", "trace") else self.engine.lock


@cache
def lender() -> MouthLender:
    """The one for all families: its network and its teeth are in memory once."""
    return MouthLender()


def _mixed(ramp: Tensor, drawn: Drawn, beside: Parts) -> Tensor:
    """Frames of the family at the crop's size, bytes [B, S, S, 3], fading into the portrait at its border."""
    rest = Rest.from_parts(beside, ramp.shape[-1])
    if drawn.torn is None or "inside" not in beside:
        made = full_size(drawn, rest)
    else:
        mouths = beside["inside"], beside["corner"]
        made = with_inside(full_size(mended(drawn, rest, *mouths), rest), drawn.torn, *mouths)
    return as_bytes(torch.lerp(beside["shown"], made, ramp))


def _different(sources: Sequence[DrivenSource]) -> Sequence[DrivenSource]:
    """Portraits of a batch, one for each frame, or the only one for all."""
    return sources[:1] if all(other is sources[0] for other in sources) else sources


def _joined(parts: Sequence[Parts]) -> Parts:
    """Tensors [1, ...] of portraits as a batch."""
    return {key: torch.cat([some[key] for some in parts]) for key in parts[0]}
