"""A third voice: a linear map of the encoder's features that speaks beside the networks.

    python -m pipelines.train.speech.linear --config pipelines/configs/linear_voice.json

After `pipelines.train.speech.prepare` and `offsets`: ridge regression, strongly penalised, from what a live stream has
of the features about a frame, learned from all people of `train` and from sound in which nobody speaks. It errs
differently from the networks, so together they err less. `export --linear` writes it into their file. Where their lips
are shut it may not open them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn

from pipelines.command import command
from pipelines.train.config import read
from pipelines.train.run_files import write_tensors
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.speech.encoders import WindowConfig

from .data import SpeechClip, load_speech_clips, targets_at
from .listeners import as_heard
from .losses import lip_opening, opening, point_weights
from .network import POINTS, NetworkConfig, opened_by
from .probe import SIZE, Compressed
from .ranges import stretched
from .recordings import list_recordings

Sums = NDArray[np.float64]
"""What regression adds up, and what it gives."""


@dataclass(frozen=True)
class LinearConfig:
    """Everything needed to rebuild the map.

    encoder, identity, window, channels, positions : as of `NetworkConfig`
    size : principal directions kept of a feature vector; before, after : frames that it sees of what was and what comes
    share : of the map in what is said, along x, y and z; parted : openings of the networks from which on it may open
    the lips further, a little and then in full; shut : by how much less lips are open, which keeps closures
    """

    encoder: str = "whisper"
    identity: str = ""
    window: WindowConfig = field(default_factory=WindowConfig)
    channels: int = 768
    positions: int = 2
    size: int = SIZE
    before: int = 3
    after: int = 2
    rank: int = 24
    share: tuple[float, float, float] = (0.3, 0.3, 0.3)
    parted: tuple[float, float] = (0.01, 0.05)
    shut: float = 0.0

    @property
    def code(self) -> int:
        """Numbers kept of a frame."""
        return self.positions * self.size

    @staticmethod
    def from_dict(values: dict[str, Any]) -> LinearConfig:
        """Inverse of `dataclasses.asdict`."""
        return LinearConfig(
            **values
            | {"window": WindowConfig(**values["window"])}
            | {name: tuple(values[name]) for name in ("share", "parted")}
        )


class LinearVoice(nn.Module):
    """features of a block and those of the frames before it -> motion; memory of zeros is silence."""

    silence: Tensor
    directions: Tensor
    weights: Tensor
    basis: Tensor
    rest: Tensor

    def __init__(self, config: LinearConfig) -> None:
        super().__init__()
        self.config = config
        vector = config.channels // config.positions
        seen = (config.before + 1 + config.after) * config.code
        self.register_buffer("silence", torch.zeros(vector))
        self.register_buffer("directions", torch.zeros(vector, config.size))
        self.register_buffer("weights", torch.zeros(seen, config.rank))
        self.register_buffer("basis", torch.zeros(config.rank, POINTS * 3))
        self.register_buffer("rest", torch.zeros(POINTS * 3))

    @property
    def memory(self) -> int:
        """Numbers carried from block to block: the frames before it."""
        return self.config.before * self.config.code

    def seen(self, features: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """[frames, channels] of a block and what comes, and [memory] -> [block, seen], and the next memory."""
        config = self.config
        codes = (features.reshape(-1, config.positions, len(self.silence)) - self.silence) @ self.directions
        line = torch.cat([memory.reshape(config.before, config.code), codes.reshape(-1, config.code)])
        width, block = config.before + 1 + config.after, config.window.block
        rows = torch.stack([line[frame : frame + width].reshape(-1) for frame in range(block)])
        return rows, line[block : block + config.before].reshape(-1)

    def forward(self, features: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """[frames, channels], [memory] -> motion [block, 70, 3], the next memory."""
        rows, memory = self.seen(features, memory)
        return (rows @ self.weights @ self.basis + self.rest).reshape(-1, POINTS, 3), memory

    def beside(self, motion: Tensor, said: Tensor) -> Tensor:
        """The networks' motion [T, 70, 3] with a share of what the map says [T, 70, 3]."""
        (low, high), share = self.config.parted, torch.tensor(self.config.share)
        mixed = motion + share * (said - motion)
        wider = torch.relu(opening(mixed) - opening(motion))
        heard = ((opening(motion) - low) / (high - low)).clamp(0, 1)
        return opened_by(mixed, (heard - 1) * wider - self.config.shut)

    @property
    def vector(self) -> int:
        """Length of a feature vector."""
        return len(self.silence)

    def take(self, **values: NDArray[Any]) -> None:
        """Buffers by name."""
        for name, value in values.items():
            self.get_buffer(name).copy_(torch.from_numpy(np.asarray(value, np.float32)))

    def whole(self, blocks: Array) -> Array:
        """Motion [T, 70, 3] of a recording from its features [blocks, frames, channels]."""
        memory, parts = torch.zeros(self.memory), []
        with torch.inference_mode():
            for block in torch.from_numpy(blocks.astype(np.float32)):
                motion, memory = self(block, memory)
                parts.append(motion)
        return torch.cat(parts).numpy()

    def heard(self, blocks: Array) -> Array:
        """What the map sees [T, seen + 1] of a recording's features [blocks, frames, channels]; the last of it is 1."""
        config, frames = self.config, blocks.shape[1]
        vectors = blocks.astype(np.float32).reshape(len(blocks), frames, config.positions, -1)
        codes = ((vectors - self.silence.numpy()) @ self.directions.numpy()).reshape(len(blocks), frames, config.code)
        block = config.window.block
        past = np.concatenate(
            [np.zeros((config.before, config.code), np.float32), codes[:, :block].reshape(-1, config.code)]
        )
        lines = np.lib.stride_tricks.sliding_window_view(past, config.before + block, axis=0)[::block]
        lines = np.concatenate([np.moveaxis(lines, -1, 1), codes[:, block:]], axis=1)
        width = config.before + 1 + config.after
        rows = np.stack([lines[:, frame : frame + width].reshape(len(lines), -1) for frame in range(block)], axis=1)
        rows = rows.reshape(len(lines) * block, -1)
        return np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)


