"""Fit Landmarks2Latents to any family's weights: the same landmarks drive every generator (SPACE, sec. 3.2)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speechhead.generators.checkpoints import imported, stored
from speechhead.generators.families.family import Family
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig, motion_features

from .caching import load_family_clips
from .sources import FamilyClip

STEPS = 4000
BATCH = 256
TELL = 10.0
"""Seconds between two lines about motion that is read."""

LEARNING_RATE = 1e-3
JITTER = 0.01
"""Noise on driving landmarks in outer eye distances: tracked ones tremble by a third of it, spoken ones are new."""
CHUNK = 16


@dataclass
class Talk:
    """What is known of the frames of one clip: landmarks, pose in crop units, and the family's latents [N, D]."""

    normalised: Tensor
    rotation: Tensor
    translation: Tensor
    scale: Tensor
    latents: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def rows(self, which: Tensor | slice) -> Talk:
        """Some of the frames."""
        return Talk(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    @classmethod
    def join(cls, parts: list[Talk]) -> Talk:
        """One after the other."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))


def read_latents(family: Family, clips: list[FamilyClip], seconds: float | None = None) -> list[Talk]:
    """The family's motion of every frame with a face, or of as many, evenly spread, as fit into `seconds`."""
    began = time.monotonic()
    device = next(family.parameters()).device
    # Golden-ratio order: any beginning of it is spread evenly over the clip.
    orders = [clip.usable[np.argsort(np.arange(len(clip.usable)) * 0.6180339887 % 1)] for clip in clips]
    latents: list[dict[int, Tensor]] = [{} for _ in clips]
    jobs = [
        (number, order[start : start + CHUNK])
        for start in range(0, max(map(len, orders)), CHUNK)
        for number, order in enumerate(orders)
        if start < len(order)
    ]
    told = began
    for done, (number, rows) in enumerate(jobs):
        if time.monotonic() - told > TELL:
            told = time.monotonic()
            print(f"motion of {family.name}: {done / len(jobs):.0%} read", flush=True)
        if seconds is not None and done >= len(clips) and time.monotonic() - began > seconds:
            break
        frames = torch.from_numpy(np.array(clips[number].frames[np.sort(rows)])).to(device)
        with torch.no_grad():
            motion = family.motion(frames.permute(0, 3, 1, 2).float() / 255)
            vectors = family.to_latent(motion).float().cpu()
        latents[number] |= dict(zip(np.sort(rows).tolist(), vectors))
    talks = []
    for clip, found in zip(clips, latents):
        shown = sorted(found)
        marks = {name: torch.from_numpy(clip.track[name][shown]) for name in clip.track if name != "landmarks"}
        talks.append(Talk(latents=torch.stack([found[row] for row in shown]), **marks))
    return talks


def split(talks: list[Talk]) -> tuple[list[Talk], list[Talk]]:
    """Clips to learn from and to judge by: every fifth clip, or of fewer than five the last fifth of each."""
    if len(talks) >= 5:
        return [talk for n, talk in enumerate(talks) if n % 5], talks[::5]
    cuts = [len(talk) * 4 // 5 for talk in talks]
    return (
        [talk.rows(slice(cut)) for talk, cut in zip(talks, cuts)],
        [talk.rows(slice(cut, None)) for talk, cut in zip(talks, cuts)],
    )


def predict(network: FamilyLatents, source: Talk, driver: Talk, jitter: float = 0.0) -> Tensor:
    """Latents of drivers from sources, both [N]."""
    driving = driver.normalised + jitter * torch.randn_like(driver.normalised)
    motion, portrait = motion_features(
        driving,
        (driver.rotation, driver.translation, driver.scale),
        source.normalised,
        (source.rotation, source.translation, source.scale),
    )
    return network(motion, portrait, source.latents)


def pairs(talks: list[Talk], random: np.random.Generator, count: int = BATCH) -> Iterator[tuple[Talk, Talk]]:
    """Endless batches of random sources and drivers of the same clip."""
    everything, lengths = Talk.join(talks), np.array([len(talk) for talk in talks])
    starts, chance = lengths.cumsum() - lengths, np.sqrt(lengths) / np.sqrt(lengths).sum()
    while True:
        chosen = random.choice(len(talks), count, p=chance)
        rows = torch.from_numpy(starts[chosen] + (random.random((2, count)) * lengths[chosen]).astype(np.int64))
        yield everything.rows(rows[0]), everything.rows(rows[1])


@torch.no_grad()
def error(network: FamilyLatents, talks: list[Talk], count: int = 2048) -> float:
    """Mean absolute error of latents over their mean absolute motion, each number weighted by its spread."""
    source, driver = next(pairs(talks, np.random.default_rng(0), count))
    missed = (predict(network, source, driver) - driver.latents) / network.spread
    moved = (source.latents - driver.latents) / network.spread
    return float(missed.abs().mean() / moved.abs().mean().clamp_min(1e-9))


def fit(
    family: Family, clips: list[FamilyClip], minutes: float | None = None, steps: int = STEPS, seed: int = 0
) -> tuple[FamilyLatents, float]:
    """Fit a network to a family on tracked clips, each of the family's picture size.

    Returns
    -------
    The network, and its `error` on frames that it has not seen: 0 is perfect, 1 is a face that does not move.
    """
    began = time.monotonic()
    budget = None if minutes is None else 60 * minutes
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    talks = read_latents(family, clips, None if budget is None else budget / 2)
    learnt, judged = split(talks)
    everything = Talk.join(learnt).latents
    within = torch.cat([talk.latents - talk.latents.mean(0) for talk in learnt])
    network = FamilyLatents(LatentsConfig(family.name, everything.shape[1]))
    network.centre.copy_(everything.mean(0))
    # A number that hardly moves must not be blown up: noise is not motion.
    spread = within.std(0)
    network.spread.copy_(spread.clamp_min(float(spread.median()) * 0.05 + 1e-6))
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    stream = pairs(learnt, random)
    for step in range(steps):
        spent = time.monotonic() - began
        done = step / steps if budget is None else max(step / steps, spent / budget)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 - done)
        source, driver = next(stream)
        loss = ((predict(network, source, driver, JITTER) - driver.latents) / network.spread).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 500 == 499:
            print(f"step {step + 1}: error {error(network, judged):.3f} of the motion", flush=True)
    return network.eval().requires_grad_(False), error(network, judged)


def main(
    generator: str, clips: Path, minutes: float | None = None, output: Path | None = None, cache: Path | None = None
) -> Path:
    """Fit, and write the weights beside the generator's (`<name>.latents.safetensors`) or to `output`.

    Raises
    ------
    WeightsError, MediaError for a generator or clips that are not usable.
    """
    path = generator_file(generator)
    family = stored.open_family(path)
    if torch.cuda.is_available():
        family = family.cuda()
    found = load_family_clips(clips, family.image_size, cache or Path("runs/families/cache"), tracked=True)
    network, missed = fit(family, found, minutes)
    output = output or imported.latents_path(path)
    network.save(output, generator=path.name, clips=str(len(found)), error=f"{missed:.3f}")
    print(f"error {missed:.3f} of the motion on frames that were held out")
    print(output)
    return output


def generator_file(generator: str) -> Path:
    """Weight file of a generator: a path, or a name under which weights have been imported.

    Raises
    ------
    WeightsError if there is none.
    """
    path = Path(generator)
    if path.is_file() or path.suffix == ".safetensors":
        return path
    return imported.find_generator(generator)
