"""Motion: speech, emotion, eyes, head and idle life put together into posed landmarks, frame by frame."""

from __future__ import annotations

import copy
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from speechhead.audio.prosody import ProsodyStream
from speechhead.core.arrays import Array, Array64
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, LandmarkError
from speechhead.core.stages import staged
from speechhead.face.landmarks import Pose

from .blink import Blinks, Urge, close_eyes
from .brows import ROOM, raise_brows, rise_of
from .brows import reach as brows_reach
from .cues import Cues
from .easing import LowPass, minimum_jerk
from .emotion import CHANNEL, PARTED, POSTURE_PITCH, amplitudes, expressed, fitted, mix
from .gaze import Gaze, turn_eyes
from .head_sources import HeadSources, HeadTurn
from .idle import Idle
from .life import Liveliness
from .limits import HEAD, held_turn, reach, soft_stop
from .mouth import gain_mask, intended_gaps, keep_body, lip_gaps, set_gaps
from .pace import PLACES, RISES, TURNS, MotionPace
from .pose import EASY, EASY_ROOM, HEAD_RANGE, Nods, drawn, turned
from .rest import rest_face
from .stillness import Ajar, Stillness
from .surroundings import Surroundings, SurroundingsStream

FADE_SECONDS = 0.5
"""Time in which changed controls take effect."""

INTERRUPT_FRAMES = 6
"""Frames in which the mouth glides to the new speech after `reset_speech`."""

EYE_CONTACT = 0.85
"""Part of a head turn that the eyes turn back (vestibulo-ocular reflex)."""

EYE_CONTACT_LIMIT, EYE_CONTACT_ROOM = 9.0, 3.0
"""Degrees up to which they do, and in which they come to rest beyond."""

FARTHEST_GROWTH = 0.2
"""Log of the size up to which a head that nears or leaves by itself does so as it was filmed; none does further."""

SPEECH_YIELD = 0.3
"""Part of an emotion's mouth shape that gives way to the articulation while speech runs."""

_EYES = [*range(36, 48), 68, 69]
_MOUTH = gain_mask()
_REST = 1.0 - _MOUTH


class EyesMoved(NamedTuple):
    """What was done to the eyes of a frame, last of all: a face can be told as `before`, and three numbers.

    before : float32 [70, 3], the face whose eyes look as the portrait's do, and are as open
    yaw, pitch : degrees, as `turn_eyes` takes them
    closure : of the lids, 0..1, as `close_eyes` takes it
    """

    before: Array
    yaw: float
    pitch: float
    closure: float


