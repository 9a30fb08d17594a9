"""What a run shows: sheets of pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from speechhead.generators.families.family import Family

from .config import FamilyTraining
from .data import FamilyPairs, seed
from .objectives import objective_class


class Sheets:
    """The same few pairs, drawn again and again: source, driver, prediction."""

    def __init__(self, pairs: FamilyPairs, options: FamilyTraining, device: torch.device) -> None:
        self.seen = options.input_size or options.size
        self.columns = objective_class(options.stage).columns
        items = []
        for number in range(options.shown):
            clip = pairs.clips[number * len(pairs.clips) // options.shown]
            rows = seed(number).choice(clip.usable, 2, replace=False)
            items.append(pairs.item(clip, int(rows[0]), int(rows[1])))
        self.batch = {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}
        self.batch = {name: value.to(device) for name, value in self.batch.items()}

    @torch.no_grad()
    def draw(self, family: Family, path: Path) -> None:
        """Write the sheet as a PNG, one pair in a row."""
        columns = self.columns(family, self.batch["source"], self.batch["driver"], self.seen)
        rows = torch.cat([F.pad(c.float(), (1, 1, 1, 1)) for c in columns], 3)
        picture = torch.cat(list(rows), 1).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        part = path.with_name(f".{path.name}")
        cv2.imwrite(str(part), (picture[..., ::-1] * 255).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 6])
        part.replace(path)
