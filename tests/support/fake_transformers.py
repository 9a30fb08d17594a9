"""Networks with the interface of the transformers package, of a few numbers each, and the package itself."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor, nn


class FakeWav2Vec2(nn.Module):
    """A feature vector of every 320 samples, one fewer than there are, as convolutions without padding leave."""

    def __init__(
        self, width: int = 16, seed: int = 0, kind: str = "wav2vec2", stride: tuple[int, ...] = (320,)
    ) -> None:
        super().__init__()
        self.config = SimpleNamespace(model_type=kind, hidden_size=width, conv_stride=stride)
        self.conv = nn.Conv1d(1, width, 400, stride=320)
        with torch.no_grad():
            self.conv.weight.copy_(torch.randn(width, 1, 400, generator=torch.Generator().manual_seed(seed)) / 20)

    def forward(self, samples: Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.conv(samples[:, None]).transpose(1, 2))


class FakeWhisper(nn.Module):
    """Halves a mel spectrogram of its one length in time."""

    def __init__(self, width: int = 16, positions: int = 60) -> None:
        super().__init__()
        self.config = SimpleNamespace(model_type="whisper", d_model=width, max_source_positions=positions)
        self.conv = nn.Conv1d(80, width, 2, stride=2)

    def get_encoder(self) -> FakeWhisper:
        return self

    def forward(self, mel: Tensor) -> SimpleNamespace:
        assert mel.shape[2] == 2 * self.config.max_source_positions
        return SimpleNamespace(last_hidden_state=self.conv(mel).transpose(1, 2))


def package(models: dict[str, nn.Module]) -> ModuleType:
    """A transformers package whose hub has these models."""

    def from_pretrained(name: str) -> nn.Module:
        if name not in models:
            raise OSError(f"We couldn't connect to the hub to load {name}\nand it is not cached")
        return models[name]

    made = ModuleType("transformers")
    made.AutoModel = SimpleNamespace(from_pretrained=from_pretrained)  # type: ignore[attr-defined]
    return made
