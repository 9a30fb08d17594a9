"""Speech encoders of the transformers package: wav2vec2, HuBERT and Whisper, in training and in running."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from speechhead.audio.features import whisper_mel
from speechhead.core.arrays import Array
from speechhead.core.errors import WeightsError

from .encoders import POSITION, TRANSFORMERS, WindowConfig, frames_of

KINDS = ("wav2vec2", "hubert", "whisper")
"""Types of models that are known to have a feature vector every 20 ms."""

_VARIANCE = 1e-7
"""Added to a window's variance, as wav2vec2's own feature extractor does."""


class TransformersEncoder:
    """wav2vec2, HuBERT or Whisper; the package fetches weights that are not here yet.

    `identity` is the kind, the size and the hash of the weights: Landmarks of one are never drawn by another.

    Parameters
    ----------
    model : a name on the model hub, a folder, or an already made transformers model
    window : must be the one the network behind was trained with
    device : 'cpu' or 'cuda'

    Raises
    ------
    WeightsError without the packages, for files that are neither here nor to be had, or for another kind of model.
    """

    def __init__(self, model: Any, window: WindowConfig | None = None, device: str = "cpu") -> None:
        network = self._opened(model) if isinstance(model, (str, Path)) else model
        config, kind = network.config, network.config.model_type
        self.name = TRANSFORMERS + (str(model) if isinstance(model, (str, Path)) else kind)
        if kind not in KINDS or (kind != "whisper" and prod(config.conv_stride) != POSITION):
            raise WeightsError(
                f"encoder '{self.name}': a model of kind '{kind}' is not known to have a feature every 20 ms. "
                f"Use one of {', '.join(KINDS)}."
            )
        self.window = window or WindowConfig()
        self._is_whisper = kind == "whisper"
        self._network = (network.get_encoder() if self._is_whisper else network).eval().to(device)
        self._device = device
        width = int(config.d_model if self._is_whisper else config.hidden_size)
        self.channels = 2 * width
        self.identity = f"{kind} {width} {_hash(self._network)}"

    @staticmethod
    def _opened(model: str | Path) -> Any:
        try:
            import torch  # noqa: F401
            from transformers import AutoModel
        except ImportError as error:
            raise WeightsError(
                f"encoder '{TRANSFORMERS}{model}': needs torch and transformers. pip install 'speechhead[encoders]'"
            ) from error
        try:
            return AutoModel.from_pretrained(str(model))
        except (OSError, ValueError) as error:
            raise WeightsError(
                f"encoder '{TRANSFORMERS}{model}': its files are not here, and can not be fetched or read "
                f"({' '.join(str(error).split())[:80]}). Run once with a network, or give a folder that holds them."
            ) from error

    def __call__(self, window: Array) -> Array:
        """float32 [window_samples] -> float32 [block + ahead, channels]."""
        return self.many(window[None])[0]

    def many(self, windows: Array) -> Array:
        """Several windows at once: float32 [N, window_samples] -> float32 [N, block + ahead, channels]."""
        import torch

        if self._is_whisper:
            # transformers accepts only its full length; silence after the window stands for the rest.
            full = self._network.config.max_source_positions * POSITION
            padded = np.pad(windows, ((0, 0), (0, full - windows.shape[1])))
            inputs = np.stack([whisper_mel(one) for one in padded])
        else:
            centred = windows - windows.mean(1, keepdims=True)
            inputs = centred / np.sqrt(windows.var(1, keepdims=True) + _VARIANCE)
        with torch.inference_mode():
            seen = torch.from_numpy(np.ascontiguousarray(inputs, np.float32)).to(self._device)
            hidden = self._network(seen).last_hidden_state.float().cpu().numpy()
        # wav2vec2's convolutions eat the last position's margin: repeat what is there.
        positions = np.minimum(np.arange(self.window.window_samples // POSITION), hidden.shape[1] - 1)
        return np.stack([frames_of(one, self.window) for one in hidden[:, positions]])


def _hash(network: Any) -> str:
    """The first 16 digits of the SHA-256 of a network's weights, by name."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
