"""Portraits that judge and never train: half of them smile.

Of `shared/portraits`, by the smallest SHA-256 of the file name: the first 26 whose inner lips are parted by more than
0.03 outer eye distances, then the first 26 of the others. `held_out_portraits.txt` has them in this order.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

LISTED = Path(__file__).with_name("held_out_portraits.txt")


@lru_cache(maxsize=1)
def stems() -> frozenset[str]:
    """Names of the files without their suffix, as a folder of drawn or prepared samples has them."""
    return frozenset(Path(name).stem for name in LISTED.read_text(encoding="utf-8").split())


def held_out(name: str | Path) -> bool:
    """Whether a portrait, or what was made of it, is set aside for judging."""
    return Path(name).stem in stems()
