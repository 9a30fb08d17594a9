"""Fit Landmarks2Latents to any family's weights: the same landmarks drive every generator (SPACE, sec. 3.2)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipelines.judge.clips import ClipEntry, list_clips
from pipelines.judge.family_speech import SIZE, LipFigures, LipJudge, judged
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.weights import read_metadata
from speechhead.generators.checkpoints import imported, stored
from speechhead.generators.driven import DrivenGenerator
from speechhead.generators.families.family import Family, Motion
from speechhead.generators.families.guides import GUIDED, placed
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig, context_features, motion_features
from speechhead.motion.surroundings import COEFFICIENTS, Surroundings

from .caching import load_family_clips
from .objectives import reenact
from .sources import HELD_OUT, TRAIN, FamilyClip

STEPS = 4000
BATCH = 256
TELL = 10.0
"""Seconds between two lines about motion that is read."""

LOOK = 250
"""Steps between two looks at frames that are held out. The state that errs least on them is kept, not the last."""

MARKS = ("normalised", "rotation", "translation", "scale")
LEARNING_RATE = 1e-3
JITTER = 0.01
"""Noise on driving landmarks in outer eye distances: tracked ones tremble by a third of it, spoken ones are new."""
BEGINNING, RIDGE = 4096, 1e-5
"""Pairs of the least squares that a fit begins with, and what keeps numbers that never change out of them."""

CHUNK = 16
LIP_CLIPS = 4
LIP_SECONDS = 3.0
"""Clips, and how much of each, whose lips are looked at after the fit."""

SURROUNDINGS = Surroundings(past=2, sound=3)
"""What the network sees of a frame's past."""

ALONE = 0.25
"""Share of drivers that are seen without it: silence and plain landmarks must work too."""

LOUDNESS = 0.1
"""Deviation of the first coefficient, the level of sound: three and a half decibels."""


@dataclass
class Talk:
    """What is known of the frames of one clip: landmarks, pose in crop units, and the family's latents [N, D].

    before : [N, past, 70, 3] landmarks of the frames before; sound : [N, 48 * sound], see `Surroundings`
    """

    normalised: Tensor
    before: Tensor
    sound: Tensor
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


def read_latents(
    family: Family,
    clips: list[FamilyClip],
    seconds: float | None = None,
    surroundings: Surroundings = SURROUNDINGS,
    guided: int = 0,
) -> list[Talk]:
    """The family's motion of every frame with a face, or of as many, evenly spread, as fit into `seconds`.

    guided : so many keypoints are landmarks, and lie where the tracker sees those
    """
    began = time.monotonic()
    device = next(family.parameters()).device
    # Golden-ratio order: any beginning of it is spread evenly over the clip.
    orders = [clip.usable[np.argsort(np.arange(len(clip.usable)) * 0.6180339887 % 1)] for clip in clips]
    latents: list[dict[int, Tensor]] = [{} for _ in clips]
    portraits: list[Motion | None] = [None for _ in clips]
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
            if guided:  # a posed face is that of one frame: of another canonical face, keypoints lay elsewhere
                portrait = portraits[number] = portraits[number] or {name: one[:1] for name, one in motion.items()}
                motion = reenact(family, portrait, motion)
                motion = placed(family, motion, torch.tensor(clips[number].track["landmarks"][np.sort(rows)]), guided)
            vectors = family.to_latent(motion).float().cpu()
        latents[number] |= dict(zip(np.sort(rows).tolist(), vectors))
    talks = []
    for clip, found in zip(clips, latents):
        shown = sorted(found)
        _, before, sound = surroundings.split(surrounded(clip, surroundings)[shown])
        marks = {name: torch.from_numpy(clip.track[name][shown]) for name in MARKS}
        marks |= {"before": torch.from_numpy(before.copy()), "sound": torch.from_numpy(sound)}
        talks.append(Talk(latents=torch.stack([found[row] for row in shown]), **marks))
    return talks


