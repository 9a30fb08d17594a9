"""An encoder of speech by its name."""

from __future__ import annotations

from speechhead.core.errors import WeightsError

from .encoders import TRANSFORMERS, Encoder, MfccEncoder, WhisperWindowEncoder, WindowConfig
from .transformers_encoder import TransformersEncoder


def open_encoder(
    name: str, window: WindowConfig | None = None, threads: int | None = None, device: str = "cpu"
) -> Encoder:
    """Encoder by name: 'whisper' (shipped), 'mfcc', or 'transformers:MODEL', which runs on `device`.

    Raises
    ------
    WeightsError if the name is unknown, the weights are missing or a package is.
    """
    if name == "whisper":
        return WhisperWindowEncoder(window, threads=threads)
    if name == "mfcc":
        return MfccEncoder(window)
    if name.startswith(TRANSFORMERS):
        return TransformersEncoder(name.removeprefix(TRANSFORMERS), window, device)
    raise WeightsError(f"encoder '{name}' is unknown. Use whisper, mfcc or transformers:MODEL.")
