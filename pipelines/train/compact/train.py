"""Train the compact generator: pixels inside the windows."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.utils.data import DataLoader

from pipelines.train.config import ConfigError
from pipelines.train.curves import Log
from pipelines.train.run_files import RESUME, claimed, going_on
from pipelines.train.stopping import Stopping

from .checkpoint import save
from .data import CompactPairs, PairMaker, load_prepared_clips
from .learner import CompactTraining, Learner, channels_last
from .networks import CompactNetworks


def open_learner(model: CompactNetworks, options: CompactTraining) -> Learner:
    """The learner of the windows."""
    from .learn_windows import WindowsLearner

    return WindowsLearner(model, options)


def collate(items: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
    """Samples to a batch."""
    return {key: torch.from_numpy(np.stack([item[key] for item in items])) for key in items[0]}


def validation_pairs(options: CompactTraining) -> list[dict[str, np.ndarray]]:
    """Fixed pairs of the validation clips: first frame as source, drivers from wide open to closed."""
    clips, items = load_prepared_clips(Path(options.validation)), []
    if not clips:
        raise ConfigError(f"{options.validation}: no prepared samples to judge by. Run pipelines.data.prepare first.")
    maker = PairMaker(options.latents)
    for number in range(options.shown):
        clip = clips[number % len(clips)]
        driver = int(clip.open_first[min((number // len(clips)) * len(clip.mesh) // 3, len(clip.mesh) - 1)])
        items.append(maker(clip, 0, driver))
    return items


def open_pairs(options: CompactTraining, step: int) -> Callable[[], dict[str, Tensor]]:
    """A function that gives the next batch, drawn from the folders by their shares."""
    if len(options.shares) != len(options.data):
        raise ConfigError(f"{len(options.data)} folders in data and {len(options.shares)} shares. Give one for each.")
    clips, weights = [], []
    for folder, share in zip(options.data, options.shares):
        found = load_prepared_clips(Path(folder))
        if not found:
            raise ConfigError(f"{folder}: no prepared samples. Run pipelines.data.prepare first.")
        lengths = np.sqrt([len(clip.mesh) for clip in found])
        clips += found
        weights += list(share * lengths / lengths.sum())
    pairs = CompactPairs(clips, weights, options.latents, options.seed)
    ahead = 4 if options.workers else None
    numbers = count(step * options.batch)
    loader = DataLoader(pairs, options.batch, sampler=numbers, num_workers=options.workers, prefetch_factor=ahead)
    batches = iter(loader)
    return lambda: {key: channels_last(value) for key, value in next(batches).items()}


def main(config: Path, minutes: float | None = None, resume: Path | None = None) -> None:
    """Train to the last step or for `minutes`, writing checkpoints, `log.jsonl` and sheets as it goes.

    A run that stops and goes on from its `resume.pt` ends in the same bits as one that does not stop.
    """
    options = CompactTraining.read(config)
    budget = math.inf if minutes is None else 60 * minutes
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    with claimed(Path(options.output)) as output, Log(output) as curve, Stopping() as stopping:
        run = CompactRun(options, resume)
        following = open_pairs(options, run.step)
        shown = collate(validation_pairs(options))
        began = shown_at = time.monotonic()
        while run.step < options.steps and not stopping and (elapsed := time.monotonic() - began) < budget:
            curve.add(run.learn(following()))
            if run.step % 100 == 0:
                curve.write(run.step, elapsed, run.rate())
            if time.monotonic() - shown_at > 240:
                shown_at = time.monotonic()
                run.save(output)
                validate(run.average, run.learner, shown, output, run.step)
        run.save(output)
        if not stopping:
            validate(run.average, run.learner, shown, output, run.step)
        stopping.tell(output / RESUME)


class CompactRun:
    """State of a run: the networks, their learner, the average and the step."""

    def __init__(self, options: CompactTraining, resume: Path | None) -> None:
        self.options, self.step = options, 0
        self.model = CompactNetworks(options.network)
        if options.start is not None:
            begin_with(self.model, Path(options.start))
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        self.learner = open_learner(self.model, options)
        self.average = copy.deepcopy(self.model)
        if resume is not None:
            self._restore(resume)

    def _restore(self, resume: Path) -> None:
        with going_on(resume) as state:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            for name, network in self.learner.networks.items():
                network.load_state_dict(state["networks"][name])
            for name, (optimiser, _) in self.learner.optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            self.step = int(state["step"])

    def rate(self) -> float:
        """Learning rate of the step that comes next."""
        options = self.options
        return options.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * self.step / options.steps)))

    def learn(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """One step; what is logged of it."""
        rate = self.rate()
        for optimiser, factor in self.learner.optimisers.values():
            optimiser.param_groups[0]["lr"] = rate * factor
        log = self.learner.learn(batch, self.step)
        if wrong := [name for name, value in log.items() if not math.isfinite(value)]:
            raise ConfigError(f"step {self.step}: {', '.join(wrong)} is not finite. Lower learning_rate.")
        self.step += 1
        decay = min(self.options.ema, self.step / (self.step + 20))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters()):
                kept.lerp_(new, 1 - decay)
        return log

    def save(self, output: Path) -> None:
        """Write what the run needs to go on, and the averaged weights."""
        save(output, self.options, self.model, self.average, self.learner, self.step)


def validate(
    model: CompactNetworks, learner: Learner, shown: dict[str, Tensor], output: Path, step: int
) -> dict[str, float]:
    """Judge the averaged network on the validation pairs: a line in `validation.jsonl`, and a sheet."""
    import cv2

    model.eval()
    with torch.no_grad():
        picture, found = learner.sheet(model, shown), learner.judge(model, shown)
    model.train()
    cv2.imwrite(str(output / f"sheet_{step:06d}.png"), picture[..., ::-1])
    line = {"step": step} | {key: round(value, 5) for key, value in found.items()}
    with (output / "validation.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    print(f"validation {line}", flush=True)
    return found


def begin_with(model: CompactNetworks, start: Path) -> None:
    """Take over what fits of a checkpoint, or of the ONNX files in a folder."""
    if start.is_dir():
        from .export import read_exported

        state = read_exported(start)
    else:
        state = load_file(start)
    own = model.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise ConfigError(f"{start}: no weights of a compact generator of these sizes. Give one of this configuration.")
    model.load_state_dict(fitting, strict=False)
    print(f"{start}: {len(fitting)} of {len(own)} arrays taken over", flush=True)
