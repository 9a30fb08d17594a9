"""Random crops of recordings: features of a random copy with the motion, or the visemes, that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.arrays import Array
from speechhead.core.controls import EMOTIONS
from speechhead.face.mirror import mirrored

from .data import SpeechClip, SpeechFeatures, targets_at
from .visemes import SILENCE, frame_visemes


@dataclass
class Labelled:
    """A recording without pictures: its features and its phonemes (none at all: nobody speaks)."""

    features: SpeechFeatures
    phonemes: list[tuple[str, float, float]]


@dataclass
class MotionBatch:
    """Crops with motion.

    blocks [N, B, frames, channels], motion [N, T, 70, 3], mask [N, T], neutral [N, 70, 3], emotion [N, 7], who [N].
    """

    blocks: Tensor
    motion: Tensor
    mask: Tensor
    neutral: Tensor
    emotion: Tensor
    who: Tensor


@dataclass
class LabelBatch:
    """blocks [N, B, frames, channels]; labels int [N, T]; mask and still float [N, T]."""

    blocks: Tensor
    labels: Tensor
    mask: Tensor
    still: Tensor


def crop(array: Array | NDArray[np.float16], start: int, count: int) -> Array:
    """Blocks [start, start + count), zeros (as features: the mean is taken off later) where there are none."""
    part = array[start : start + count].astype(np.float32)
    if len(part) < count:
        part = np.concatenate([part, np.zeros((count - len(part), *part.shape[1:]), np.float32)])
    return part


CLEAN_SHARE = 0.35
"""Share of crops taken from the recording as it is, besides its chance among the copies."""

MANNERS = {
    "happy": (1.15, 1.05, 1.0),
    "sad": (0.85, 0.8, 0.9),
    "surprised": (0.92, 1.25, 1.0),
    "afraid": (1.05, 0.9, 0.95),
    "angry": (1.1, 1.15, 1.05),
    "disgusted": (1.05, 0.92, 1.0),
}
"""How speech moves the mouth under a full emotion, as factors along x, y, z of neutral speech.

