"""Speech to landmark motion at 25 Hz: encoder windows and a recurrent network, both through onnxruntime."""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, frames_in
from speechhead.core.controls import EMOTIONS
from speechhead.core.errors import AudioError, ControlError, LandmarkError, WeightsError
from speechhead.core.stages import staged
from speechhead.engines.onnx import load_session

from .encoders import Encoder, WindowConfig, WindowStream, identity_of
from .open import open_encoder
from .smoothing import Smoothing


@dataclass(frozen=True)
class ModelConfig:
    """The JSON file beside the ONNX file.

    encoder: name for `open_encoder`; window: block, left and right of `WindowConfig`;
    channels: features per video frame; width: of the recurrent state; smooth: see `Smoothing`; identity: of the encoder
    that it was trained with, see `identity_of`; its name where there is none.
    """

    encoder: str
    window: WindowConfig
    channels: int
    width: int
    smooth: tuple[float, float, float]
    identity: str = ""

    @property
    def lookahead(self) -> float:
        """Seconds of sound after a frame's own time that must be there before the frame is ready, at most."""
        return self.window.lookahead + 1 / FPS

    @staticmethod
    def load(path: Path) -> ModelConfig:
        """Read the config.

        Raises
        ------
        WeightsError if it is missing or a field is.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            before, here, after = (float(weight) for weight in values["smooth"])
            return ModelConfig(
                values["encoder"],
                WindowConfig(**values["window"]),
                int(values["channels"]),
                int(values["width"]),
                (before, here, after),
                str(values.get("identity", "")),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{path}: model config not readable ({error!r}). Reinstall speechhead.") from error


def emotion_vector(emotion: Mapping[str, float] | None) -> Array:
    """Named intensities -> float32 [7] in the order of EMOTIONS.

    Raises
    ------
    ControlError if a name is unknown or an intensity is outside 0..1.
    """
    vector = np.zeros(len(EMOTIONS), np.float32)
    for name, intensity in (emotion or {}).items():
        if name not in EMOTIONS:
            raise ControlError(f"emotion '{name}' is unknown. Use one of {', '.join(EMOTIONS)}.")
        if not 0.0 <= intensity <= 1.0:
            raise ControlError(f"emotion '{name}': intensity {intensity} is out of range. Use 0..1.")
        vector[EMOTIONS.index(name)] = intensity
    vector[0] = 0.0  # neutral is the absence of the others
    return vector


NAMES = ("features", "emotion", "neutral", "state", "motion", "next_state")
"""What the network takes, and what it gives."""


class Speech2Landmarks:
    """Trained network from 16 kHz speech to landmark motion.

    Motion is the displacement of each of the 70 points from the speaker's neutral, closed-mouth face in
    normalised space (`speechhead.face.landmarks`: unit = outer eye-corner distance). Only what speech
    moves is moved: mouth, jaw, cheeks and, weakly, brows; eyes and irises stay 0.
    """

    def __init__(self, model: Path, encoder: Encoder | None = None, threads: int | None = None) -> None:
        self.config = ModelConfig.load(model.with_suffix(".json"))
        self.encoder = encoder or open_encoder(self.config.encoder, self.config.window, threads)
        wanted, given = (self.config.channels, self.config.window), (self.encoder.channels, self.encoder.window)
        if wanted != given:
            raise WeightsError(
                f"{model}: trained for {wanted[0]} channels of {wanted[1]}, the encoder '{self.encoder.name}' gives "
                f"{given[0]} of {given[1]}. Use the encoder '{self.config.encoder}'."
            )
        trained, heard = self.config.identity or self.config.encoder, identity_of(self.encoder)
        if trained not in (heard, self.encoder.name):
            raise WeightsError(
                f"{model}: trained with the encoder '{trained}', but is given '{heard}': features of the same size "
                f"mean something else. Use the encoder '{self.config.encoder}'."
            )
        self._session = load_session(model, threads=1, names=NAMES)  # too small to be shared between cores

    @classmethod
    def load(
        cls, name: str | Path = "speech2landmarks.onnx", encoder: Encoder | None = None, threads: int | None = None
    ) -> Speech2Landmarks:
        """Open the shipped network (by name) or another one (by path), its JSON config beside it.

        Raises
        ------
        WeightsError if a file is missing, damaged, or does not fit the encoder.
        """
        return cls(name if isinstance(name, Path) else weights.path(name), encoder, threads)

    def whole(self, audio: Array, emotion: Mapping[str, float] | None = None, neutral: Array | None = None) -> Array:
        """Motion of a whole recording.

        Parameters
        ----------
        audio : float32 [n] at 16 kHz, -1..1
        emotion : intensity 0..1 by name of EMOTIONS, mixable; None is neutral
        neutral : float32 [70, 3], the face's normalised neutral landmarks; the mean face if None

        Returns
        -------
        float32 [frames_in(n), 70, 3]

        Raises
        ------
        AudioError if there are no samples; ControlError as in `emotion_vector`; LandmarkError for a wrong shape.
        """
        if len(audio) == 0:
            raise AudioError("audio has 0 samples. Give a recording with sound.")
        stream = self.stream(neutral, emotion)
        return np.concatenate([stream.push(audio), stream.flush()])

    def stream(self, neutral: Array | None = None, emotion: Mapping[str, float] | None = None) -> MotionStream:
        """A stream for one speaker; `push` of any chunks, then `flush`, equals `whole`."""
        return MotionStream(self, neutral, emotion)

    @staged("speech2landmarks")
    def step(self, features: Array, emotion: Array, neutral: Array, state: Array) -> tuple[Array, Array]:
        """One block: [block + ahead, channels], [7], [70, 3], [1, 1, width] -> [block, 70, 3] and the next state."""
        feed = {"features": features[None], "emotion": emotion[None], "neutral": neutral[None], "state": state}
        motion, state = self._session.run(["motion", "next_state"], feed)
        return motion, state


class MotionStream:
    """Motion as the sound arrives, at most `ModelConfig.lookahead` (200 ms) behind it."""

    def __init__(self, model: Speech2Landmarks, neutral: Array | None, emotion: Mapping[str, float] | None) -> None:
        if neutral is None:
            from speechhead.face.landmarks import REFERENCE

            neutral = REFERENCE
        self._neutral = np.asarray(neutral, np.float32)
        if self._neutral.shape != (70, 3) or not np.isfinite(self._neutral).all():
            raise LandmarkError(f"neutral landmarks have shape {self._neutral.shape}. Give finite [70, 3] points.")
        self._model = model
        self._emotion = emotion_vector(emotion)
        self._moods: list[tuple[int, Array]] = []  # (sample, emotion from there on), in order
        self._windows = WindowStream(model.encoder)
        self._restart()

    def _restart(self) -> None:
        self._state: Array = np.zeros((1, 1, self._model.config.width), np.float32)
        self._smoothing = Smoothing(self._model.config.smooth)
        self._in = self._out = self._steps = 0

    def feel(self, emotion: Mapping[str, float], after: int = 0) -> None:
        """Speak with another emotion from `after` samples after those that were pushed, at the network's next step."""
        insort(self._moods, (self._in + after, emotion_vector(emotion)), key=itemgetter(0))

    def push(self, samples: Array) -> Array:
        """Take float32 [n] at 16 kHz; returns the motion that is ready, float32 [k, 70, 3], k >= 0."""
        self._in += len(samples)
        ready = self._smoothing.push(self._run(self._windows.push(samples)))
        self._out += len(ready)
        return ready

    def flush(self) -> Array:
        """Motion of the last frames, silence following the sound; the stream then starts anew."""
        due = frames_in(self._in) - self._out
        ready = [self._smoothing.push(self._run(self._windows.flush())), self._smoothing.flush()]
        if self._moods:
            self._emotion = self._moods[-1][1]
            self._moods.clear()
        self._restart()
        return np.concatenate([part for part in ready if len(part)] or [np.zeros((0, 70, 3), np.float32)])[:due]

    def _run(self, blocks: Iterable[Array]) -> Array:
        parts = [np.zeros((0, 70, 3), np.float32)]
        for features in blocks:
            begins = self._steps * self._model.config.window.block_samples
            while self._moods and self._moods[0][0] <= begins:
                self._emotion = self._moods.pop(0)[1]
            self._steps += 1
            motion, self._state = self._model.step(features, self._emotion, self._neutral, self._state)
            parts.append(motion)
        return np.concatenate(parts)
