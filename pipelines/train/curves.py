"""What a run says of itself: a curve of losses, and TensorBoard's files where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

import numpy as np


class Log:
    """Means of the losses since the last line, as JSON lines in `log.jsonl`, and in TensorBoard's files."""

    def __init__(self, folder: Path) -> None:
        self._stream = (folder / "log.jsonl").open("a", encoding="utf-8")
        self._sums: dict[str, list[float]] = {}
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._board: SummaryWriter | None = SummaryWriter(str(folder))
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
        self.close()

    def close(self) -> None:
        """No more lines."""
        self._stream.close()
        if self._board is not None:
            self._board.close()
