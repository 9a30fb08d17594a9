"""What hears the recordings before training: the shipped encoder, or one of the transformers package."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.train.config import ConfigError
from speechhead.audio.io import Samples
from speechhead.speech.encoders import TRANSFORMERS, WindowConfig
from speechhead.speech.open import open_encoder
from speechhead.speech.transformers_encoder import TransformersEncoder

from .network import NetworkConfig
from .whisper import WhisperEncoder, packaged_model
from .windows import FFT, HOP, read_at, window_features, windows_of

NOTE = "encoder.json"
"""In the folder of the features: which encoder made them."""


class Listener(Protocol):
    """Sound to features.

    name, identity : as of `Encoder`, for the weights that are trained on the features
    channels : of a video frame, two feature vectors
    """

    name: str
    identity: str
    channels: int

    def features(self, sound: Samples, warp: float) -> NDArray[np.float16]:
        """float32 [n] at 16 kHz to [blocks, positions, vector]; the spectrum is read at `warp` times each frequency."""
        ...


class WhisperListener:
    """The first layers of Whisper tiny.en, as the library ships them; `layers` are kept side by side."""

    name = identity = "whisper"

    def __init__(self, window: WindowConfig, layers: tuple[int, ...], device: str = "cpu") -> None:
        self._encoder = WhisperEncoder.from_ctranslate2(packaged_model(), max(layers)).to(device)
        self._window, self._layers = window, layers
        self.channels = 2 * len(layers) * int(self._encoder.positions.shape[1])

    def features(self, sound: Samples, warp: float) -> NDArray[np.float16]:
        return window_features(sound, self._encoder, self._window, warp, self._layers)


class TransformersListener:
    """An encoder of the transformers package, just as the library runs it."""

    def __init__(self, encoder: TransformersEncoder, batch: int = 16) -> None:
        self._encoder, self._batch = encoder, batch
        self.name, self.identity, self.channels = encoder.name, encoder.identity, encoder.channels

    def features(self, sound: Samples, warp: float) -> NDArray[np.float16]:
        windows = windows_of(warped(sound, warp), self._encoder.window)
        parts = [self._encoder.many(windows[i : i + self._batch]) for i in range(0, len(windows), self._batch)]
        heard = np.concatenate(parts)
        return heard.reshape(len(heard), 2 * heard.shape[1], -1).astype(np.float16)


def open_listener(name: str, window: WindowConfig, layers: tuple[int, ...], device: str = "cpu") -> Listener:
    """'whisper', or 'transformers:MODEL'; `layers` are the shipped encoder's.

    Raises
    ------
    ConfigError for another name; WeightsError as `TransformersEncoder`.
    """
    if name == "whisper":
        return WhisperListener(window, layers, device)
    if not name.startswith(TRANSFORMERS):
        raise ConfigError(f"encoder '{name}' is unknown. Use whisper or {TRANSFORMERS}MODEL.")
    encoder = open_encoder(name, window, device=device)
    assert isinstance(encoder, TransformersEncoder)
    return TransformersListener(encoder)


def warped(sound: Samples, warp: float) -> Samples:
    """A voice whose spectrum is read at `warp` times each frequency, for encoders that hear samples."""
    if warp == 1.0:
        return sound
    window = torch.hann_window(FFT)
    spectrum = torch.stft(torch.from_numpy(sound), FFT, HOP, window=window, center=True, return_complex=True)
    at = torch.from_numpy(read_at(warp, len(spectrum)))
    low = at.floor().long().clamp(max=len(spectrum) - 2)
    share = (at - low).float()[:, None]
    size = spectrum.abs()
    louder = (size[low] * (1 - share) + size[low + 1] * share) / size.clamp(min=1e-8)
    return torch.istft(spectrum * louder, FFT, HOP, window=window, length=len(sound)).numpy().astype(np.float32)


def note_encoder(folder: Path, listener: Listener) -> None:
    """Write down who made the features of a folder.

    Raises
    ------
    ConfigError if somebody else made those that are there.
    """
    path = folder / NOTE
    mine = {"name": listener.name, "identity": listener.identity, "channels": listener.channels}
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if before is None and any(folder.glob("*/0/*.npy")):
        before = {"identity": WhisperListener.identity}  # features of a time when there was no other
    if before is not None and before["identity"] != mine["identity"]:
        raise ConfigError(
            f"{folder}: has features of the encoder '{before['identity']}', not of '{mine['identity']}'. "
            "Give another --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(mine, indent=1) + "\n", encoding="utf-8")


def as_heard(network: NetworkConfig, folder: Path) -> NetworkConfig:
    """A network's config for the features of a folder: their encoder and its size.

    Raises
    ------
    ConfigError if the config names another encoder.
    """
    path = folder / NOTE
    if not path.exists():
        return network
    note = json.loads(path.read_text(encoding="utf-8"))
    if network.encoder not in (NetworkConfig.encoder, note["name"]):
        raise ConfigError(
            f"{folder}: has features of '{note['name']}', but the config says '{network.encoder}'. Prepare with "
            f"--encoder {network.encoder}, or leave network.encoder out."
        )
    if note["name"] == NetworkConfig.encoder:
        return network
    return replace(network, encoder=note["name"], identity=note["identity"], channels=note["channels"])
