"""What a run shows: a log of losses, TensorBoard where it is installed, and sheets of pictures."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from speechhead.generators.family import Family

from .config import TrainConfig
from .data import Pairs, seed
from .objectives import disparities_of, fit, reenact


class Log:
    """Means of the losses since the last line, as JSON lines in `log.jsonl`, and in TensorBoard's files."""

    def __init__(self, folder: Path) -> None:
        self._stream = (folder / "log.jsonl").open("a", encoding="utf-8")
        self._sums: dict[str, list[float]] = {}
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder))
        except ImportError:  # the JSON lines say the same
            self._board = None

    def add(self, values: dict[str, float]) -> None:
        """Losses of one step."""
        for name, value in values.items():
            self._sums.setdefault(name, []).append(value)

    def write(self, step: int, seconds: float, rate: float) -> None:
        """One line: means since the last one."""
        means = {name: float(np.mean(values)) for name, values in self._sums.items()}
        self._sums.clear()
        line = {"step": step, "seconds": round(seconds, 1), "rate": rate} | {k: round(v, 5) for k, v in means.items()}
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()
        print(" ".join(f"{name} {value:.4g}" for name, value in line.items()), flush=True)
        if self._board is not None:
            for name, value in means.items():
                self._board.add_scalar(f"loss/{name}", value, step)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        if self._board is not None:
            self._board.close()


class Sheets:
    """The same few pairs, drawn again and again: source, driver, prediction."""

    def __init__(self, pairs: Pairs, options: TrainConfig, device: torch.device) -> None:
        self.seen = options.input_size or options.size
        self.depth = options.stage == "depth"
        items = []
        for number in range(options.shown):
            clip = pairs.clips[number * len(pairs.clips) // options.shown]
            rows = seed(number).choice(clip.usable, 2, replace=False)
            items.append(pairs.item(clip, int(rows[0]), int(rows[1])))
        self.batch = {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}
        self.batch = {name: value.to(device) for name, value in self.batch.items()}

    @torch.no_grad()
    def predict(self, family: Family) -> Tensor:
        """Predictions [N, 3, S, S] of the sheet's pairs."""
        source, driver = fit(self.batch["source"], self.seen), fit(self.batch["driver"], self.seen)
        motion = family.motion(source)
        driving = reenact(family, motion, family.motion(driver))
        return family.render(family.appearance(source), motion, driving)

    @torch.no_grad()
    def draw(self, family: Family, path: Path) -> None:
        """Write the sheet as a PNG, one pair in a row; of the depth stage the driver and its depth."""
        if self.depth:
            driver = fit(self.batch["driver"], self.seen)
            columns = [driver, disparities_of(family, driver)[0].expand(-1, 3, -1, -1)]
        else:
            made = self.predict(family)
            columns = [fit(self.batch[name], made.shape[-1]) for name in ("source", "driver")] + [made]
        rows = torch.cat([F.pad(c.float(), (1, 1, 1, 1)) for c in columns], 3)
        picture = torch.cat(list(rows), 1).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        part = path.with_name(f".{path.name}")
        cv2.imwrite(str(part), (picture[..., ::-1] * 255).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 6])
        part.replace(path)
