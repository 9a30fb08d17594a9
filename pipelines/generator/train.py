"""Train the compact generator: dense motion on the whole picture, pixels inside the windows."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from speechhead.generators.meshwarp import border_taper
from speechhead.generators.windows import WINDOWS

from .data import Pairs, load_clips, make_pair
from .losses import (
    FeatureLoss,
    discriminator_loss,
    feature_matching,
    focus_of,
    generator_loss,
    judged_where,
    texture_loss,
    weighted_l1,
)
from .networks import CompactConfig, CompactGenerator, Discriminator, warp


@dataclass(frozen=True)
class TrainConfig:
    """How the generator is trained; stored in the checkpoint beside the network's sizes."""

    data: str = "runs/data/train"
    validation: str = "runs/data/val"
    latents: str = "weights/landmarks2latents_compact.onnx"
    output: str = "runs/generator"
    batch: int = 8
    threads: int = 2
    workers: int = 1
    learning_rate: float = 4e-4
    critic_rate: float = 0.5
    minutes: float = 60.0
    adversarial_after: int = 600
    motion_every: int = 4
    l1: float = 2.0
    adversarial: float = 0.1
    matching: float = 1.0
    features: float = 0.5
    texture: float = 3.0
    change_cost: float = 0.05
    hidden_cost: float = 0.01
    ema: float = 0.997
    shown: int = 24
    seed: int = 0
    network: CompactConfig = field(default_factory=CompactConfig)

    @classmethod
    def read(cls, path: Path) -> TrainConfig:
        """From a JSON file; unknown keys are an error."""
        values = json.loads(path.read_text(encoding="utf-8"))
        values["network"] = CompactConfig(**values.get("network", {}))
        return cls(**values)


def taper_at(resolution: int) -> Tensor:
    """`border_taper` as [1, 1, N, N]."""
    return torch.from_numpy(border_taper(resolution).copy())[None, None]


@dataclass
class Output:
    """What one pass gives: the whole picture at 128 without windows, and each window's patch."""

    picture: Tensor
    occlusion: Tensor
    residual: Tensor
    patches: dict[str, Tensor]
    warped: dict[str, Tensor]
    changes: dict[str, Tensor]


def forward(
    model: CompactGenerator, batch: dict[str, Tensor], names: Iterable[str] = WINDOWS, learn_motion: bool = True
) -> Output:
    """One pass over a batch of `Pairs`; the same composition as `speechhead.generators.compact` does at run time."""
    with torch.set_grad_enabled(learn_motion and torch.is_grad_enabled()):
        appearance = model.appearance(batch["small"])
        masks, residual, occlusion, hidden = model.motion(
            appearance, batch["prior"], batch["rigid"], batch["coverage"], batch["small"]
        )

    def flow_at(grid: Tensor, prior: Tensor) -> Tensor:
        """The dense motion field at crop positions [N, 2, h, w]."""
        where = grid.permute(0, 2, 3, 1)
        parts = F.grid_sample(torch.cat([masks, residual], 1), where, padding_mode="border", align_corners=False)
        matrix = batch["rigid_matrix"]
        rigid = torch.einsum("nij,njhw->nihw", matrix[:, :, :2], grid) + matrix[:, :, 2, None, None]
        edge = 1 - grid.abs().amax(1, keepdim=True)
        ramp = (edge / 0.12).clamp(0, 1)
        return (parts[:, 1:2] * prior + parts[:, 2:3] * rigid + parts[:, 3:]) * (ramp * ramp * (3 - 2 * ramp))

    size = batch["driver"].shape[-1]
    x = (torch.arange(size) * 2 + 1) / size - 1
    grid = torch.stack([x[None].expand(size, -1), x[:, None].expand(-1, size)])[None].expand(len(masks), -1, -1, -1)
    warped = warp(batch["source"], flow_at(grid, batch["prior_half"]))
    covered = 1 - (1 - F.interpolate(occlusion, size=size, mode="bilinear")) * taper_at(size)
    picture = covered * warped + (1 - covered) * F.interpolate(hidden, size=size, mode="bilinear")

    patches, before, changes = {}, {}, {}
    for name in names:
        at = batch[f"{name}_grid"]
        base = warp(batch["source"], (at - _identity(at) + flow_at(at, batch[f"{name}_prior"])).detach())
        portrait = batch[f"{name}_source"], batch[f"{name}_source_shapes"]
        features = model.encoders[name](*portrait)
        change, cover = model.windows[name](
            base, batch[f"{name}_shapes"], batch[f"{name}_motion"], *portrait, *features
        )
        edge = batch[f"{name}_edge"]
        patches[name], before[name], changes[name] = (
            (1 - cover * edge) * base + change * edge,
            base,
            change * (1 - cover),
        )
    return Output(picture, occlusion, residual, patches, before, changes)