The recordings hold too few acted emotions to learn this. Static expressions are the motion module's.
"""


def in_manner(motion: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """A random emotion [7] and the motion [T, 70, 3] that neutral motion becomes under it."""
    name = str(rng.choice(list(MANNERS)))
    intensity = float(rng.uniform(0.2, 1.0))
    emotion = np.zeros(len(EMOTIONS), np.float32)
    emotion[EMOTIONS.index(name)] = intensity
    factors = 1 + intensity * (np.array(MANNERS[name], np.float32) - 1)
    return emotion, (motion * factors).astype(np.float32)


class Sampler:
    """Draws batches; identities weigh as the root of their seconds, so that no corpus rules.

    Parameters
    ----------
    clips : with their features; block : video frames per block; blocks : per crop
    lead : frames by which lips lead the sound, as already added to the clips' lags
    warm : frames at the start of a crop from the middle that are not judged: the state is still empty
    """

    def __init__(
        self,
        clips: list[tuple[SpeechClip, SpeechFeatures]],
        labelled: list[Labelled],
        block: int,
        blocks: int,
        seed: int = 0,
        warm: int = 8,
        lead: float = 0.0,
    ) -> None:
        self.clips, self.labelled, self.block, self.blocks, self.warm = clips, labelled, block, blocks, warm
        self.lead = lead
        self.rng = np.random.default_rng(seed)
        self.identities = sorted({clip.identity for clip, _ in clips})
        seconds = {name: sum(len(c.landmarks) / 25 for c, _ in clips if c.identity == name) for name in self.identities}
        weights = np.array([len(c.landmarks) / 25 / seconds[c.identity] * seconds[c.identity] ** 0.5 for c, _ in clips])
        self.chances = weights / max(weights.sum(), 1e-9)
        lengths = np.array([max(len(next(iter(item.features.copies.values()))[0]), 1) for item in labelled], float)
        self.label_chances = lengths**0.7 / (lengths**0.7).sum() if len(lengths) else lengths

    def emphasise(self, factors: Mapping[str, float]) -> None:
        """Draw the people whose names begin so by a factor more or less often."""
        for start, factor in factors.items():
            own = np.array([clip.identity.startswith(start) for clip, _ in self.clips])
            self.chances = np.where(own, factor * self.chances, self.chances)
        self.chances = self.chances / self.chances.sum()

    def _copy(self, features: SpeechFeatures) -> tuple[NDArray[np.float16], float]:
        # Most speech that users bring is clean: so is a good share of what is learned from.
        if self.rng.random() < CLEAN_SHARE and 0 in features.copies:
            return features.copies[0]
        return features.copies[int(self.rng.choice(list(features.copies)))]

    def _start(self, length: int) -> int:
        last = max(0, length - self.blocks)
        # A quarter of the crops begin with the recording, as every use does.
        return 0 if self.rng.random() < 0.25 else int(self.rng.integers(last + 1))

    def motion(self, n: int) -> MotionBatch:
        """n crops with motion."""
        t = self.blocks * self.block
        rows: dict[str, list[Any]] = {key: [] for key in ("blocks", "motion", "mask", "neutral", "emotion", "who")}
        for index in self.rng.choice(len(self.clips), n, p=self.chances):
            clip, features = self.clips[index]
            array, speed = self._copy(features)
            start = self._start(len(array))
            frames = (start * self.block + np.arange(t)) * speed + clip.lag
            motion, mask = targets_at(clip.motion, frames)
            mask = mask * (np.arange(t) + start * self.block < len(array) * self.block)
            if start > 0:
                mask[: self.warm] = 0
            neutral = clip.neutral
            if self.rng.random() < 0.5:
                motion, neutral = mirrored(motion), mirrored(neutral)
            emotion = clip.emotion
            if not emotion.any() and self.rng.random() < 0.35:
                emotion, motion = in_manner(motion, self.rng)
            rows["blocks"].append(crop(array, start, self.blocks))
            row = {"motion": motion, "mask": mask, "neutral": neutral, "emotion": emotion}
            for key, value in row.items():
                rows[key].append(value)
            rows["who"].append(self.identities.index(clip.identity))
        stacked = {key: torch.from_numpy(np.ascontiguousarray(np.stack(value))) for key, value in rows.items()}
        return MotionBatch(**{key: value.float() if key != "who" else value for key, value in stacked.items()})

    def labels(self, n: int) -> LabelBatch:
        """n crops with visemes."""
        t = self.blocks * self.block
        rows: dict[str, list[Any]] = {key: [] for key in ("blocks", "labels", "mask", "still")}
        for index in self.rng.choice(len(self.labelled), n, p=self.label_chances):
            item = self.labelled[index]
            array, speed = self._copy(item.features)
            start = self._start(len(array))
            total = len(array) * self.block
            early = self.lead * 0.04
            phonemes = [(s, a / speed - early, b / speed - early) for s, a, b in item.phonemes]
            labels = frame_visemes(phonemes, total + self.block * self.blocks)
            quiet = labels == SILENCE
            # Lips close behind the last sound and open before the first: silence proper starts 0.24 s off.
            edges = np.convolve(~quiet, np.ones(13), "same") > 0
            part = slice(start * self.block, start * self.block + t)
            inside = (np.arange(t) + start * self.block < total).astype(np.float32)
            if start > 0:
                inside[: self.warm] = 0
            rows["blocks"].append(crop(array, start, self.blocks))
            rows["labels"].append(labels[part])
            rows["mask"].append(inside)
            rows["still"].append((~edges[part]).astype(np.float32) * inside)
        stacked = {key: torch.from_numpy(np.ascontiguousarray(np.stack(value))) for key, value in rows.items()}
        return LabelBatch(**{key: value.float() if key != "labels" else value.long() for key, value in stacked.items()})
