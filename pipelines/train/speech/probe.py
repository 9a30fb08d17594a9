"""A linear map of the encoder's features beside the shipped network: the baseline to beat.

    python -m pipelines.train.speech.probe --media DIR [--media DIR] --data runs/s2l [--checkpoint FILE]

Ridge regression from features within 0.2 s to either side (it sees the future, so it can not run live) to the motion,
after `pipelines.train.speech.prepare` and `offsets`. People of `train` are judged by a regression on the others; `val`
and `test` by one on all of `train`. Beside it the energy of the sound, a still mouth, and the shipped network, but not
on `train`, which it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pipelines.command import command
from pipelines.data.curves import envelope
from speechhead.core.arrays import Array
from speechhead.speech.model import Speech2Landmarks

from .checkpoint import load_checkpoint
from .data import SpeechClip, load_speech_clips, targets_at
from .evaluate import predict
from .measures import Row, measure, over_people, table
from .network import Network
from .recordings import list_recordings

REACH, SIZE = 5, 64
"""Frames to either side that the regression sees; principal directions kept of each feature vector."""
FOLDS = 5
PENALTY = 0.03
"""Of the regression's squared weights, as a share of the features' mean square."""
SHRUNK = 3.0
"""The penalty that serves people left out best (`curves`): correlations are higher, ranges and closures less."""
POINTS = 210

Method = Callable[[SpeechClip], Array]


@dataclass(frozen=True)
class Compressed:
    """Features as principal directions: mean [vector], directions [vector, SIZE], their scales half undone."""

    mean: Array
    directions: Array

    @staticmethod
    def fit(sequences: Sequence[Array]) -> Compressed:
        """From features [T, vectors, vector] of several recordings."""
        rng = np.random.default_rng(0)
        drawn = np.concatenate([one[rng.integers(len(one), size=16)].reshape(-1, one.shape[-1]) for one in sequences])
        mean = drawn.mean(0)
        _, scale, rows = np.linalg.svd(drawn - mean, full_matrices=False)
        size = min(SIZE, len(rows))
        return Compressed(mean, (rows[:size] / np.sqrt(scale[:size, None] / np.sqrt(len(drawn)))).T)

    def stacked(self, features: Array) -> Array:
        """float32 [T, vectors, vector] -> [T, (2 REACH + 1) * vectors * SIZE + 1], the last of them 1."""
        small = ((features - self.mean) @ self.directions).reshape(len(features), -1)
        padded = np.pad(small, ((REACH, REACH), (0, 0)), mode="edge")
        parts = [padded[shift : shift + len(small)] for shift in range(2 * REACH + 1)]
        return np.concatenate([*parts, np.ones((len(small), 1), np.float32)], axis=1).astype(np.float32)


def features_of(folder: Path, stem: str) -> Array:
    """Prepared features of a recording as it is, frame by frame: float32 [T, 2, vector]."""
    blocks = np.load(folder / "clips" / "0" / f"{stem}.npy")[:, :4].astype(np.float32)  # a block's own two frames
    return blocks.reshape(len(blocks) * 2, 2, -1)


Moments = tuple[Array, Array]
"""Sums over frames: features by features [width, width], and features by motion [width, POINTS]."""


def moments(seen: Array, clip: SpeechClip) -> Moments:
    """Of a recording whose stacked features are `seen` [T, width], its own offset undone."""
    motion, inside = targets_at(clip.motion, np.arange(len(seen), dtype=np.float64) + clip.lag)
    seen, motion = seen[inside > 0], motion[inside > 0].reshape(-1, POINTS)
    return seen.T @ seen, seen.T @ motion


def solved(covariance: Array, product: Array, penalty: float = PENALTY) -> Array:
    """Weights [width, POINTS] of the regression; the last feature, which is 1, costs nothing."""
    cost = penalty * np.trace(covariance[:-1, :-1]) / len(covariance) * np.eye(len(covariance), dtype=covariance.dtype)
    cost[-1, -1] = 0
    return np.linalg.solve(covariance + cost, product).astype(np.float32)


class Probe:
    """The regression, as sums over recordings, so that people can be left out.

    Parameters
    ----------
    clips : of `train`; a person counts as the root of their length
    features : what gives the features [T, 2, vector] of a clip
    """

    def __init__(self, clips: Sequence[SpeechClip], features: Callable[[str], Array]) -> None:
        self._features = features
        self._compressed = Compressed.fit([features(clip.stem) for clip in clips])
        people = sorted({clip.identity for clip in clips})
        self._fold = {name: number % FOLDS for number, name in enumerate(people)}
        seconds = {name: sum(len(clip.motion) for clip in clips if clip.identity == name) for name in people}
        width = self._compressed.stacked(features(clips[0].stem)).shape[1]
        covariance, product = np.zeros((FOLDS, width, width)), np.zeros((FOLDS, width, POINTS))
        for clip in clips:
            seen = self._compressed.stacked(features(clip.stem))
            weight, fold = seconds[clip.identity] ** -0.5, self._fold[clip.identity]
            squares, products = moments(seen, clip)
            covariance[fold] += weight * squares
            product[fold] += weight * products
        self._covariance, self._product = covariance, product
        self._learn(PENALTY)

    def _learn(self, penalty: float) -> None:
        covariance, product = self._covariance.sum(0), self._product.sum(0)
        left = zip(self._covariance, self._product, strict=True)
        self._weights = [solved(covariance - one, product - other, penalty) for one, other in left]
        self._all = solved(covariance, product, penalty)

    def shrunk(self, penalty: float) -> Probe:
        """The regression with another penalty."""
        other = copy(self)
        other._learn(penalty)
        return other

    def __call__(self, clip: SpeechClip) -> Array:
        """Motion [T, 70, 3]; a person of the regression's own is judged without them."""
        fold = self._fold.get(clip.identity)
        weights = self._all if fold is None else self._weights[fold]
        return (self._compressed.stacked(self._features(clip.stem)) @ weights).reshape(-1, 70, 3)


