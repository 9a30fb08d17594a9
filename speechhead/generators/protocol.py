"""What a generator is to the rest of the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose
from speechhead.media.image import Picture
from speechhead.motion.surroundings import Surroundings


class Generator(Protocol):
    """What renders a face crop: appearance features once per portrait, then frames from landmarks and pose.

    Its networks stay as they are: an avatar keeps what `prepare` returned for as long as the generator lives.
    """

    family: str
    size: int

    def prepare(self, crop: Picture, mesh: Array) -> Any:
        """Features of a crop [S, S, 3] with its mesh [478, 3] in crop pixels."""

    def render(self, source: Any, normalised: Array, pose: Pose) -> Picture:
        """A frame [S, S, 3] for normalised landmarks [70, 3] in a pose of crop pixels; called from several threads."""


@runtime_checkable
class SizedGenerator(Protocol):
    """A generator whose networks serve crops of every size."""

    def sized(self, size: int) -> Generator:
        """The same networks, in memory once, for square crops of another size."""


@runtime_checkable
class DeviceGenerator(Generator, Protocol):
    """A generator whose networks are on a device that draws several pictures, of several portraits, in one call.

    `prepare` and `render_many` raise DeviceMemoryError where the device has no room, and hold nothing of what they
    tried.
    """

    @property
    def device(self) -> str:
        """Where its networks are: "cpu", "cuda", "cuda:1"."""

    @property
    def batched(self) -> bool:
        """Whether pictures are drawn quickest in one call from one thread; else `render` is called from several."""

    def render_many(self, sources: Sequence[Any], normalised: Array, poses: Sequence[Pose]) -> list[Picture]:
        """Frames [S, S, 3], one for each source, landmarks [N, 70, 3] and pose; `render` is the case of one.

        Sources are of any generator that shares these networks and has this size; one may come more than once.
        """

    def sized(self, size: int) -> DeviceGenerator:
        """The same networks, in memory once, for square crops of another size."""


@runtime_checkable
class ListeningGenerator(Protocol):
    """A generator that wants to know what was before a frame: faces carry it in rows after their 70 landmarks.

    So `normalised` is [70 + rows, 3] in all its calls; it takes plain landmarks too, of faces that held in silence.
    """

    @property
    def surroundings(self) -> Surroundings:
        """What faces carry for it."""


@runtime_checkable
class PlanarGenerator(Protocol):
    """A generator whose frames can leave the device as encoders of WebRTC take them."""

    def render_planar(
        self, sources: Sequence[Any], normalised: Array, poses: Sequence[Pose]
    ) -> list[NDArray[np.uint8]]:
        """As `DeviceGenerator.render_many`, each frame planar 4:2:0 [S * 3 / 2, S] of BT.601; S is even."""
