"""The recurrent network from encoder features to landmark motion, as torch module; the runtime has it as ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechhead.core.controls import EMOTIONS
from speechhead.speech.encoders import WindowConfig

from .losses import opening

POINTS = 70


@dataclass(frozen=True)
class NetworkConfig:
    """Everything needed to rebuild the network; stored inside the checkpoint.

    encoder: name for `open_encoder`; identity: what tells it from others of its name or size; window: how sound is
    cut for it; channels: its features per video frame; positions: feature vectors per video frame (2 at 50 Hz);
    project: width per feature vector;
    width: of the recurrent state; modes: of the motion basis; face_codes: of the neutral face's basis;
    visemes: classes of the auxiliary head; dropout_*: of input channels and of hidden units; smooth: weights of the
    frame before, the frame and the frame after in what is shown.
    """

    encoder: str = "whisper"
    identity: str = ""
    window: WindowConfig = field(default_factory=WindowConfig)
    channels: int = 768
    positions: int = 2
    project: int = 96
    width: int = 256
    modes: int = 24
    face_codes: int = 6
    visemes: int = 14
    dropout_input: float = 0.25
    dropout: float = 0.4
    smooth: tuple[float, float, float] = (0.2, 0.5, 0.3)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> NetworkConfig:
        """Inverse of `dataclasses.asdict`."""
        smooth = tuple(values.get("smooth", NetworkConfig.smooth))
        return NetworkConfig(**{**values, "window": WindowConfig(**values.get("window", {})), "smooth": smooth})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Network(nn.Module):
    """features, emotion, neutral face -> motion basis coefficients at 25 Hz.

    Each video frame sees its own feature vectors and those of the `ahead` frames after it, which its
    block's window has anyway. Emotion and face modulate the input of the GRU (FiLM, Perez et al., 2018).
    """

    feature_mean: Tensor
    feature_std: Tensor
    basis: Tensor
    face_mean: Tensor
    face_basis: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        vector = config.channels // config.positions
        stacked = config.positions * (1 + config.window.ahead) * config.project
        self.register_buffer("feature_mean", torch.zeros(vector))
        self.register_buffer("feature_std", torch.ones(vector))
        self.register_buffer("basis", torch.zeros(config.modes, POINTS * 3))  # rows scaled to unit coefficient variance
        self.register_buffer("face_mean", torch.zeros(POINTS * 3))
        self.register_buffer("face_basis", torch.zeros(POINTS * 3, config.face_codes))
        self.project = nn.Linear(vector, config.project)
        self.mix = nn.Linear(stacked, config.width)
        self.film = nn.Linear(len(EMOTIONS) + config.face_codes, 2 * config.width)
        self.gru = nn.GRU(config.width, config.width, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(config.width, config.width), nn.GELU(), nn.Linear(config.width, config.modes)
        )
        self.viseme_head = nn.Linear(config.width, config.visemes)
        nn.init.zeros_(self.film.weight), nn.init.zeros_(self.film.bias)
        nn.init.normal_(self.head[-1].get_parameter("weight"), std=0.02)
        nn.init.zeros_(self.head[-1].get_parameter("bias"))

    def condition(self, emotion: Tensor, neutral: Tensor) -> Tensor:
        """float [N, 7] and [N, 70, 3] -> [N, 7 + face_codes]."""
        face = (neutral.reshape(len(neutral), -1) - self.face_mean) @ self.face_basis
        return torch.cat([emotion, face.clamp(-2.5, 2.5)], -1)

    def inputs(self, blocks: Tensor, condition: Tensor) -> Tensor:
        """float [N, B, block + ahead, channels] -> GRU inputs [N, B * block, width]."""
        n, b, frames, channels = blocks.shape
        window, positions = self.config.window, self.config.positions
        vectors = blocks.reshape(n, b, frames, positions, channels // positions)
        vectors = (vectors - self.feature_mean) / self.feature_std
        if self.training:  # whole channels, over the whole sequence: no single cue may be relied on
            mask = torch.rand(n, 1, 1, 1, vectors.shape[-1]) > self.config.dropout_input
            vectors = vectors * mask / (1 - self.config.dropout_input)
        vectors = F.gelu(self.project(vectors))
        seen = [vectors[:, :, j : j + 1 + window.ahead].reshape(n, b, 1, -1) for j in range(window.block)]
        x = self.mix(torch.cat(seen, 2).reshape(n, b * window.block, -1))
        scale, shift = self.film(condition)[:, None].chunk(2, -1)
        x = F.gelu(x * (1 + scale) + shift)
        return F.dropout(x, self.config.dropout, self.training)

    def forward(self, blocks: Tensor, condition: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Whole sequences: coefficients [N, T, modes], viseme logits [N, T, visemes], last GRU state [1, N, width]."""
        hidden, state = self.gru(self.inputs(blocks, condition), state)
        hidden = F.dropout(hidden, self.config.dropout / 2, self.training)
        return self.head(hidden), self.viseme_head(hidden), state

    def smooth(self, coefficients: Tensor) -> Tensor:
        """Coefficients [N, T, modes] as they are shown; at run time `speechhead.speech.smoothing` does it."""
        before, here, after = self.config.smooth
        earlier = torch.cat([coefficients[:, :1], coefficients[:, :-1]], 1)
        later = torch.cat([coefficients[:, 1:], coefficients[:, -1:]], 1)
        return before * earlier + here * coefficients + after * later

    def motion(self, coefficients: Tensor) -> Tensor:
        """[..., modes] -> normalised displacement [..., 70, 3]."""
        return (coefficients @ self.basis).reshape(*coefficients.shape[:-1], POINTS, 3)

    def speak(self, coefficients: Tensor) -> Tensor:
        """Like `motion`, for use instead of training: lips that meet do not pass through each other."""
        return keep_apart(self.motion(coefficients))


