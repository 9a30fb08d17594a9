"""What a portrait that follows a video can do, whichever generator draws it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from speechhead.media.image import Picture


class Puppet(Protocol):
    """A portrait that follows the driver."""

    device: str
    """Where its networks are."""

    def frames(self, pictures: Iterable[Picture]) -> Iterator[Any]:
        """One generated frame for every picture of the driver."""

    def finish(self, frame: Any) -> NDArray[np.uint8]:
        """Such a frame as it is written: the full picture with the crop in its place, or the crop alone; called from
        several threads. [H, W, 3], or planar as `media.image.yuv420` makes it."""
