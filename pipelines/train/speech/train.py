"""Train Speech2Landmarks: `python -m pipelines.train speech2landmarks --config FILE`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from pipelines.train.config import ConfigError, read
from pipelines.train.run_files import claimed
from pipelines.train.stopping import Stopping
from speechhead.core.controls import EMOTIONS
from speechhead.face.landmarks import REFERENCE

from .batches import Labelled, Sampler
from .checkpoint import load_checkpoint, load_onnx, save_checkpoint
from .data import SpeechClip, SpeechFeatures, load_speech_clips, motion_modes
from .evaluate import evaluate_clips, predict, table
from .learner import SpeechLearner, running
from .listeners import as_heard
from .losses import point_weights
from .network import Network, NetworkConfig
from .recordings import list_recordings
from .visemes import read_phonemes


@dataclass(frozen=True)
class Member:
    """One network of several that a config trains: what differs from the config itself."""

    seed: int
    width: int | None = None
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SpeechTraining:
    """The JSON file of `--config`.

    media: folders of clips with a catalogue, or of shards; features: the folder that `prepare` filled; speech: folder
    of recordings with phonemes, may be absent; lags: JSON of `offsets`;
    teachers: checkpoints whose mean motion, amplified, on undisturbed speech without pictures is the truth for it;
    lead: frames by which motion leads the sound (recordings do by one to two, half as much is never noticed);
    layer: [first, last) stored channels to use, or
    None for all; copies: augmented copies per recording; steps: optimiser steps (fewer if `--minutes` end
    first); batch, label_batch: crops with motion and with phonemes; blocks: length of a crop;
    weights: of each loss term; output: checkpoint to write; keep_every: steps between two states of the run, written
    beside it; emphasis: factors on how often people are drawn, by the beginning of their names; start: checkpoint or
    ONNX file of a network to go on from, with its own shape and statistics; blend: share of what is learned from there
    in the weights that are saved, the rest being the start's; members: several networks out of one config, the seed
    added to the name of each one's output.
    """

    media: tuple[Path, ...]
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

    keep_every: int = 100
    emphasis: dict[str, float] = field(default_factory=dict)
    start: Path | None = None
    blend: float = 1.0
    members: tuple[Member, ...] = ()

    @property
    def state(self) -> Path:
        """File with all that the run needs to go on."""
        return self.output.with_suffix(".resume.pt")

    def runs(self) -> list[SpeechTraining]:
        """The config of each member; itself where there are none."""
        return [
            replace(
                self,
                seed=one.seed,
                network=replace(self.network, width=one.width or self.network.width),
                weights=self.weights | one.weights,
                output=self.output.with_stem(f"{self.output.stem}_{one.seed}"),
                members=(),
            )
            for one in self.members
        ] or [self]

    @staticmethod
    def load(path: Path) -> SpeechTraining:
        """From a JSON file; ConfigError for a field that is missing, unknown or of the wrong type."""
        return read(SpeechTraining, path)


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
    keep: Path | None = None,
    stopping: Stopping | None = None,
) -> Network:
    """Optimise on the given recordings; returns the moving average of the weights, in evaluation mode.

    Parameters
    ----------
    minutes : end after so long, the schedule fitted to it
    resume : file that an earlier run wrote to `keep`; without `minutes` the run then ends in the same bits
    report : steps between two lines of losses, none if 0
    keep : file for the state of the run, written every `config.keep_every` steps; stopping : whether it is to end
    """
    torch.manual_seed(config.seed)
    network = begin(config, pairs)
    first = {name: value.clone() for name, value in network.state_dict().items()}
    sampler = Sampler(pairs, labelled, network.config.window.block, config.blocks, config.seed, lead=config.lead)
    sampler.emphasise(config.emphasis)
    learner = SpeechLearner(network, sampler, config.learning_rate, config.weight_decay, config.weights)
    if resume:
        learner.restore(resume)
    stopped = stopping or Stopping()
    started = time.monotonic()
    seen: dict[str, float] = {}
    while learner.step < config.steps and not stopped:
        spent = (time.monotonic() - started) / (60 * minutes) if minutes else 0.0
        progress = max(learner.step / config.steps, spent)
        if progress >= 1:
            break
        seen = running(seen, learner.learn(config.batch, config.label_batch, progress).items())
        if report and learner.step % report == 0:
            line = " ".join(f"{name} {value:.3f}" for name, value in seen.items())
            print(f"step {learner.step} {time.monotonic() - started:.0f}s {line}", flush=True)
        if keep and learner.step % config.keep_every == 0:
            learner.save(keep)
    if keep:
        learner.save(keep)
    if config.blend < 1:
        both = learner.average.state_dict()
        blended = {name: torch.lerp(first[name], both[name], config.blend) for name in both}
        learner.average.load_state_dict(blended)
    return learner.average


def begin(config: SpeechTraining, pairs: list[tuple[SpeechClip, SpeechFeatures]]) -> Network:
    """A new network with the statistics of the recordings, or the one that the config starts from."""
    if config.start is None:
        network = Network(config.network)
        fit_statistics(network, pairs)
        return network
    opened = load_onnx(config.start) if config.start.suffix == ".onnx" else load_checkpoint(config.start)[0]
    own = config.network
    shape = replace(opened.config, smooth=own.smooth, dropout=own.dropout, dropout_input=own.dropout_input)
    network = Network(shape)
    network.load_state_dict(opened.state_dict())
    return network


def main(config: Path, minutes: float | None = None, resume: Path | None = None) -> None:
    """Train on the `train` identities, print the measures on `val`, write checkpoints and ONNX.

    A config with `members` trains each of them that is not there yet; `resume` belongs to the one it is named after.
    """
    torch.set_num_threads(1)
    settings = SpeechTraining.load(config)
    for run in settings.runs():
        if len(settings.members) > 1 and run.output.exists():
            continue
        own = resume if resume and (not settings.members or resume == run.state) else None
        if not train_one(run, minutes, own):
            return


def train_one(settings: SpeechTraining, minutes: float | None, resume: Path | None) -> bool:
    """One network of a config: trained, measured, saved and exported; False if it was told to end before."""
    from .export import export

    settings = replace(settings, network=as_heard(settings.network, settings.features))
    recordings = list_recordings(settings.media)
    clips = load_speech_clips(recordings, settings.features / "meshes", settings.lags, settings.lead)
    pairs = attach_features(settings, clips)
    chosen = [(clip, features) for clip, features in pairs if clip.split == "train" and clip.usable]
    if not chosen:
        raise ConfigError(f"{settings.features}: no features of a train clip. Run pipelines.train.speech.prepare.")
    chosen += taught_recordings(settings)
    with claimed(settings.output.parent, settings.output.name), Stopping() as stopping:
        labelled = labelled_recordings(settings)
        network = train(settings, chosen, labelled, minutes, resume, keep=settings.state, stopping=stopping)
    if stopping:
        stopping.tell(settings.state)
        return False
    rows = evaluate_clips(network, [pair for pair in pairs if pair[0].split == "val"])
    if rows:
        print(table(rows))
    save_checkpoint(settings.output, network, {"val": rows})
    export([network], settings.output.with_suffix(".onnx"))
    return True
