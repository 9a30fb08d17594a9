"""Train Speech2Landmarks: `python -m pipelines.train speech2landmarks --config FILE`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.train.config import read
from speechhead.core.controls import EMOTIONS
from speechhead.face.landmarks import REFERENCE

from .batches import Labelled, Sampler
from .checkpoint import load_checkpoint, save_checkpoint
from .data import SpeechClip, SpeechFeatures, load_speech_clips, motion_modes
from .evaluate import evaluate_clips, predict, table
from .losses import label_loss, motion_loss, point_weights
from .network import Network, NetworkConfig
from .visemes import read_phonemes


@dataclass(frozen=True)
class SpeechTraining:
    """The JSON file of `--config`.

    media, landmarks, features, speech: folders (catalogue and clips; meshes; prepared features; recordings
    with phonemes, may be absent); lags: JSON of `offsets`;
    teachers: checkpoints whose mean motion, amplified, on undisturbed speech without pictures is the truth for it;
    lead: frames by which motion leads the sound (recordings do by one to two, half as much is never noticed);
    layer: [first, last) stored channels to use, or
    None for all; copies: augmented copies per recording; steps: optimiser steps (fewer if `--minutes` end
    first); batch, label_batch: crops with motion and with phonemes; blocks: length of a crop;
    weights: of each loss term; output: checkpoint to write.
    """

    media: Path
    landmarks: Path
    features: Path
    output: Path
    speech: Path | None = None
    lags: Path | None = None
    teachers: tuple[Path, ...] = ()
    amplify: float = 1.0
    lead: float = 1.0
    layer: tuple[int, int] | None = None
    copies: int = 8
    steps: int = 3000
    batch: int = 24
    label_batch: int = 12
    blocks: int = 26
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    seed: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "points": 0.15, "velocity": 0.3, "opening": 1.0, "width": 0.4, "visemes": 0.3, "closed": 0.3, "still": 0.5,
        }
    )  # fmt: skip

    @staticmethod
    def load(path: Path) -> SpeechTraining:
        """From a JSON file; ConfigError for a field that is missing, unknown or of the wrong type."""
        return read(SpeechTraining, path)


class Gains(nn.Module):
    """How far each training speaker moves the mouth, which the sound does not tell; 1 for anybody else."""

    def __init__(self, people: int) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.zeros(people))

    def forward(self, who: Tensor) -> Tensor:
        return self.log.clamp(-1.2, 1.2).exp()[who][:, None, None, None]


def attach_features(config: SpeechTraining, clips: list[SpeechClip]) -> list[tuple[SpeechClip, SpeechFeatures]]:
    """Clips with their prepared features; those without any are left out."""
    window = config.network.window
    channels = slice(*config.layer) if config.layer else None
    pairs = []
    for clip in clips:
        found = SpeechFeatures(
            config.features / "clips", clip.stem, list(range(config.copies)), window.block + window.ahead, channels
        )
        if found.copies:
            pairs.append((clip, found))
    return pairs


def labelled_recordings(config: SpeechTraining) -> list[Labelled]:
    """Recordings in which nobody speaks, and, where `speech` is given, those with phonemes."""
    window = config.network.window
    channels = slice(*config.layer) if config.layer else None
    copies = list(range(config.copies))
    found = []
    for path in sorted((config.features / "labelled" / "0").glob("*.npy")):
        phonemes = config.speech / f"{path.stem}.json" if config.speech else None
        silent = path.stem.startswith("nobody_")
        if not silent and not (phonemes and phonemes.exists()):
            continue
        features = SpeechFeatures(
            config.features / "labelled", path.stem, copies, window.block + window.ahead, channels
        )
        found.append(Labelled(features, [] if silent or phonemes is None else read_phonemes(phonemes)))
    return found


def taught_recordings(config: SpeechTraining) -> list[tuple[SpeechClip, SpeechFeatures]]:
    """Speech without pictures, with the teachers' mean motion as truth: more voices, and calm under disturbance."""
    teachers = [load_checkpoint(path)[0] for path in config.teachers]
    window = config.network.window
    channels = slice(*config.layer) if config.layer else None
    copies = list(range(config.copies))
    pairs = []
    for kind in ("unlabelled", "labelled") if teachers else ():
        for path in sorted((config.features / kind / "0").glob("*.npy")):
            if kind == "labelled" and not (config.speech and (config.speech / f"{path.stem}.json").exists()):
                continue  # nobody speaks there
            features = SpeechFeatures(config.features / kind, path.stem, copies, window.block + window.ahead, channels)
            motion = np.mean([predict(teacher, features.copies[0][0], REFERENCE) for teacher in teachers], axis=0)
            motion = amplify(motion, config.amplify)
            voice = path.stem.split("-")[0]
            emotion = np.zeros(len(EMOTIONS), np.float32)
            clip = SpeechClip(path.stem, f"taught_{voice}", "train", "", REFERENCE + motion, REFERENCE, emotion)
            pairs.append((clip, features))
    return pairs


def amplify(motion: np.ndarray, factor: float) -> np.ndarray:
    """Undo what averaging over teachers takes from the amplitude; eyes and brows as they are."""
    scale = np.ones((70, 1), np.float32)
    scale[:17] = scale[48:68] = factor
    return (motion * scale).astype(np.float32)


