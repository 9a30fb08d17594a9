"""What generators read off a portrait, kept for as long as the generator that read it lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


class Features:
    """Appearance features of one portrait by generator: the very object, not its name, size or weights.

    Two generators of one family differ in their weights, devices or sizes, and none can use another's features; the
    same weights opened twice are two generators. Features go when their generator goes, and no copy has them: in
    another process, or after saving, there is no generator that they belong to.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[weakref.ref[Any], Any]] = {}

    def __len__(self) -> int:
        """Generators that are alive and have features here."""
        return len(self._kept)

    def __reduce__(self) -> tuple[type[Features], tuple[()]]:
        return Features, ()

    def of(self, generator: Any, make: Callable[[], Any]) -> Any:
        """The features for a generator, from `make` the first time.

        Parameters
        ----------
        generator : any object that can be referred to weakly; compared by identity, so it need not be hashable
        make : reads them off the portrait; its result must not hold the generator, which could then never go
        """
        kept = self._kept.get(id(generator))
        if kept is not None and kept[0]() is generator:
            return kept[1]
        made = make()
        self._kept[id(generator)] = weakref.ref(generator, self._forgetting(id(generator))), made
        return made

    def _forgetting(self, number: int) -> Callable[[weakref.ref[Any]], None]:
        """What a reference calls when its generator goes: features go at once, and the avatar is not kept alive."""
        mine = weakref.ref(self)

        def forget(gone: weakref.ref[Any]) -> None:
            features = mine()
            if features is not None and features._kept.get(number, (None,))[0] is gone:
                del features._kept[number]

        return forget
