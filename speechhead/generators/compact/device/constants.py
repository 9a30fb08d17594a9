"""Tables that drawing reads, once on each device: nothing is uploaded while a frame is drawn."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechhead.generators.compact.cavity import CAVITY
from speechhead.generators.compact.lips import sheet_topology
from speechhead.generators.compact.meshwarp import border_taper, pixel_grid, topology
from speechhead.generators.compact.mouth_light import LUMA
from speechhead.generators.compact.windows import WINDOWS


@lru_cache(maxsize=128)
def constant(name: str, device: torch.device) -> Tensor:
    """A table by its name on a device, not for gradients."""
    kind, _, rest = name.partition(".")
    return torch.from_numpy(np.array(_TABLES[kind](rest))).to(device)


def _cavity(name: str) -> NDArray[np.generic]:
    values: NDArray[np.generic] = getattr(CAVITY, name)[:, None, None]
    return values


def _layers() -> NDArray[np.generic]:
    """Depth of the triangles of the lips that puts skin before the upper sheet, that before the lower one, and in both
    what is behind the edge before the lip."""
    sheets = sheet_topology()
    lips = [np.full(sheets.edges, 1.0), np.full(sheets.sheet - sheets.edges, 0.0)]
    places = np.concatenate([np.full(sheets.skin, 4.0), *(part + 2 for part in lips), *lips])
    return np.asarray(LAYER * places, np.float32)


LAYER = 1e5
"""Pixels of depth that part what is drawn before from what is drawn after."""

_TABLES = {
    "taper": lambda side: border_taper(int(side)),
    "middle": lambda sides: pixel_grid(*map(int, sides.split("x"))),
    "luma": lambda _: LUMA[:, None, None],
    "cavity": _cavity,
    "edge": lambda window: WINDOWS[window].edge(),
    "sheets": lambda _: sheet_topology().triangles,
    "layers": lambda _: _layers(),
    "behind": lambda _: sheet_topology().behind,
    "sheet_starts": lambda _: sheet_topology().skin + np.array([0, sheet_topology().sheet])[:, None, None, None],
    "face": lambda _: topology()[0][topology()[1] // 2 :],
    "blur": lambda weights: np.array(weights.split(), np.float32) / 16,
}
"""Of these kinds: a frame's border, middles of pixels, weights of channels, colours of a mouth, a window's border,
triangles of the lips, what is drawn of them before what, which are behind an edge and where each lip's begin, triangles
of the face with the ring around it, and weights of blurs in sixteenths."""