def fit_statistics(network: Network, pairs: list[tuple[SpeechClip, SpeechFeatures]]) -> None:
    """Set the constants that come from the data: feature scale, motion modes, face codes."""
    rng = np.random.default_rng(0)
    vector = network.config.channels // network.config.positions
    rows = []
    for _, features in pairs:
        array = features.copies[rng.choice(list(features.copies))][0]
        rows.append(array[rng.integers(len(array), size=12)].astype(np.float32).reshape(-1, vector))
    samples = np.concatenate(rows)
    network.feature_mean.copy_(torch.from_numpy(samples.mean(0)))
    network.feature_std.copy_(torch.from_numpy(samples.std(0) + 1e-3))
    clips = [clip for clip, _ in pairs]
    network.basis.copy_(
        torch.from_numpy(motion_modes(clips, network.config.modes, np.sqrt(point_weights().numpy()) + 0.05))
    )
    people = {clip.identity: clip.neutral.reshape(-1) for clip in clips}
    faces = np.stack(list(people.values()))
    _, values, vectors = np.linalg.svd(faces - faces.mean(0), full_matrices=False)
    count = min(network.config.face_codes, len(vectors))
    scaled = vectors[:count] / np.maximum(values[:count, None] / np.sqrt(len(faces)), 1e-6)
    network.face_mean.copy_(torch.from_numpy(faces.mean(0)))
    network.face_basis.zero_()
    network.face_basis[:, :count] = torch.from_numpy(scaled.T.astype(np.float32))


def train(
    config: SpeechTraining,
    pairs: list[tuple[SpeechClip, SpeechFeatures]],
    labelled: list[Labelled],
    minutes: float | None = None,
    resume: Path | None = None,
    report: int = 200,
    watch: Callable[[int, Network], None] | None = None,
) -> Network:
    """Optimise on the given recordings; returns the moving average of the weights, in evaluation mode.

    `watch` is called with the step and that average at every report.
    """
    torch.manual_seed(config.seed)
    network = load_checkpoint(resume)[0] if resume else Network(config.network)
    if not resume:
        fit_statistics(network, pairs)
    network.train()
    sampler = Sampler(pairs, labelled, config.network.window.block, config.blocks, config.seed, lead=config.lead)
    gains = Gains(len(sampler.identities))
    weights = point_weights()
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": [*others, *gains.parameters()], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))
    average = deepcopy(network).eval().requires_grad_(False)
    started = time.monotonic()
    seen: dict[str, float] = {}
    for step in range(config.steps):
        spent = (time.monotonic() - started) / (60 * minutes) if minutes else 0.0
        progress = max(step / config.steps, spent)
        if progress >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = (
                config.learning_rate
                * min(1.0, (step + 1) / 100)
                * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
            )
        batch = sampler.motion(config.batch)
        neutral = batch.neutral + 0.01 * torch.randn_like(batch.neutral)
        condition = network.condition(batch.emotion, neutral)
        drop = torch.rand(len(condition), 2) < torch.tensor([0.3, 0.5])  # often no emotion given, often the mean face
        condition = torch.cat([condition[:, :7] * ~drop[:, :1], condition[:, 7:] * ~drop[:, 1:]], -1)
        coefficients, _, _ = network(batch.blocks, condition)
        motion = network.motion(network.smooth(coefficients)) * gains(batch.who)
        terms = motion_loss(motion, batch.motion, batch.mask, weights)
        if labelled:
            speech = sampler.labels(config.label_batch)
            nobody = torch.zeros(len(speech.blocks), condition.shape[1])
            coefficients, logits, _ = network(speech.blocks, nobody)
            spoken = network.motion(network.smooth(coefficients))
            terms |= label_loss(spoken, logits, speech.labels, speech.mask, speech.still)
        loss = (
            sum(config.weights.get(name, 0.0) * value for name, value in terms.items())
            + 0.05 * gains.log.pow(2).mean()
            + gains.log.mean() ** 2
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            keep = min(0.995, (step + 1) / (step + 20))
            for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
                ours.lerp_(theirs, 1 - keep)
        for name, value in terms.items():
            seen[name] = 0.98 * seen.get(name, value.item()) + 0.02 * value.item()
        if report and (step + 1) % report == 0:
            line = " ".join(f"{name} {value:.3f}" for name, value in seen.items())
            print(f"step {step + 1} {time.monotonic() - started:.0f}s {line}", flush=True)
            if watch:
                watch(step + 1, average)
    return average


def main(config: Path, minutes: float | None = None, resume: Path | None = None) -> None:
    """Train on the `train` identities, print the measures on `val`, write checkpoint and ONNX."""
    from .export import export

    torch.set_num_threads(1)
    settings = SpeechTraining.load(config)
    pairs = attach_features(
        settings, load_speech_clips(settings.media, settings.landmarks, settings.lags, settings.lead)
    )
    chosen = [(clip, features) for clip, features in pairs if clip.split == "train" and clip.usable]
    network = train(settings, chosen + taught_recordings(settings), labelled_recordings(settings), minutes, resume)
    rows = evaluate_clips(network, [pair for pair in pairs if pair[0].split == "val"], settings.media)
    print(table(rows))
    save_checkpoint(settings.output, network, {"val": rows})
    export(network, settings.output.with_suffix(".onnx"))
