"""What every generator family can do: see a portrait, read motion off a picture, carry it over, and draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

Motion = dict[str, Tensor]
"""Keypoints (and pose) of a batch of pictures. Always 'value', [B, K, 2 or 3] in [-1, 1], the keypoints that the
generator reads; and what else the family has: 'jacobian' [B, K, 2, 2] (FOMM, DaGAN), or 'canonical' [B, K, 3],
'rotation' [B, 3, 3], 'angles' [B, 3] (yaw, pitch, roll in degrees), 'translation' [B, 3], 'expression' [B, K, 3],
'scale' [B, 1] (face-vid2vid, LivePortrait)."""

Appearance = dict[str, Tensor]
"""What is computed once per portrait."""


class Drawn(NamedTuple):
    """What a family makes of a motion: its picture, and where that comes from, for pictures of another size.

    picture : [B, 3, h, w] in 0..1
    flow : [B, D, h', w', 2]; where the source is read, (x, y) with -1 and 1 at the centres of the first and the last
        cell, for each of the D depths of a volume (1 in two dimensions); None in a family that does not tell
    visible : [B, 1, h', w'] in 0..1; how much of a place the source shows; None if it is not estimated
    torn : [B, 1, h', w'] in 0..1; how much of a place is torn open between lips; None in a family that does not tell
    """

    picture: Tensor
    flow: Tensor | None = None
    visible: Tensor | None = None
    torn: Tensor | None = None


class Family(nn.Module, ABC):
    """A published generator: its networks under their published names, and the five steps of motion transfer.

    Images are float32 [B, 3, H, W] RGB in [0, 1]. `config` is the frozen dataclass that rebuilds the family. The
    constructor takes it alone and annotates it, `__init__(self, config: NameConfig)`: so a file's config is read.
    The dataclass has two classmethods: `full_size()`, which weights without a published configuration are of, and
    `from_published(published)`, from the dictionary of a published one (`weights import --config`).
    """

    name: ClassVar[str]
    """As on the command line, and in the family's spec."""

    image_size: int
    """Side of the square pictures it was made for, in and out of `appearance` and `motion`."""

    config: Any

    @abstractmethod
    def appearance(self, image: Tensor) -> Appearance:
        """Everything about the portrait that does not change from frame to frame."""

    @abstractmethod
    def motion(self, image: Tensor) -> Motion:
        """Keypoints and pose of pictures."""

    @abstractmethod
    def transfer(self, source: Motion, driver: Motion, first: Motion | None = None, **options: Any) -> Motion:
        """Motion of the portrait when it does what the driver does.

        With `first`, the driver's first frame, the driver's motion relative to it is put on the portrait (the papers'
        relative mode); without, the driver's own keypoints are taken over.
        """

    def moved_to(self, motion: Motion, value: Tensor) -> Motion:
        """The motion with its keypoints at `value` [B, K, 2 or 3]."""
        return {**motion, "value": value}

    @abstractmethod
    def render(self, appearance: Appearance, source: Motion, driving: Motion) -> Tensor:
        """Pictures [B, 3, h, w] of the portrait in the driving motion."""

    def draw(self, appearance: Appearance, source: Motion, driving: Motion) -> Drawn:
        """As `render`, with the motion field: `full_resolution.py` needs it to draw portraits of any size."""
        return Drawn(self.render(appearance, source, driving))

    @abstractmethod
    def to_latent(self, motion: Motion) -> Tensor:
        """What Landmarks2Latents predicts for this family, [B, D]: the part of the motion that faces change."""

    @abstractmethod
    def from_latent(self, latent: Tensor, source: Motion) -> Motion:
        """Driving motion of a portrait from such a latent; inverse of `to_latent` for the portrait's own."""


def spread(parts: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """A batch of one (a portrait) repeated to `count` frames, as views; other batches as they are."""
    return {key: value.expand(count, *value.shape[1:]) if len(value) == 1 else value for key, value in parts.items()}
