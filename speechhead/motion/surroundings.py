"""What the frames before a frame looked and sounded like, carried by the frame's own face.

A generator that wants to know has a `Surroundings`; faces then have more rows than the 70 landmarks. So a frame can be
drawn again, later or elsewhere, and whole recordings and streams give the same frames.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from speechhead.audio.features import MFCC
from speechhead.core.arrays import Array
from speechhead.core.clocks import HOPS_PER_FRAME, SAMPLES_PER_FRAME
from speechhead.core.errors import LandmarkError

LANDMARKS = 70
COEFFICIENTS = 12
"""Of MFCC, for each hop of 10 ms."""

SOUND_ROWS = HOPS_PER_FRAME * COEFFICIENTS // 3
"""Rows [3] that the sound of one frame takes."""

_SCALE = np.array([50.0] + [10.0] * (COEFFICIENTS - 1), np.float32)
"""Brings coefficients to the order of one."""


@dataclass(frozen=True)
class Surroundings:
    """How much of its past a face carries.

    past : frames before it whose landmarks are there, nearest first
    sound : frames whose sound is there, the face's own first
    """

    past: int = 0
    sound: int = 0

    @property
    def rows(self) -> int:
        """Rows of a face after its 70 landmarks."""
        return LANDMARKS * self.past + SOUND_ROWS * self.sound

    def split(self, faces: Array) -> tuple[Array, Array, Array]:
        """Parts of faces.

        Parameters
        ----------
        faces : float32 [B, 70 + rows, 3], or [B, 70, 3]: those were as they are, and heard nothing

        Returns
        -------
        landmarks [B, 70, 3], those of the frames before [B, past, 70, 3], and sound [B, 48 * sound], zero in silence

        Raises
        ------
        LandmarkError for any other shape.
        """
        faces = np.asarray(faces, np.float32)
        wanted = LANDMARKS + self.rows
        if faces.ndim != 3 or faces.shape[1] not in (LANDMARKS, wanted) or faces.shape[2] != 3:
            also = "" if wanted == LANDMARKS else f" or [B, {wanted}, 3]"
            raise LandmarkError(
                f"landmarks have shape {faces.shape}, need [B, 70, 3]{also}. Give normalised landmarks."
            )
        count, now = len(faces), faces[:, :LANDMARKS]
        if faces.shape[1] == wanted:
            before = faces[:, LANDMARKS : LANDMARKS * (1 + self.past)].reshape(count, self.past, LANDMARKS, 3)
            return now, before, faces[:, LANDMARKS * (1 + self.past) :].reshape(count, -1)
        held = np.repeat(now[:, None], self.past, 1)
        return now, held, np.zeros((count, 3 * SOUND_ROWS * self.sound), np.float32)

    def around(self, landmarks: Array, audio: Array) -> Array:
        """Faces [T, 70 + rows, 3] of a whole recording: landmarks [T, 70, 3] and sound at 16 kHz [n <= 640 T]."""
        blocks = np.pad(audio, (0, len(landmarks) * SAMPLES_PER_FRAME - len(audio))).reshape(-1, SAMPLES_PER_FRAME)
        stream = SurroundingsStream(self)
        return np.stack([stream.step(face, block) for face, block in zip(landmarks, blocks, strict=True)])


class SurroundingsStream:
    """Adds to each face of a stream what came before it."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self._past: deque[Array] = deque(maxlen=surroundings.past)
        self._sound: deque[Array] = deque(maxlen=max(surroundings.sound, 1))
        mfcc = MFCC(COEFFICIENTS)
        self._stream = mfcc.stream()
        self._silence = mfcc.whole(np.zeros(SAMPLES_PER_FRAME, np.float32))
        self._rows = self._silence

    def step(self, face: Array, block: Array) -> Array:
        """The next frame's landmarks [70, 3] and sound [640] to its face [70 + rows, 3]."""
        parts = [face]
        if self.surroundings.past:
            self._past.extend([face] * (self.surroundings.past - len(self._past)))  # before the first frame it held
            parts += list(self._past)
            self._past.appendleft(face.copy())
        if self.surroundings.sound:
            # The last hop of a block waits for the next one: a frame hears up to 10 ms less than its own time.
            self._rows = np.concatenate([self._rows, self._stream.push(block)])[-HOPS_PER_FRAME:]
            heard = ((self._rows - self._silence) / _SCALE).reshape(SOUND_ROWS, 3)
            missing = self.surroundings.sound - 1 - len(self._sound)
            self._sound.extend([np.zeros_like(heard)] * missing)
            self._sound.appendleft(heard)
            parts += list(self._sound)
        return np.concatenate(parts)
