"""The streaming heart: sound goes in, frames come out, the same for any chunking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.kept import opened
from speechhead.core.stages import stage
from speechhead.face.landmarks import Pose
from speechhead.generators.protocol import Generator, ListeningGenerator
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion

if TYPE_CHECKING:
    from speechhead.speech.model import Speech2Landmarks
from speechhead.core.threads import WORKERS, in_order
from speechhead.generators.open import open_generator
from speechhead.speech.protocol import SpeechModel, SpeechStream

from .clock import FrameClock
from .crops import batch_of, in_batches


def feel_ahead(stream: SpeechStream, controls: Controls) -> None:
    """Tell a new stream of speech which emotions keyframes bring, and when."""
    for keyframe in controls.cues:
        if "emotion" in keyframe.changes:
            stream.feel(keyframe.changes["emotion"], round(keyframe.at * FPS) * SAMPLES_PER_FRAME)


class Renderer:
    """A portrait that speaks what it hears.

    Feed sound with `push`, in chunks of any size, and take the frames; `flush` gives the last ones. All frames of
    n samples together are ceil(n / 16000 * fps), and the same for any chunking. Landmarks are worked out at once,
    pictures as the returned iterator is read, so a long chunk does not fill the memory with frames.

    Parameters
    ----------
    avatar : the portrait
    controls : emotion, blinks, gaze, head; see Controls
    generator : a generator of `avatar.size`; the compact one if None
    speech2landmarks : network from sound to landmark motion; the shipped one if None
    paste : frames are the full portrait [H, W, 3]; else the face crop [S, S, 3]
    fps : frames per second given out, 1..120; landmarks move at 25 Hz and are interpolated in between

    Raises
    ------
    WeightsError if weights are missing; ControlError for a generator of another size; MediaError for an unusable fps.
    """

    def __init__(
        self,
        avatar: Avatar,
        controls: Controls | None = None,
        generator: Generator | None = None,
        speech2landmarks: SpeechModel | Speech2Landmarks | None = None,
        paste: bool = True,
        fps: float = FPS,
    ) -> None:
        self.avatar = avatar
        self.paste = paste
        self.generator = generator or open_generator(size=avatar.size)
        if speech2landmarks is None:
            from speechhead.speech.model import Speech2Landmarks

            speech2landmarks = opened(("speech2landmarks",), Speech2Landmarks.load)
        controls = controls or Controls()
        if isinstance(controls.head, Path):
            from .head import directed

            controls = directed(controls)
        surroundings = self.generator.surroundings if isinstance(self.generator, ListeningGenerator) else None
        self.motion = Motion(avatar.neutral, avatar.pose, controls, surroundings)
        self._model = speech2landmarks
        self._speech = self.open_stream()
        feel_ahead(self._speech, controls)
        self.source = avatar.source(self.generator)
        self._clock = FrameClock(fps)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="draw")
        self._unmoved: Array = np.zeros(0, np.float32)  # sound of frames whose motion is still to come

    def push(self, samples: NDArray[np.float32]) -> Iterator[Picture]:
        """Hear float32 [n] at 16 kHz in [-1, 1]; iterate over the frames that are ready, uint8 RGB."""
        samples = np.asarray(samples, np.float32).reshape(-1)
        self._unmoved = np.concatenate([self._unmoved, samples])
        return self._pictures(*self._clock.push(*self._move(self._speech.push(samples))))

    def feel(self, emotion: Mapping[str, float]) -> None:
        """Change the emotion, for the sound that is pushed from now on."""
        self.motion.feel(emotion, len(self._unmoved) // SAMPLES_PER_FRAME)
        self._speech.feel(emotion)

    def flush(self) -> Iterator[Picture]:
        """The frames that wait for sound to come, as if silence followed; more speech may follow."""
        moved = self._clock.push(*self._move(self._speech.flush()))
        last = self._clock.flush()
        return self._pictures(np.concatenate([moved[0], last[0]]), [*moved[1], *last[1]])

    def _move(self, motion: Array) -> tuple[Array, list[Pose]]:
        used = min(len(motion) * SAMPLES_PER_FRAME, len(self._unmoved))
        sound, self._unmoved = self._unmoved[:used], self._unmoved[used:]
        return self.motion.step(motion, sound)

    @property
    def batched(self) -> bool:
        """Whether frames are drawn several at a time: on a GPU. A CPU draws them one by one in several threads."""
        return batch_of(self.generator) > 1

    def _pictures(self, faces: Array, poses: Sequence[Pose]) -> Iterator[Picture]:
        if self.batched:
            return in_batches(self._pool, self.generator, self.source, zip(faces, poses), self.laid)
        return in_order(self._pool, self.draw, zip(faces, poses))

    def open_stream(self) -> SpeechStream:
        """A new stream of speech for this portrait, in its present emotion, apart from that of `push`."""
        return self._model.stream(self.motion.rest, dict(self.motion.controls.emotion))

    def draw(self, face: Array, pose: Pose) -> Picture:
        """The picture of a face, as `motion` gives it, in a pose; may be called from several threads."""
        with stage("draw"):
            return self.laid(self.generator.render(self.source, face, pose))

    def laid(self, frame: Picture) -> Picture:
        """A drawn face crop [S, S, 3] as this renderer gives it out: in its portrait, or as it is."""
        return self.avatar.paste(frame) if self.paste else frame
