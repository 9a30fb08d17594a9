"""What a portrait that follows a video can do, whichever generator draws it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from speechhead.media.image import Picture


class Puppet(Protocol):
    """A portrait that follows the driver."""

    picture: Picture
    """What frames are pasted into, sides even."""

    device: Any
    """Where its networks are."""

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Any]:
        """One generated crop [S, S, 3] for every picture of the driver."""

    def paste(self, frame: Any) -> Picture:
        """The full picture with such a crop in its place."""

    def crop(self, frame: Any, size: int | None) -> Picture:
        """The crop alone at `size` pixels, or at its own size, even."""
