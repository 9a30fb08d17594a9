"""What a portrait's own open mouth tells of it: how light its teeth are, and where its two rows stand.

It is drawn as it is told without it, read as the portrait is (`open_mouth`), and moved until both are alike; part of
the way is kept. Chosen on open mouths of training clips (docs/decisions/0046-an-open-mouth-tells-its-own.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .open_mouth import SeenInside


@dataclass(frozen=True)
class Seek:
    """How a mouth is moved towards the portrait's. Lengths in outer eye distances."""

    steps: int = 4
    """Times that it is drawn; the most alike of them is taken."""

    light: float = 0.8
    """Part of the difference in light, of its logarithm, that is made up in a step."""

    place: float = 0.04
    """Way of a row for a half of the opening that is all teeth instead of none."""

    most: tuple[float, float, float] = (0.4, 0.035, 0.02)
    """The most that light, jaw and upper row are moved."""

    darker: float = 0.9
    """Part of the light that is kept where the portrait's mouth is darker."""

    lighter: float = 0.4
    """Part where it is lighter: teeth of a smile stand before the lips' shade, and none are to blind."""

    placed: float = 0.7
    """Part of the places that is kept: one moment is not all of them."""


SEEK = Seek()


@dataclass(frozen=True)
class OwnMouth:
    """By how much a mouth differs from what is told without it.

    light: logarithm of the light on both rows; jaw, bite: how much further down the lower and the upper row stand,
    outer eye distances
    """

    light: float = 0.0
    jaw: float = 0.0
    bite: float = 0.0

    def nearer(self, own: SeenInside, made: SeenInside) -> OwnMouth:
        """A step towards the portrait's own mouth, where `made` is what this one looks like."""
        moved = (
            self.light + SEEK.light * _lighter(own, made),
            self.jaw - SEEK.place * (own.lower - made.lower),
            self.bite + SEEK.place * (own.upper - made.upper),
        )
        return OwnMouth(*(min(max(value, -most), most) for value, most in zip(moved, SEEK.most)))

    def kept(self, own: SeenInside, opened: float) -> OwnMouth:
        """What is kept of it, of a portrait whose mouth is `opened` to 0..1.

        Where teeth fill both halves of it, nothing tells which row the lower half shows, and the jaw stays.
        """
        light = SEEK.lighter if self.light > 0 else SEEK.darker
        told = 1 - min(max(own.upper * own.lower, 0.0), 1.0)
        place = SEEK.placed * opened
        return OwnMouth(light * opened * self.light, place * told * self.jaw, place * self.bite)


def unlike(own: SeenInside, made: SeenInside) -> float:
    """How much a mouth that was drawn differs from the portrait's own, 0 at least."""
    return abs(_lighter(own, made)) + abs(own.upper - made.upper) + abs(own.lower - made.lower)


def _lighter(own: SeenInside, made: SeenInside) -> float:
    """Logarithm of the portrait's light beside what was drawn."""
    return float(np.log(max(own.light, 0.05) / max(made.light, 0.05)))
