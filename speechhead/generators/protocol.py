"""What a generator is to the rest of the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from speechhead.core.arrays import Array
from speechhead.face.landmarks import Pose
from speechhead.media.image import Picture

if TYPE_CHECKING:
    pass


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
