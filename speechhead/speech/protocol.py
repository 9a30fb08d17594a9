"""What a speech model is to the rest of the library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from speechhead.core.arrays import Array

if TYPE_CHECKING:
    pass


class SpeechStream(Protocol):
    """Speech to landmark motion for one speaker."""

    def push(self, samples: Array) -> Array:
        """Motion [k, 70, 3] that is ready after these samples [n]."""

    def flush(self) -> Array:
        """Motion of the last frames."""

    def feel(self, emotion: Mapping[str, float], after: int = 0) -> None:
        """Speak with another emotion, from `after` samples after those that were pushed."""


class SpeechModel(Protocol):
    """What opens such a stream: `Speech2Landmarks`, or another network behind the same method."""

    def stream(self, neutral: Array | None = None, emotion: Mapping[str, float] | None = None) -> SpeechStream:
        """A stream for the speaker with these neutral landmarks [70, 3]."""