@dataclass(frozen=True)
class LinearTraining:
    """The JSON file of `--config`.

    media, features, lags, lead, output : as of `SpeechTraining`
    penalty : of the squared weights, as a share of the features' mean square; much of it serves strangers
    quiet : how much sound in which nobody speaks counts, beside a person; alike : how far people who open wide and who
    open little are made alike, 1 entirely
    opening, chin, corners, width, protrusion : factors on how far the map goes, which the penalty has taken from it
    """

    media: tuple[Path, ...]
    features: Path
    output: Path
    lags: Path | None = None
    lead: float = 0.25
    penalty: float = 1.0
    quiet: float = 1.0
    alike: float = 0.5
    opening: float = 1.0
    chin: float = 1.0
    corners: float = 1.0
    width: float = 1.0
    protrusion: float = 1.0
    voice: LinearConfig = field(default_factory=LinearConfig)

    def gained(self, motion: NDArray[Any]) -> Array:
        """Motion [..., 70, 3] with the factors on it."""
        return self.opening * stretched(motion, self.chin, self.corners, self.width, self.protrusion)


def fitted(config: LinearTraining, clips: Sequence[SpeechClip], sounds: Mapping[str, Array]) -> LinearVoice:
    """The map of people of `train`, each of whom counts as the root of their length.

    Of each clip its own mean of features and of motion is no matter: what tells voices and faces apart is not learned.

    Parameters
    ----------
    sounds : features [blocks, frames, channels] by stem; those of no clip are of nobody speaking, the last is silence
    """
    voice = LinearVoice(config.voice)
    block, positions = config.voice.window.block, config.voice.positions
    own = {stem: one[:, :block].astype(np.float32).reshape(-1, positions, voice.vector) for stem, one in sounds.items()}
    quiet = sorted(set(sounds) - {clip.stem for clip in clips})
    voice.take(directions=Compressed.fit([own[clip.stem] for clip in clips]).directions[:, : config.voice.size])
    if quiet:
        voice.take(silence=own[quiet[-1]].mean((0, 1)))
    pairs = [paired(voice.heard(sounds[clip.stem]), clip, config.lead) for clip in clips]
    weight, size = people(clips)
    factor = {name: (float(np.mean(list(size.values()))) / size[name]) ** config.alike for name in size}
    middle = [np.concatenate([pair[k] for pair in pairs]).mean(0) for k in (0, 1)]
    squares, products = np.zeros((len(middle[0]),) * 2), np.zeros((len(middle[0]), 3 * POINTS))
    for clip, (seen, motion) in zip(clips, pairs, strict=True):
        seen, motion = seen - seen.mean(0) + middle[0], factor[clip.identity] * (motion - motion.mean(0)) + middle[1]
        squares += weight[clip.identity] * seen.T @ seen
        products += weight[clip.identity] * seen.T @ motion
    frames = sum(len(own[stem]) for stem in quiet)
    for stem in quiet:
        seen = voice.heard(sounds[stem]).astype(np.float64)
        squares += config.quiet * frames**-0.5 * seen.T @ seen
    weights, basis, rest = regressed(squares, products, config.penalty, config.voice.rank)
    far, at = (config.gained(one.reshape(-1, POINTS, 3)).reshape(one.shape) for one in (basis, rest))
    voice.take(weights=weights, basis=far, rest=at)
    return voice