def surrounded(clip: FamilyClip, surroundings: Surroundings) -> Array:
    """Faces of a clip [T, 70 + rows, 3] as they will be driven; where the face is lost, the one before it holds."""
    lost = ~np.isfinite(clip.track["scale"])
    held = np.maximum.accumulate(np.where(lost, -1, np.arange(len(lost))))
    held[held < 0] = clip.usable[0]
    sound = clip.waveform()
    if sound is None:
        sound = np.zeros(len(lost) * SAMPLES_PER_FRAME, np.float32)
    return surroundings.around(np.asarray(clip.track["normalised"])[held], sound)


def held_out(clips: Sequence[FamilyClip]) -> list[bool]:
    """Which clips judge: those of the catalogue's validation people, else every fifth; of fewer than five none."""
    known = [clip.split == HELD_OUT for clip in clips]
    if any(known) and not all(known):
        return known
    return [len(clips) >= 5 and number % 5 == 0 for number in range(len(clips))]


def split(talks: list[Talk], held: Sequence[bool]) -> tuple[list[Talk], list[Talk]]:
    """Talks to learn from and to judge by: those that are held out, or where none is the last fifth of each."""
    if any(held):
        return [talk for talk, out in zip(talks, held) if not out], [talk for talk, out in zip(talks, held) if out]
    cuts = [len(talk) * 4 // 5 for talk in talks]
    return (
        [talk.rows(slice(cut)) for talk, cut in zip(talks, cuts)],
        [talk.rows(slice(cut, None)) for talk, cut in zip(talks, cuts)],
    )


def predict(network: FamilyLatents, source: Talk, driver: Talk, jitter: float = 0.0) -> Tensor:
    """Latents of drivers from sources, both [N]; `jitter` shakes what the drivers look and sound like."""
    driving = driver.normalised + jitter * torch.randn_like(driver.normalised)
    before, sound = driver.before + jitter * torch.randn_like(driver.before), driver.sound
    if jitter:
        alone = torch.rand(len(driving)) < ALONE
        before = torch.where(alone[:, None, None, None], driving[:, None], before)
        sound = torch.where(alone[:, None], 0.0, louder(sound, LOUDNESS * torch.randn(len(sound))))
    motion, portrait = motion_features(
        driving,
        (driver.rotation, driver.translation, driver.scale),
        source.normalised,
        (source.rotation, source.translation, source.scale),
    )
    return network(torch.cat([motion, context_features(driving, before, sound)], 1), portrait, source.latents)


def louder(sound: Tensor, change: Tensor) -> Tensor:
    """Sound [N, 48 * sound] of `Surroundings` at other levels [N]; silence stays silent."""
    coefficients = sound.reshape(len(sound), -1, COEFFICIENTS).clone()
    level = coefficients[..., 0]
    coefficients[..., 0] = torch.where(level > 0, (level + change[:, None]).clamp_min(0), level)
    return coefficients.reshape(sound.shape)


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


class BestLatents:
    """Of the states that a network went through, the one that errs least on frames that are held out."""

    def __init__(self, network: FamilyLatents, judged: list[Talk]) -> None:
        self._network, self._judged = network, judged
        self._least, self._state = math.inf, network.state_dict()

    def look(self) -> float:
        """The `error` of the network as it is now, which is kept if it errs less than ever."""
        missed = error(self._network, self._judged)
        if missed < self._least:
            self._least = missed
            self._state = {name: value.clone() for name, value in self._network.state_dict().items()}
        return missed

    def restored(self) -> tuple[FamilyLatents, float]:
        """The network in its best state, and its error."""
        self._network.load_state_dict(self._state)
        return self._network, self._least


@torch.no_grad()
def begin(network: FamilyLatents, source: Talk, driver: Talk) -> None:
    """The linear part by least squares: keypoints that are landmarks move with these, and need not be learnt in steps.

    The noise of JITTER on the landmarks is what keeps its weights small.
    """
    shaken = driver.normalised + JITTER * torch.randn_like(driver.normalised)
    moved, _ = motion_features(
        shaken,
        (driver.rotation, driver.translation, driver.scale),
        source.normalised,
        (source.rotation, source.translation, source.scale),
    )
    wanted = (driver.latents - source.latents) / network.spread
    square = moved.T @ moved + RIDGE * len(moved) * torch.eye(moved.shape[1])
    network.linear.weight[:, : network.MOTION] = torch.linalg.solve(square, moved.T @ wanted).T


@dataclass(frozen=True)
class Fitting:
    """How a network is fitted. minutes : of both reading and learning, None for all steps; guided : keypoints that are
    landmarks"""

    minutes: float | None = None
    steps: int = STEPS
    seed: int = 0
    surroundings: Surroundings = SURROUNDINGS
    guided: int = 0


def fit(family: Family, clips: list[FamilyClip], how: Fitting = Fitting()) -> tuple[FamilyLatents, float]:
    """Fit a network to a family on tracked clips, each of the family's picture size.

    Returns
    -------
    The network in the state that erred least on frames that are held out, and its `error` on them: 0 is perfect, 1 is a
    face that does not move.
    """
    began = time.monotonic()
    seconds = None if how.minutes is None else 30 * how.minutes
    talks = read_latents(family, clips, seconds, how.surroundings, how.guided)
    return learn(family.name, *split(talks, held_out(clips)), how, time.monotonic() - began)


def learn(
    family: str, learnt: list[Talk], judged: list[Talk], how: Fitting = Fitting(), used: float = 0.0
) -> tuple[FamilyLatents, float]:
    """Fit a network of the named family to talks, as `fit` does; `used` seconds of its minutes are over."""
    began = time.monotonic() - used
    torch.manual_seed(how.seed)
    random = np.random.default_rng(how.seed)
    everything = Talk.join(learnt).latents
    within = torch.cat([talk.latents - talk.latents.mean(0) for talk in learnt])
    network = FamilyLatents(LatentsConfig(family, everything.shape[1], guided=how.guided, **asdict(how.surroundings)))
    network.centre.copy_(everything.mean(0))
    # A number that hardly moves must not be blown up: noise is not motion.
    spread = within.std(0)
    network.spread.copy_(spread.clamp_min(float(spread.median()) * 0.05 + 1e-6))
    begin(network, *next(pairs(learnt, random, BEGINNING)))
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    stream, best = pairs(learnt, random), BestLatents(network, judged)
    for step in range(how.steps):
        spent = (time.monotonic() - began) / (60 * how.minutes) if how.minutes else 0.0
        done = max(step / how.steps, spent)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (1 - done)
        source, driver = next(stream)
        loss = ((predict(network, source, driver, JITTER) - driver.latents) / network.spread).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % LOOK == LOOK - 1:
            print(f"step {step + 1}: error {best.look():.3f} of the motion", flush=True)
    best.look()
    network, missed = best.restored()
    return network.eval().requires_grad_(False), missed


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
    found = load_family_clips(clips, family.image_size, cache or Path("runs/families/cache"), True, (TRAIN, HELD_OUT))
    guided = int(read_metadata(path).get(GUIDED, 0))
    network, missed = fit(family, found, Fitting(minutes, guided=guided))
    output = output or imported.latents_path(path)
    network.save(output, generator=path.name, clips=str(len(found)), error=f"{missed:.3f}")
    print(f"error {missed:.3f} of the motion on frames that were held out")
    tell_lips(DrivenGenerator(family, network, SIZE), clips, [c.name for c, out in zip(found, held_out(found)) if out])
    print(output)
    return output


def tell_lips(generator: DrivenGenerator, clips: Path, held: Sequence[str]) -> None:
    """Print how lips follow speech in a few of the held-out clips of a folder of videos, beside a still picture."""
    entries = list_clips(clips) if clips.is_dir() else [ClipEntry(clips, clips.stem)]
    stems = {Path(name).stem for name in held}
    chosen = [entry for entry in entries if entry.path.stem in stems] or entries
    figures = []
    for _, one in judged(chosen, LipJudge.of(generator), seconds=LIP_SECONDS):
        figures.append(one)
        if len(figures) == LIP_CLIPS:
            break
    if figures:
        which = "held-out" if held else "seen"
        print(LipFigures.mean(figures).line(f"{len(figures)} {which} clips"))
    else:
        print("no video with sound to judge lips by: use python -m pipelines.judge.family_speech --clips DIR")


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
