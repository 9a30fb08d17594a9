"""Train the compact generator: dense motion on whole pictures, or pixels inside the windows."""

from __future__ import annotations

import copy
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pipelines.curves import Log
from pipelines.families.config import ConfigError

from .data import PairMaker, Pairs, load_clips
from .networks import CompactConfig, CompactGenerator

PARTS = ("motion", "windows")


@dataclass(frozen=True)
class TrainConfig:
    """How the generator is trained; stored in the checkpoint beside the network's sizes.

    part: which half learns, "motion" or "windows"; they share nothing, so that each can have a core of its own
    data: folders of prepared samples, one or several; shares: how often each is drawn from, relative to the others
    start: checkpoint, or folder of exported ONNX files, whose weights are gone on from
    landmarks_of: pairs of a batch that the landmark loss looks at
    """

    part: str = "windows"
    data: tuple[str, ...] = ("runs/data/train",)
    shares: tuple[float, ...] = (1.0,)
    validation: str = "runs/data/val"
    latents: str = "weights/landmarks2latents_compact.onnx"
    output: str = "runs/generator"
    start: str | None = None
    batch: int = 8
    threads: int = 1
    workers: int = 1
    learning_rate: float = 4e-4
    critic_rate: float = 0.5
    minutes: float = 60.0
    adversarial_after: int = 600
    l1: float = 2.0
    adversarial: float = 0.1
    matching: float = 1.0
    features: float = 0.5
    texture: float = 3.0
    landmarks: float = 0.02
    landmarks_of: int = 2
    change_cost: float = 0.05
    bend_cost: float = 0.5
    ema: float = 0.997
    shown: int = 24
    seed: int = 0
    network: CompactConfig = field(default_factory=CompactConfig)

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """From a JSON file; ConfigError for a field or a part that is unknown."""
        values = json.loads(path.read_text(encoding="utf-8"))
        values["network"] = CompactConfig(**values.get("network", {}))
        for name in ("data", "shares"):
            if name in values:
                values[name] = tuple(values[name]) if isinstance(values[name], list) else (values[name],)
        unknown = sorted(set(values) - {entry.name for entry in fields(cls)} - {"family"})
        if unknown:
            raise ConfigError(f"{path}: unknown field {', '.join(unknown)}. See TrainConfig in {__name__}.")
        values.pop("family", None)
        options = cls(**values)
        if options.part not in PARTS:
            raise ConfigError(f"part '{options.part}' is unknown. Use one of {', '.join(PARTS)}.")
        return options


class Learner(ABC):
    """What is trained: a part of the generator, its losses, and its optimisers.

    networks: modules that learn or judge, by name; optimisers likewise, with the factor on the learning rate
    """

    def __init__(self) -> None:
        self.networks: dict[str, nn.Module] = {}
        self.optimisers: dict[str, tuple[torch.optim.Optimizer, float]] = {}

    @abstractmethod
    def learn(self, batch: dict[str, Tensor], step: int) -> dict[str, float]:
        """One step; what is logged of it."""

    @abstractmethod
    def judge(self, model: CompactGenerator, batch: dict[str, Tensor]) -> dict[str, float]:
        """How well validation pairs are met."""

    @abstractmethod
    def sheet(self, model: CompactGenerator, batch: dict[str, Tensor]) -> np.ndarray:
        """A picture uint8 [H, W, 3] of validation pairs."""


def open_learner(model: CompactGenerator, options: TrainConfig) -> Learner:
    """The learner of a part."""
    if options.part == "motion":
        from .learn_motion import MotionLearner

        return MotionLearner(model, options)
    from .learn_windows import WindowsLearner

    return WindowsLearner(model, options)