def paired(seen: Array, clip: SpeechClip, lead: float) -> tuple[Sums, Sums]:
    """What is seen [n, seen + 1] of frames whose motion [n, motion] is known, the clip's own offset undone."""
    motion, inside = targets_at(clip.motion, np.arange(len(seen), dtype=np.float64) + clip.lag + lead)
    return seen[inside > 0].astype(np.float64), motion[inside > 0].reshape(-1, 3 * POINTS).astype(np.float64)


def people(clips: Sequence[SpeechClip]) -> tuple[dict[str, float], dict[str, float]]:
    """By person: one over the root of their frames, and how far their lips move, a standard deviation."""
    opened: dict[str, list[Array]] = {}
    for clip in clips:
        opened.setdefault(clip.identity, []).append(lip_opening(clip.motion))
    joined = {name: np.concatenate(own) for name, own in opened.items()}
    weight = {name: len(own) ** -0.5 for name, own in joined.items()}
    return weight, {name: max(float(own.std()), 1e-3) for name, own in joined.items()}


def regressed(squares: Sums, products: Sums, penalty: float, rank: int) -> tuple[Sums, Sums, Sums]:
    """Reduced-rank ridge regression from sums over frames, the last feature being 1.

    Parameters
    ----------
    squares, products : float64 [seen + 1, seen + 1], [seen + 1, motion]
    penalty : of the squared weights, as a share of the features' variance

    Returns
    -------
    weights [seen, rank] and basis [rank, motion], which lose least of the lips' motion, and what is added [motion]
    """
    count, mean, middle = squares[-1, -1], squares[-1, :-1] / squares[-1, -1], products[-1] / squares[-1, -1]
    covariance = squares[:-1, :-1] - count * np.outer(mean, mean)
    cost = penalty * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    weights = np.linalg.solve(covariance + cost, products[:-1] - count * np.outer(mean, middle))
    important = np.repeat(np.sqrt(point_weights().numpy() + 1e-4), 3)
    _, directions = np.linalg.eigh((weights * important).T @ covariance @ (weights * important))
    kept = directions[:, ::-1][:, :rank]
    return (weights * important) @ kept, kept.T / important, middle - mean @ weights


def save_voice(path: Path, voice: LinearVoice) -> None:
    """Weights as safetensors, the config as JSON in its metadata."""
    write_tensors(path, voice.state_dict(), {"config": json.dumps(asdict(voice.config))})


def load_voice(path: Path) -> LinearVoice:
    """What `save_voice` wrote."""
    with safe_open(path, "pt") as stream:
        voice = LinearVoice(LinearConfig.from_dict(json.loads(stream.metadata()["config"])))
        voice.load_state_dict({name: stream.get_tensor(name) for name in stream.keys()})  # noqa: SIM118
    return voice.eval()


def prepared(folder: Path, stems: Sequence[str], frames: int) -> dict[str, Array]:
    """Features [blocks, frames, channels] of recordings as they are, and, after them, of nobody speaking."""
    paths = [folder / "clips" / "0" / f"{stem}.npy" for stem in stems]
    paths += sorted((folder / "labelled" / "0").glob("nobody_*.npy"))
    found = {path.stem: np.load(path) for path in paths if path.exists()}
    return {stem: one.reshape(len(one), frames, -1) for stem, one in found.items()}


def main(config: Annotated[Path, typer.Option(help="JSON file, see LinearTraining.")]) -> None:
    """Learn the map from all people of `train`."""
    training = read(LinearTraining, config)
    heard = as_heard(NetworkConfig(), training.features)
    voice = replace(training.voice, encoder=heard.encoder, identity=heard.identity, channels=heard.channels)
    training = replace(training, voice=voice)
    clips = load_speech_clips(list_recordings(training.media), training.features / "meshes", training.lags)
    clips = [clip for clip in clips if clip.split == "train" and clip.usable]
    window = training.voice.window
    sounds = prepared(training.features, [clip.stem for clip in clips], window.block + window.ahead)
    clips = [clip for clip in clips if clip.stem in sounds]
    save_voice(training.output, fitted(training, clips, sounds))
    seconds = sum(len(clip.motion) for clip in clips) / FPS
    print(f"{training.output}: {len({clip.identity for clip in clips})} people, {seconds:.0f} s")


app = command(main)


if __name__ == "__main__":
    app()