def _identity(grid: Tensor) -> Tensor:
    height, width = grid.shape[2:]
    x = (torch.arange(width) * 2 + 1) / width - 1
    y = (torch.arange(height) * 2 + 1) / height - 1
    return torch.stack([x[None].expand(height, -1), y[:, None].expand(-1, width)])[None]


def _channels_last(value: Tensor) -> Tensor:
    """The layout that convolutions on a CPU like best."""
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def picture_loss(out: Output, batch: dict[str, Tensor], options: TrainConfig) -> Tensor:
    """Whole picture: L1 at two scales and of gradients, little residual flow, little invented background."""
    real = batch["driver"]
    loss = (out.picture - real).abs().mean() + (F.avg_pool2d(out.picture, 4) - F.avg_pool2d(real, 4)).abs().mean()
    for dim in (2, 3):
        loss = loss + 0.5 * (out.picture.diff(dim=dim) - real.diff(dim=dim)).abs().mean()
    return loss + options.hidden_cost * (1 - out.occlusion).mean() + 0.1 * out.residual.abs().mean()


def save_sheet(model: CompactGenerator, items: list[dict[str, np.ndarray]], path: Path) -> None:
    """Validation pairs in a picture: source, driver, ours; of each window source, warp, ours, truth, change."""
    batch = {key: torch.from_numpy(np.stack([item[key] for item in items])) for key in items[0]}
    model.eval()
    with torch.no_grad():
        out = forward(model, batch)
    model.train()
    columns = [F.interpolate(batch["source"], size=128), batch["driver"], out.picture]
    columns += [
        F.interpolate(image.expand(-1, 3, -1, -1), size=(128, 128 * image.shape[3] // image.shape[2]))
        for name in WINDOWS
        for image in (
            batch[f"{name}_source"],
            out.warped[name],
            out.patches[name],
            batch[f"{name}_target"],
            out.changes[name] + 0.5,
        )
    ]
    rows = torch.cat(columns, 3).permute(0, 2, 3, 1).reshape(-1, sum(c.shape[3] for c in columns), 3)
    cv2.imwrite(str(path), (rows.clamp(0, 1).numpy()[..., ::-1] * 255).astype(np.uint8))


def validation_pairs(options: TrainConfig, count: int) -> list[dict[str, np.ndarray]]:
    """Fixed pairs of the validation clips: first frame as source, drivers from wide open to closed."""
    from speechhead.landmarks2latents import CompactLatents

    clips, items = load_clips(Path(options.validation)), []
    network = CompactLatents(Path(options.latents))
    for number in range(count):
        clip = clips[number % len(clips)]
        driver = int(clip.open_first[min((number // len(clips)) * len(clip.mesh) // 3, len(clip.mesh) - 1)])
        items.append(make_pair(clip, 0, driver, network, options.network.motion_resolution, None))
    return items


def main(config: Path, minutes: float | None = None, resume: Path | None = None) -> None:
    """Train for `minutes` (the configuration's if None), writing checkpoints, curves and sheets as it goes."""
    options = TrainConfig.read(config)
    budget = 60 * (minutes or options.minutes)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    model = CompactGenerator(options.network).to(memory_format=torch.channels_last)
    judges = torch.nn.ModuleDict({name: Discriminator() for name in WINDOWS}).to(memory_format=torch.channels_last)
    perceptual = FeatureLoss()
    makers = torch.optim.Adam(model.parameters(), options.learning_rate, betas=(0.5, 0.99))
    critics = torch.optim.Adam(judges.parameters(), options.learning_rate, betas=(0.5, 0.99))
    average, step = copy.deepcopy(model), 0
    if resume is not None:
        state = torch.load(resume, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        judges.load_state_dict(state["judges"])
        makers.load_state_dict(state["makers"])
        critics.load_state_dict(state["critics"])
        step = state["step"]
    pairs = Pairs(
        load_clips(Path(options.data)), options.latents, options.network.motion_resolution, options.seed + step
    )
    loader = iter(
        DataLoader(pairs, options.batch, num_workers=options.workers, prefetch_factor=4 if options.workers else None)
    )
    shown = validation_pairs(options, options.shown)
    began = shown_at = time.monotonic()
    sums: dict[str, list[float]] = {}
    while (elapsed := time.monotonic() - began) < budget:
        rate = options.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * elapsed / budget)))
        makers.param_groups[0]["lr"], critics.param_groups[0]["lr"] = rate, rate * options.critic_rate
        batch = {key: _channels_last(value) for key, value in next(loader).items()}
        # The mouth learns at every step; dense motion and eyes, which need less, take turns.
        motion_turn = step % options.motion_every == 0
        names = list(WINDOWS) if step % 2 else ["mouth"]
        out = forward(model, batch, names, motion_turn)
        loss, log = torch.zeros(()), {}
        if motion_turn:
            loss = picture_loss(out, batch, options)
            log["picture"] = loss.item()
        adversarial = step >= options.adversarial_after
        judged = {}
        for name in names:
            made, real, shapes = out.patches[name], batch[f"{name}_target"], batch[f"{name}_shapes"]
            source = batch[f"{name}_source"]
            care = 1 + 3 * F.max_pool2d(shapes.amax(1, keepdim=True), 5, 1, 2) + 10 * shapes[:, :1]
            l1, seen = weighted_l1(made, real, care), perceptual(made, real)
            # What fades out at the border must not shout to be heard there.
            change = (out.changes[name].abs() * (1 + 20 * (1 - batch[f"{name}_edge"]))).mean()
            detail = texture_loss(made, real, care)
            loss = loss + options.l1 * l1 + options.features * seen + options.texture * detail
            loss = loss + options.change_cost * change
            log |= {f"{name}_l1": l1.item(), f"{name}_warp": weighted_l1(out.warped[name], real, care).item()}
            log |= {f"{name}_seen": seen.item(), f"{name}_detail": detail.item()}
            focus = focus_of(shapes)
            shown_made = focus * made + (1 - focus) * real
            if adversarial:
                judges[name].requires_grad_(False)
                score, features = judges[name](shown_made, shapes, source)
                with torch.no_grad():
                    truth, wanted = judges[name](real, shapes, source)
                loss = loss + options.adversarial * (
                    generator_loss(truth, score, judged_where(shapes, score))
                    + options.matching * feature_matching(features, wanted)
                )
                judges[name].requires_grad_(True)
            judged[name] = (shown_made.detach(), real, shapes, source)
        makers.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        makers.step()
        cost = torch.zeros(())
        for name, (made, real, shapes, source) in judged.items():
            score = judges[name](real, shapes, source)[0]
            doubt = discriminator_loss(score, judges[name](made, shapes, source)[0], judged_where(shapes, score))
            cost = cost + doubt
            log[f"{name}_doubt"] = doubt.item()
        critics.zero_grad()
        cost.backward()
        critics.step()
        step += 1
        decay = min(options.ema, step / (step + 20))
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters()):
                kept.lerp_(new, 1 - decay)
        for key, value in log.items():
            sums.setdefault(key, []).append(value)
        if step % 100 == 0:
            line = " ".join(f"{key} {np.mean(values):.4f}" for key, values in sums.items())
            print(f"{elapsed / 60:.1f} min, step {step}: {line}", flush=True)
            sums = {}
        if time.monotonic() - shown_at > 240:
            shown_at = time.monotonic()
            save(output, options, model, average, judges, makers, critics, step)
            save_sheet(average, shown, output / f"sheet_{step:06d}.png")
    save(output, options, model, average, judges, makers, critics, step)
    save_sheet(average, shown, output / f"sheet_{step:06d}.png")


def save(output: Path, options: TrainConfig, model, average, judges, makers, critics, step: int) -> None:
    """Write `checkpoint.safetensors` (averaged weights, config inside) and `resume.pt` (all that training needs)."""
    metadata = {"config": json.dumps(asdict(options)), "family": "compact", "kind": "generator", "step": str(step)}
    state = {key: value.contiguous() for key, value in average.state_dict().items()}
    save_file(state, output / "checkpoint.safetensors", metadata)
    torch.save(
        {
            "model": model.state_dict(),
            "average": average.state_dict(),
            "judges": judges.state_dict(),
            "makers": makers.state_dict(),
            "critics": critics.state_dict(),
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