UPPER_LIP, LOWER_LIP = [49, 50, 51, 52, 53, 61, 62, 63], [55, 56, 57, 58, 59, 65, 66, 67]
PRESSED = 0.01
"""How far lips may close beyond the neutral face, whose lips touch: pressed lips, in outer-eye distances."""


def opened_by(motion: Tensor, more: Tensor) -> Tensor:
    """Displacements [..., 70, 3] with lips apart by `more` [...], in outer-eye distances: half each lip."""
    more = more[..., None]
    share = torch.zeros(POINTS)
    share[LOWER_LIP], share[UPPER_LIP] = 0.5, -0.5
    return motion + torch.stack([torch.zeros_like(more * share), more * share, torch.zeros_like(more * share)], -1)


def keep_apart(motion: Tensor) -> Tensor:
    """Move both lips of displacements [..., 70, 3] back to where they touch, if they went further."""
    return opened_by(motion, torch.relu(-PRESSED - opening(motion)))


class Beside(Protocol):
    """What speaks beside the networks: `LinearVoice` of `pipelines.train.speech.linear`."""

    @property
    def memory(self) -> int:
        """Numbers carried from block to block."""

    def __call__(self, features: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """[frames, channels], [memory] -> motion [block, 70, 3], the next memory."""

    def beside(self, motion: Tensor, said: Tensor) -> Tensor:
        """The networks' motion with what it says."""


class Step(nn.Module):
    """One block with explicit state, for export: features [1, frames, channels] -> motion [block, 70, 3].

    Several networks speak as one: their mean motion by shares. The state is all of theirs, one after the other, and
    then the memory of a voice beside them.
    """

    def __init__(self, networks: Sequence[Network], shares: Sequence[float], voice: Beside | None = None) -> None:
        super().__init__()
        self.networks = nn.ModuleList(network.eval() for network in networks)
        self.voice = voice
        self._shares = [share / sum(shares) for share in shares]
        self._widths = [network.config.width for network in networks] + ([voice.memory] if voice else [])

    @property
    def width(self) -> int:
        """Of the state."""
        return sum(self._widths)

    def forward(self, features: Tensor, emotion: Tensor, neutral: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[1, block + ahead, channels], [1, 7], [1, 70, 3], [1, 1, widths] -> [block, 70, 3], [1, 1, widths]."""
        motions, states, parts = [], [], state.split(self._widths, -1)
        for network, share, own in zip(self.networks, self._shares, parts):
            assert isinstance(network, Network)
            coefficients, _, next_state = network(features[:, None], network.condition(emotion, neutral), own)
            motions.append(share * network.motion(coefficients[0]))
            states.append(next_state)
        motion = keep_apart(torch.stack(motions).sum(0))
        if self.voice is not None:
            said, memory = self.voice(features[0], parts[-1][0, 0])
            motion = keep_apart(self.voice.beside(motion, said))
            states.append(memory[None, None])
        return motion, torch.cat(states, -1)