def channels_last(value: Tensor) -> Tensor:
    """The layout that convolutions on a CPU like best."""
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def collate(items: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
    """Samples to a batch."""
    return {key: torch.from_numpy(np.stack([item[key] for item in items])) for key in items[0]}


def validation_pairs(options: TrainConfig) -> list[dict[str, np.ndarray]]:
    """Fixed pairs of the validation clips: first frame as source, drivers from wide open to closed."""
    clips, items = load_clips(Path(options.validation)), []
    maker = PairMaker(options.latents, options.network.motion_resolution, options.part)
    for number in range(options.shown):
        clip = clips[number % len(clips)]
        driver = int(clip.open_first[min((number // len(clips)) * len(clip.mesh) // 3, len(clip.mesh) - 1)])
        items.append(maker(clip, 0, driver))
    return items


def open_pairs(options: TrainConfig, step: int) -> Callable[[], dict[str, Tensor]]:
    """A function that gives the next batch, drawn from the folders by their shares."""
    if len(options.shares) != len(options.data):
        raise ConfigError(f"{len(options.data)} folders in data and {len(options.shares)} shares. Give one for each.")
    clips, weights = [], []
    for folder, share in zip(options.data, options.shares):
        found = load_clips(Path(folder))
        if not found:
            raise ConfigError(f"{folder}: no prepared samples. Run pipelines.prepare first.")
        lengths = np.sqrt([len(clip.mesh) for clip in found])
        clips += found
        weights += list(share * lengths / lengths.sum())
    pairs = Pairs(clips, weights, options.latents, options.network.motion_resolution, options.seed + step, options.part)
    ahead = 4 if options.workers else None
    loader = DataLoader(pairs, options.batch, num_workers=options.workers, prefetch_factor=ahead)
    batches = iter(loader)
    return lambda: {key: channels_last(value) for key, value in next(batches).items()}


def main(config: Path, minutes: float | None = None, resume: Path | None = None) -> None:
    """Train for `minutes` (the configuration's if None), writing checkpoints, `log.jsonl` and sheets as it goes."""
    options = TrainConfig.read(config)
    budget = 60 * (minutes or options.minutes)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    model = CompactGenerator(options.network)
    if options.start is not None:
        begin_with(model, Path(options.start))
    model = model.to(memory_format=torch.channels_last)
    learner = open_learner(model, options)
    average, step = copy.deepcopy(model), 0
    if resume is not None:
        state = torch.load(resume, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        for name, network in learner.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, (optimiser, _) in learner.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        step = state["step"]
    following = open_pairs(options, step)
    shown = collate(validation_pairs(options))
    began = shown_at = time.monotonic()
    curve = Log(output)

    def keep() -> None:
        save(output, options, model, average, learner, step)
        validate(average, learner, shown, output, step)

    while (elapsed := time.monotonic() - began) < budget:
        rate = options.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * elapsed / budget)))
        for optimiser, factor in learner.optimisers.values():
            optimiser.param_groups[0]["lr"] = rate * factor
        log = learner.learn(following(), step)
        step += 1
        decay = min(options.ema, step / (step + 20))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters()):
                kept.lerp_(new, 1 - decay)
        curve.add(log)
        if step % 100 == 0:
            curve.write(step, elapsed, rate)
        if time.monotonic() - shown_at > 240:
            shown_at = time.monotonic()
            keep()
    keep()
    curve.close()


def validate(
    model: CompactGenerator, learner: Learner, shown: dict[str, Tensor], output: Path, step: int
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


def tiles(columns: list[Tensor]) -> np.ndarray:
    """Columns of pictures [N, 3, H, W] in 0..1, one row per N, as uint8 [H, W, 3]."""
    rows = torch.cat(columns, 3).permute(0, 2, 3, 1).reshape(-1, sum(c.shape[3] for c in columns), 3)
    return (rows.clamp(0, 1).numpy() * 255).astype(np.uint8)


def begin_with(model: CompactGenerator, start: Path) -> None:
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


def save(output: Path, options: TrainConfig, model: nn.Module, average: nn.Module, learner: Learner, step: int) -> None:
    """Write `checkpoint.safetensors` (averaged weights, config inside) and `resume.pt` (all that training needs)."""
    metadata = {"config": json.dumps(asdict(options)), "family": "compact", "kind": "generator", "step": str(step)}
    state = {key: value.contiguous() for key, value in average.state_dict().items()}
    save_file(state, output / "checkpoint.safetensors", metadata)
    torch.save(
        {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "networks": {name: network.state_dict() for name, network in learner.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, (optimiser, _) in learner.optimisers.items()},
            "step": step,
        },
        output / "resume.new",
    )
    (output / "resume.new").replace(output / "resume.pt")


def load_checkpoint(path: Path) -> tuple[CompactGenerator, dict[str, str]]:
    """The averaged network of a checkpoint, rebuilt from the configuration inside it, and its metadata."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    config = json.loads(metadata["config"])["network"]
    model = CompactGenerator(CompactConfig(**config))
    model.load_state_dict(load_file(path))
    return model.eval(), metadata