def energy(clip: SpeechClip) -> Array:
    """The lips open with the root of the sound's energy; nothing else moves."""
    assert clip.recording is not None
    motion = np.zeros_like(clip.motion)
    loud = envelope(clip.recording.sound(), len(motion))
    motion[:, 65:68, 1] = (0.1 * loud / max(float(np.percentile(loud, 95)), 1e-6))[:, None]
    return motion


def still(clip: SpeechClip) -> Array:
    """A mouth that stands."""
    return np.zeros_like(clip.motion)


def shipped(model: Speech2Landmarks) -> Method:
    """The network that ships."""

    def speak(clip: SpeechClip) -> Array:
        assert clip.recording is not None
        return model.whole(clip.recording.sound(), neutral=clip.neutral)

    return speak


def trained(network: Network, folder: Path) -> Method:
    """A network in training, on prepared features."""
    frames = network.config.window.block + network.config.window.ahead

    def speak(clip: SpeechClip) -> Array:
        blocks = np.load(folder / "clips" / "0" / f"{clip.stem}.npy")
        return predict(network, blocks.reshape(len(blocks), frames, -1), clip.neutral)

    return speak


def judged(clips: Sequence[SpeechClip], method: Method, own_time: bool) -> Row:
    """`measures.over_people` of a method; own_time: with the offset of each clip undone, else as the files are."""
    rows = [measure(method(clip), clip.motion, round(clip.lag) if own_time else 0) for clip in clips]
    return over_people(rows, [clip.identity for clip in clips])


def main(
    media: Annotated[list[Path], typer.Option(help="Clips with catalog.csv, or shards; may be repeated.")],
    data: Annotated[Path, typer.Option(help="Folder that `prepare` and `offsets` filled.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Also this network, as training saved it.")] = None,
) -> None:
    """Print a table for the people of each split of each folder."""
    folders = {one: {recording.stem for recording in list_recordings([one])} for one in media}
    clips = load_speech_clips(list_recordings(media), data / "meshes", data / "lags.json")
    clips = [clip for clip in clips if (data / "clips" / "0" / f"{clip.stem}.npy").exists()]
    train = [clip for clip in clips if clip.split == "train" and clip.usable]
    methods: dict[str, Method] = {"still": still, "energy": energy}
    probe = Probe(train, lambda stem: features_of(data, stem))
    methods |= {"ridge probe": probe, "ridge probe, shrunk": probe.shrunk(SHRUNK)}
    methods["shipped"] = shipped(Speech2Landmarks.load(threads=1))
    if checkpoint:
        methods[checkpoint.stem] = trained(load_checkpoint(checkpoint)[0], data)
    for folder, stems in folders.items():
        for split in ("train", "val", "test"):
            chosen = [clip for clip in clips if clip.stem in stems and clip.split == split]
            if split == "train":
                chosen = [clip for clip in chosen if clip.usable]
            if chosen:
                print(f"\n{folder.name} {split}, {'offsets undone' if split == 'train' else 'as the files are'}\n")
                names = [name for name in methods if split != "train" or name != "shipped"]
                print(table({name: judged(chosen, methods[name], split == "train") for name in names}), flush=True)


app = command(main)


if __name__ == "__main__":
    app()
