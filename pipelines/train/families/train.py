"""Train any family: one loop with accumulation, mixed precision, averaged weights, exact resume and many processes."""

from __future__ import annotations

import dataclasses
import json
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipelines.train.config import ConfigError
from pipelines.train.curves import Log
from pipelines.train.run_files import RESUME, claimed, going_on, write_state
from pipelines.train.stopping import Stopping
from speechhead.generators.checkpoints import stored
from speechhead.generators.checkpoints.shapes import skeleton
from speechhead.generators.families import registry
from speechhead.generators.families.family import Family
from speechhead.generators.families.guides import GUIDED

from .average import Average
from .caching import learnt_and_held_out
from .config import FamilyTraining
from .critic import Critic, adversarial_losses
from .data import FamilyPairs, batches
from .judging import HeldOut
from .objectives import Result, make_objective, objective_class, trained
from .parallel import Workers
from .sheets import Sheets


class Trainer:
    """State of a run: networks, optimisers, averages and the step; everything else follows from the config.

    The batch, the thin-plate warps and all other random numbers of step n depend on n alone, so a run that stops at
    any step and goes on gives the same weights, bit for bit on a CPU, as one that never stopped.
    """

    def __init__(self, options: FamilyTraining, workers: Workers | None = None) -> None:
        self.options = options
        self.workers = workers or Workers.join(options.device)
        torch.manual_seed(options.seed)
        device = self.workers.device
        self.family = self.workers.synchronised(build(options)).to(device).train()
        self.objective = make_objective(self.family, options, device).to(device)
        self.average = Average(self.family, options.ema)
        self.critic = Critic.for_training(options, self.family).to(device) if options.losses.adversarial else None
        self.maker = self._adam(trained(self.objective))
        self.judge = self._adam(list(self.critic.parameters())) if self.critic else None
        self.precision = precision(options.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision is torch.float16)
        self.run_objective = self.workers.wrap(self.objective)
        self.run_critic = self.workers.wrap(self.critic) if self.critic else None
        self.step = 0

    def _adam(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, self.options.learning_rate, betas=self.options.betas)

    def rate(self) -> float:
        """Learning rate of this step: multiplied by `decay` at each milestone."""
        passed = sum(self.step >= fraction * self.options.steps for fraction in self.options.milestones)
        return self.options.learning_rate * self.options.decay**passed

    def update(self, passes: list[dict[str, Tensor]]) -> dict[str, float]:
        """One step of the optimisers on `accumulate` batches; the losses, weighted."""
        options, device = self.options, self.workers.device
        for optimiser in filter(None, (self.maker, self.judge)):
            optimiser.param_groups[0]["lr"] = self.rate()
            optimiser.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        self.objective.drawing = self.step >= options.pictures_after
        for index, batch in enumerate(passes):
            batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
            number = (self.step * options.accumulate + index) * self.workers.world + self.workers.rank
            torch.manual_seed((options.seed << 40) + number)
            with ExitStack() as stack:
                for network in (self.run_objective, self.run_critic):
                    if index + 1 < len(passes) and isinstance(network, DistributedDataParallel):
                        stack.enter_context(network.no_sync())
                for name, value in self._one_pass(batch, number).items():
                    sums[name] = sums.get(name, 0.0) + value / len(passes)
        self._apply(self.maker)
        if self.judge is not None and "critic" in sums:
            self._apply(self.judge)
        self.scaler.update()
        self.workers.share_buffers(self.objective)
        if self.critic is not None:
            self.workers.share_buffers(self.critic)
        self.average.update(self.family)
        self.step += 1
        return sums

    def _one_pass(self, batch: dict[str, Tensor], number: int) -> dict[str, float]:
        """Gradients of one batch: of the makers, then of the critic on the same pictures."""
        options = self.options
        with torch.autocast(self.workers.device.type, self.precision, enabled=self.precision is not torch.float32):
            result: Result = self.run_objective(batch, number)
        losses, made, points = result
        critic = self.critic if self.step >= options.adversarial_after else None
        if critic is not None and made is not None and points is not None:
            losses = losses | adversarial_losses(critic, batch["driver"], made, points, options.losses)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            wrong = ", ".join(name for name, value in losses.items() if not torch.isfinite(value))
            raise ConfigError(f"step {self.step}: {wrong} is not finite. Lower learning_rate, or set clip_gradient.")
        self.scaler.scale(total / options.accumulate).backward()
        values = {name: value.item() for name, value in losses.items()}
        if critic is not None and self.run_critic is not None and made is not None and points is not None:
            loss = self.run_critic(batch["driver"], made.detach(), points.detach())
            self.scaler.scale(loss / options.accumulate).backward()
            values["critic"] = loss.item()
        return values

    def _apply(self, optimiser: torch.optim.Optimizer) -> None:
        if self.options.clip_gradient:
            self.scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], self.options.clip_gradient)
        self.scaler.step(optimiser)

    def state(self) -> dict[str, Any]:
        """Everything that `load` needs to go on."""
        parts: dict[str, Any] = {
            "objective": self.objective,
            "average": self.average,
            "maker": self.maker,
            "scaler": self.scaler,
        }
        if self.critic is not None and self.judge is not None:
            parts |= {"critic": self.critic, "judge": self.judge}
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
        return state | {"step": self.step, "config": json.dumps(dataclasses.asdict(self.options))}

    def load(self, path: Path) -> None:
        """Go on from `resume.pt`.

        Raises
        ------
        ConfigError if the file is no such state, or that of another network.
        """
        with going_on(path, self.workers.device) as state:
            self.objective.load_state_dict(state["objective"])
            self.average.load_state_dict(state["average"])
            self.maker.load_state_dict(state["maker"])
            self.scaler.load_state_dict(state["scaler"])
            if self.critic is not None and self.judge is not None:
                self.critic.load_state_dict(state["critic"])
                self.judge.load_state_dict(state["judge"])
            self.step = int(state["step"])

    def save(self, folder: Path) -> Path:
        """Write the averaged weights as the family's file, and `resume.pt`; each replaces the older in one step."""
        weights = folder / f"{self.family.name}.safetensors"
        options = self.options
        notes = {GUIDED: str(options.guided)} if options.losses.guidance else {}
        stored.save_family(self.average.family, weights, False, step=str(self.step), stage=options.stage, **notes)
        write_state(folder / RESUME, self.state())
        return weights