class Motion:
    """A face in motion: eats speech motion with its sound, yields landmarks to render.

    Whole recordings and streams in chunks of any size give the same frames, and equal seeds the same motion.

    Parameters
    ----------
    neutral : float32 [70, 3], the portrait's landmarks in normalised space; it may smile or have its mouth open
    base_pose : the portrait's pose, in the pixels of the picture to render
    controls : see Controls; replaceable while running by `update`
    surroundings : what of their past faces carry, for generators that want to know; nothing if None

    Raises
    ------
    LandmarkError if `neutral` is not [70, 3] or not finite.
    """

    def __init__(
        self,
        neutral: npt.ArrayLike,
        base_pose: Pose,
        controls: Controls | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        face = np.asarray(neutral, np.float32)
        if face.shape != (70, 3) or not np.isfinite(face).all():
            raise LandmarkError(f"neutral face of shape {face.shape} is not usable. Give finite landmarks [70, 3].")
        self._cues: list[tuple[int, dict[str, Any]]] = []  # (frame, controls that change before it), in order
        self._count = 0
        self.controls = controls or Controls()
        for keyframe in self.controls.cues:
            self._cue(round(keyframe.at * FPS), keyframe.changes)
        self._take_cues()
        self.rest = rest_face(face)
        self.base_pose = base_pose
        self.eyes = EyesMoved(self.rest, 0.0, 0.0, 0.0)  # of the last frame
        self._emotions = fitted(self.rest)
        seed = self.controls.seed
        self._blinks, self._gaze, self._idle, self._life = Blinks(seed), Gaze(seed), Idle(seed), Liveliness(seed)
        self._heard, self._nods, self._urge = Cues(), Nods(), Urge()
        self._pace, self._place_pace, self._brow_pace = MotionPace(TURNS), MotionPace(PLACES), MotionPace(RISES)
        self._sources = HeadSources(self.controls.head, FADE_SECONDS)
        self._prosody = ProsodyStream()
        self._faded = LowPass(FADE_SECONDS, self._targets())
        self._stillness, self._ajar = Stillness(), Ajar()
        self._surroundings = SurroundingsStream(surroundings) if surroundings and surroundings.rows else None
        self._speech = np.zeros((70, 3), np.float32)
        self._before_reset = self._speech
        self._since_reset = self._glide = INTERRUPT_FRAMES

    def update(self, controls: Controls) -> None:
        """Replace the controls; emotion, amplitudes and head fade over, gaze moves in a saccade.

        The seed stays that of the construction. Head angles given per frame count from the next frame on.
        """
        if controls.head != self.controls.head:
            self._sources.switch(controls.head)
        self.controls = controls

    def steer(self, angles: npt.ArrayLike) -> None:
        """Turn the head to (yaw, pitch, roll) in degrees, given live; it is let go a second after the last time."""
        self._sources.steer(angles)

    def feel(self, emotion: Mapping[str, float], after: int = 0) -> None:
        """Change the emotion before the frame that comes after so many others."""
        self._cue(self._count + after, {"emotion": emotion})

    def _cue(self, frame: int, changes: Mapping[str, Any]) -> None:
        insort(self._cues, (frame, dict(changes)), key=itemgetter(0))

    def _take_cues(self) -> None:
        """Let the changes take effect whose time has come."""
        while self._cues and self._cues[0][0] <= self._count:
            self.controls = replace(self.controls, **self._cues.pop(0)[1])

    def reset_speech(self, frames: int = INTERRUPT_FRAMES) -> None:
        """The speech was interrupted: in `frames` frames the mouth glides from where it is into what comes next."""
        self._before_reset, self._since_reset, self._glide = self._speech, 0, frames
        self._prosody = ProsodyStream()

    def snapshot(self) -> Motion:
        """A copy that goes on from this moment on its own: what was foreseen can be taken back."""
        constant = (self.controls, self.rest, self.base_pose, self._emotions, self.eyes)  # never changed in place
        return copy.deepcopy(self, {id(part): part for part in constant})

    @staged("motion")
    def step(self, speech_motion: npt.ArrayLike, audio: npt.ArrayLike) -> tuple[Array, list[Pose]]:
        """Landmarks and poses of the next k frames.

        Parameters
        ----------
        speech_motion : float32 [k, 70, 3], displacement from the closed-mouth neutral face, normalised space
        audio : float32 [n], the sound of these frames at 16 kHz, n <= 640 k; missing samples are silence

        Returns
        -------
        float32 [k, 70, 3] in normalised space, [k, 70 + rows, 3] with `surroundings`; k poses in pixels of `base_pose`

        Raises
        ------
        LandmarkError if `speech_motion` is not [k, 70, 3]; AudioError if there is more sound than frames.
        """
        motion = np.asarray(speech_motion, np.float32)
        if motion.ndim != 3 or motion.shape[1:] != (70, 3):
            raise LandmarkError(f"speech motion of shape {motion.shape} is not usable. Give [frames, 70, 3].")
        samples = np.asarray(audio, np.float32).reshape(-1)
        missing = len(motion) * SAMPLES_PER_FRAME - len(samples)
        if missing < 0:
            raise AudioError(f"{len(samples)} samples for {len(motion)} frames. Give at most 640 per frame.")
        if missing:
            samples = np.concatenate([samples, np.zeros(missing, np.float32)])
        blocks = samples.reshape(-1, SAMPLES_PER_FRAME)
        carried = self._surroundings.surroundings.rows if self._surroundings else 0
        faces = np.empty((len(motion), motion.shape[1] + carried, 3), np.float32)
        poses = []
        for frame, (displacement, block) in enumerate(zip(motion, blocks, strict=True)):
            face, pose = self._frame(displacement, block)
            faces[frame] = self._surroundings.step(face, block) if self._surroundings else face
            poses.append(pose)
        return faces, poses

    def _targets(self) -> npt.NDArray[np.float64]:
        c = self.controls
        return np.array([*mix(c.emotion), c.mouth_amplitude, c.head_amplitude, c.temperament, float(c.idle)])

    def _frame(self, displacement: Array, block: Array) -> tuple[Array, Pose]:
        self._take_cues()
        self._count += 1
        faded = self._faded.step(self._targets())
        weights, (mouth, *life) = faded[:7], faded[7:]
        energy, pitch, active = self._hear(block)
        cues = self._heard.step(energy, pitch, active)

        speech = self._articulation(displacement, energy, active)
        down = amplitudes(weights, mouth)
        amplitude = np.full((70, 3), mouth, np.float32)
        amplitude[:, 1] = down[CHANNEL]
        face = self.rest + speech * (np.float32(1.0) + (amplitude - np.float32(1.0)) * _MOUTH)
        expression = expressed(weights, self._emotions)
        face += expression * (_REST + np.float32(1.0 - SPEECH_YIELD * cues[0]) * _MOUTH)
        ajar = self._ajar.step(active) * float(weights @ PARTED)
        set_gaps(face, np.maximum(intended_gaps(lip_gaps(speech), float(down[0])), ajar))

        return face, self._turn(face, cues, weights, expression, life)

    def _hear(self, block: Array) -> tuple[float, float, bool]:
        """Energy in dB, pitch in Hz and speech activity of one frame of sound."""
        heard = self._prosody.push(block)
        return float(heard.energy[0]), float(heard.pitch[0]), bool(heard.active[0])

    def _articulation(self, displacement: Array, energy: float, active: bool) -> Array:
        """Speech motion to show: without eyes, still in silence, lips of flesh, gliding after an interrupt."""
        speech = displacement.copy()
        speech[_EYES] = 0.0
        speech = self._stillness.step(speech, energy, active).copy()
        keep_body(speech)
        if self._since_reset < self._glide:
            self._since_reset += 1
            new = np.float32(minimum_jerk(self._since_reset / self._glide))
            speech = new * speech + (1 - new) * self._before_reset
        self._speech = speech
        return speech

    def _turn(self, face: Array, cues: Array64, weights: Array64, expression: Array, life: Sequence[float]) -> Pose:
        """The head's pose, as far as it holds; brows and eyes of the face [70, 3] move with it, in place.

        Parameters
        ----------
        cues : of the frame's sound
        weights, expression : of the emotions [7], and what they do to the face [70, 3]
        life : amplitude of the head, temperament, and idle life, each from 0
        """
        head, temper, idle = life
        move, lively = self._life.step(cues), temper * HEAD_RANGE
        nod, raised = self._nods.step(self._heard.stress)
        tip, rise = self._idle.step()
        generated = lively * (move[:3] + (0.0, nod, 0.0))
        generated = soft_stop(generated, np.negative(EASY), EASY, EASY_ROOM)
        aside = np.array([0.0, idle * tip + float(weights @ POSTURE_PITCH), 0.0])
        turn = self._sources.step(np.array(self.base_pose.angles))
        angles = self._angles(head, generated, aside, turn)

        brows = self._brows(temper * (move[6:] + raised), rise_of(expression))
        brows = (1.0 - turn.lids) * brows + turn.brow
        raise_brows(face, float(brows[0]), float(brows[1]))
        self._look(face, cues, angles, turn)
        shift = self._shift(turn.own * head * lively * move[3:6])
        shift[1] -= turn.own * idle * rise
        return turned(self.base_pose, angles, shift[:2], float(shift[2]))

    def _angles(self, head: float, generated: Array64, aside: Array64, turn: HeadTurn) -> Array64:
        """The turn [3] to draw: a generated one at people's pace and as far as it holds, mixed with what is given.

        Parameters
        ----------
        head : amplitude of the head
        generated, aside : [3] degrees as trackers tell them, within EASY and its room; and what is added to them
        turn : what is given, and the weight of the generated one
        """
        own, farthest = self.base_pose.angles, np.add(EASY, EASY_ROOM)
        asked = held_turn(drawn(head * (generated + aside)), own)
        ends = drawn(head * (np.stack([-farthest, farthest]) + aside))
        low, high = soft_stop(ends, *reach(own), HEAD.room)
        given = None
        if turn.own < 1.0 - 1e-6:
            given = held_turn(drawn(head * turn.angles / (1.0 - turn.own)), own)
        return self._pace.step(asked, np.minimum(low, asked), np.maximum(high, asked), given, turn.own)

    def _brows(self, rises: Array64, felt: Array64) -> Array64:
        """Rises [2] of brows that move by themselves, at people's pace, where an emotion raises them by `felt` [2]."""
        low, high = brows_reach(felt)
        asked = soft_stop(rises, low, high, ROOM)
        return self._brow_pace.step(asked, low - ROOM, high + ROOM)

    def _shift(self, places: Array64) -> Array64:
        """The neck's way and growth [3] to draw at people's pace, as far as they hold, for those that are generated."""
        end, room = np.array([*HEAD.way, FARTHEST_GROWTH]), np.array([*HEAD.way_room, HEAD.growth_room])
        return self._place_pace.step(soft_stop(places, -end, end, room), -end - room, end + room)

    def _look(self, face: Array, cues: Array64, angles: Array64, turn: HeadTurn) -> None:
        """Gaze and lids of the face [70, 3], in place, of a head turned by `angles`."""
        yaw, pitch = self._gaze.step(self.controls.look_away, self.controls.gaze)
        back = soft_stop(EYE_CONTACT * angles[:2], -EYE_CONTACT_LIMIT, EYE_CONTACT_LIMIT, EYE_CONTACT_ROOM)
        before, across, down = face.copy(), yaw - float(back[0]), pitch - float(back[1])
        turn_eyes(face, across, down)
        urge = self._urge.step(cues, (yaw, pitch), angles)
        own = self._blinks.step(self.controls.blink_rate, self.controls.blink_frames, urge)
        closure = (1.0 - turn.lids) * own + turn.blink
        close_eyes(face, closure)
        self.eyes = EyesMoved(before, across, down, float(closure))
