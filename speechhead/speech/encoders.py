"""Speech encoders over fixed windows of sound, so that a stream of any chunks sees what the whole file sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from speechhead.audio.features import MFCC, whisper_mel
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME
from speechhead.core.stages import stage
from speechhead.engines.onnx import load_session

POSITION = SAMPLE_RATE // 50
"""Samples per feature position of Whisper, wav2vec2 and HuBERT: 20 ms, so two per video frame."""


@dataclass(frozen=True)
class WindowConfig:
    """How sound is cut for an encoder: one window per block of video frames, silence before the start.

    block: video frames per window; left, right: sound seen before and after the block, in ms. The first
    frame of a block waits for block + right, which is the look-ahead: 160 ms by default.
    """

    block: int = 2
    left: int = 640
    right: int = 80

    @property
    def ahead(self) -> int:
        """Video frames of features after the block: whole frames within `right`."""
        return self.right * FPS // 1000

    @property
    def lookahead(self) -> float:
        """Seconds from a frame's own time to the end of its window, at most."""
        return self.block / FPS + self.right / 1000

    @property
    def block_samples(self) -> int:
        return self.block * SAMPLES_PER_FRAME

    @property
    def left_samples(self) -> int:
        return self.left * SAMPLE_RATE // 1000

    @property
    def right_samples(self) -> int:
        return self.right * SAMPLE_RATE // 1000

    @property
    def window_samples(self) -> int:
        return self.left_samples + self.block_samples + self.right_samples

    @property
    def first_position(self) -> int:
        """50 Hz position at which the block starts."""
        return self.left_samples // POSITION


TRANSFORMERS = "transformers:"
"""Names of encoders begin so that the transformers package runs; what follows is a model of its hub, or a folder."""


class Encoder(Protocol):
    """Anything that turns one window of sound into features of its block's video frames.

    name : for `open_encoder`. An `identity`, where it has one, tells apart encoders of one name or of one width:
    weights that were trained with one refuse every other.
    """

    name: str
    window: WindowConfig
    channels: int

    def __call__(self, window: Array) -> Array:
        """float32 [window_samples] -> float32 [block + ahead, channels], one row per video frame."""
        ...


class WhisperWindowEncoder:
    """The first layers of Whisper tiny.en (MIT) through onnxruntime; channels are two 50 Hz positions side by side.

    Parameters
    ----------
    window : must be the one the network behind was trained with
    model : name of a shipped weight or path of an ONNX file, mel [1, 80, 2 P] -> features [1, P, width], or those alone
        of the block's and the following positions
    """

    name = "whisper"

    def __init__(
        self, window: WindowConfig | None = None, model: Any = "whisper_encoder.onnx", threads: int | None = None
    ) -> None:
        self.window = window or WindowConfig()
        self._session = load_session(model, threads=threads or 2, names=("mel",))
        self.channels = 2 * int(self._session.get_outputs()[0].shape[-1])

    def __call__(self, window: Array) -> Array:
        """float32 [window_samples] -> float32 [block + ahead, channels]."""
        features = self._session.run(None, {"mel": whisper_mel(window)[None]})[0][0]
        return frames_of(features, self.window)


class MfccEncoder:
    """MFCC in numpy: no weights, for small experiments. Channels are four 10 ms hops side by side."""

    name = "mfcc"

    def __init__(self, window: WindowConfig | None = None, n: int = 13) -> None:
        self.window = window or WindowConfig()
        self._mfcc = MFCC(n)
        self.channels = 4 * n

    def __call__(self, window: Array) -> Array:
        """float32 [window_samples] -> float32 [block + ahead, channels]."""
        rows = self._mfcc.whole(window)[2 * self.window.first_position :]
        count = self.window.block + self.window.ahead
        return rows[: 4 * count].reshape(count, self.channels)


class WindowStream:
    """Cuts sound of any chunking into an encoder's windows; one call of the encoder per block."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._restart()

    def _restart(self) -> None:
        self._pending: Array = np.zeros(self._encoder.window.left_samples, np.float32)
        self._in = self._blocks = 0

    def push(self, samples: Array) -> Iterator[Array]:
        """float32 [n] -> features [block + ahead, channels] of each block that is complete."""
        window = self._encoder.window
        self._in += len(samples)
        self._pending = np.concatenate([self._pending, np.asarray(samples, np.float32).reshape(-1)])
        while len(self._pending) >= window.window_samples:
            with stage("encoder"):
                features = self._encoder(self._pending[: window.window_samples])
            self._pending = self._pending[window.block_samples :]
            self._blocks += 1
            yield features

    def flush(self) -> Iterator[Array]:
        """Features of the last blocks, silence following the sound; the stream then starts anew."""
        window = self._encoder.window
        due = -(-self._in // window.block_samples)
        while self._blocks < due:
            missing = max(0, window.window_samples - len(self._pending))
            yield from self.push(np.zeros(missing, np.float32))
        self._restart()


def identity_of(encoder: Encoder) -> str:
    """What tells an encoder apart from all others: what it says itself, or its name."""
    return str(getattr(encoder, "identity", encoder.name))


def frames_of(positions: Array, window: WindowConfig) -> Array:
    """50 Hz features [P, width] of a window, or of its block and what is ahead alone -> [block + ahead, 2 width]."""
    count = window.block + window.ahead
    first = 0 if len(positions) == 2 * count else window.first_position
    kept = positions[first : first + 2 * count]
    return np.ascontiguousarray(kept.reshape(count, -1), np.float32)