def build(options: FamilyTraining) -> Family:
    """The family to train: fresh, or from `weights`."""
    if options.weights is not None:
        return stored.open_family(options.weights, options.family).requires_grad_(True)
    config = options.network()
    skeleton(options.family, config)  # what is absurd is said before memory is taken for it
    return registry.build(options.family, config)


def precision(name: str, device: torch.device) -> torch.dtype:
    """What the networks compute in."""
    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def main(
    config: Path,
    minutes: float | None = None,
    resume: Path | None = None,
    clips: Path | None = None,
    output: Path | None = None,
) -> Path:
    """Train as a JSON file says, to its last step or for `minutes`; the path of the weights.

    clips, output : folders in the place of the file's
    """
    given = {name: str(path) for name, path in (("clips", clips), ("output", output)) if path is not None}
    return train(dataclasses.replace(FamilyTraining.read(config), **given), minutes, resume)  # type: ignore[arg-type]


def train(options: FamilyTraining, minutes: float | None = None, resume: Path | None = None) -> Path:
    """Train to the last step or for `minutes`, writing weights, log and sheets as it goes; the path of the weights."""
    torch.set_num_threads(options.threads)
    workers = Workers.join(options.device)
    with claimed(Path(options.output)) if workers.first else nullcontext(Path(options.output)) as output:
        return _trained(options, workers, output, minutes, resume)


def _trained(
    options: FamilyTraining, workers: Workers, output: Path, minutes: float | None, resume: Path | None
) -> Path:
    stage = objective_class(options.stage)
    tracked = options.tracked or stage.tracked
    trainer = Trainer(options, workers)  # before clips are read: what is wrong with the config is said at once
    learnt, held = learnt_and_held_out(options, tracked, workers)
    pairs = FamilyPairs(learnt, options.seed, options.augment, stage.neighbours, options.sway, options.opened)
    if resume is not None:
        trainer.load(resume)
    start = trainer.step * options.accumulate
    stream = batches(pairs, options.batch, start, options.workers, workers.rank, workers.world)
    with ExitStack() as stack:
        stopping = stack.enter_context(Stopping())
        log = stack.enter_context(Log(output)) if workers.first else None
        judge = HeldOut(held, options, workers.device) if workers.first and held else None
        shown = judge.pairs if judge is not None else pairs
        sheets = Sheets(shown, options, workers.device) if workers.first else None
        began = time.monotonic()
        while trainer.step < options.steps:
            values = trainer.update([next(stream) for _ in range(options.accumulate)])
            late = bool(stopping) or (minutes is not None and time.monotonic() - began > 60 * minutes)
            last = workers.agree(late) or trainer.step == options.steps
            if log is not None and sheets is not None:
                log.add(values)
                if trainer.step % options.log_every == 0 or last:
                    log.write(trainer.step, time.monotonic() - began, trainer.rate())
                if trainer.step % options.save_every == 0 or last:
                    trainer.save(output)
                    if judge is not None:
                        judge.tell(trainer.step, judge(trainer.objective, trainer.average.family), output)
                if trainer.step % options.sheet_every == 0 or last:
                    sheets.draw(trainer.average.family, output / f"sheet_{trainer.step:06d}.png")
            if last:
                break
    weights = output / f"{trainer.family.name}.safetensors"
    if workers.first:
        stopping.tell(output / RESUME)
        spent = (time.monotonic() - began) / 60
        if minutes is not None and trainer.step == options.steps and spent < minutes:
            print(f"all {options.steps} steps of the config took {spent:.1f} of {minutes:g} minutes", flush=True)
        print(weights, flush=True)
    workers.leave()
    return weights
