"""Controls of the face: one validated, frozen record that can be replaced while speech runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from .errors import ControlError
from .frozen import Frozen
from .head_track import Angles, HeadTrack, check_angles
from .keyframes import Keyframe, keyframes
from .records import Option, check, option, shortened

EMOTIONS = ("neutral", "happy", "sad", "surprised", "afraid", "angry", "disgusted")
"""The seven emotions, in the order of every array that is indexed by emotion."""

HeadMode = Literal["generated", "retained"]

HEAD_MODES = get_args(HeadMode)

GAZE_LIMIT = (30.0, 25.0)
"""Largest steerable gaze, degrees: (yaw, pitch). Beyond it the iris leaves the opening of the lids."""

OVER_TIME = (
    "emotion", "gaze", "head_amplitude", "temperament", "mouth_amplitude", "blink_rate", "blink_frames", "look_away",
    "idle",
)  # fmt: skip
"""Controls that keyframes may change."""

Emotions = dict[str, float] | str
"""Intensity by name, or a text that `parse_emotion` reads."""


INTENSITY = Option("Intensity of an emotion", low=0, high=1)
SEED = Option("Seed", low=0, whole=True)
YAW, PITCH = (Option("Gaze", low=-limit, high=limit, unit="degrees") for limit in GAZE_LIMIT)


def parse_emotion(text: str) -> dict[str, float]:
    """Read `happy`, `happy:0.7` or a mix such as `happy:0.5,surprised:0.3`.

    Returns
    -------
    dict from emotion name to intensity 0..1 (1 where none is written).

    Raises
    ------
    ControlError if a name is unknown, an intensity is not a number in 0..1, or the text is empty.
    """
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, colon, number = part.strip().partition(":")
        name = name.strip().lower()
        try:
            intensity = float(number) if colon else 1.0
        except ValueError:
            raise ControlError(
                f"emotion {part.strip()!r}: {number.strip()!r} is not a number. Write NAME or NAME:0..1, for "
                "example happy:0.7."
            ) from None
        if name in mix:
            raise ControlError(f"emotion {name!r} is given twice in {text!r}. Name each emotion once.")
        mix[name] = intensity
    return _checked_emotion(mix)


def _checked_emotion(mix: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(mix, Mapping):
        raise ControlError(f"emotion {shortened(mix)} is not usable. Give a name, or a dict of intensities by name.")
    checked = {}
    for name, intensity in mix.items():
        if name not in EMOTIONS:
            raise ControlError(f"emotion {name!r} is unknown. Choose from {', '.join(EMOTIONS)}.")
        checked[name] = float(INTENSITY.check(f"emotion {name}", intensity))
    return checked


@dataclass(frozen=True)
class Controls:
    """What a caller may ask of the face; every field is checked on construction.

    emotion: intensities that sum above 1 are scaled down to 1. A string is read by `parse_emotion`; a dict is copied.
    mouth_amplitude: gain of the speech motion of lips and jaw; lips that touch keep touching.
    gaze: (yaw, pitch), yaw > 0 image right, pitch > 0 down, also as text "10,-5"; None looks at the viewer as in the
        portrait.
    head: 'generated' from the speech, 'retained' (the portrait's pose), one (yaw, pitch, roll) in degrees per video
        frame (the last one holds), a `HeadTrack`, or the file of one: CSV, or a video of somebody who moves.
    keyframes: a CSV or JSON file, or entries with `at` in seconds and the controls that change then.
    head_amplitude: range of the head, scales generated or given rotation away from the portrait's pose; 1 is that of
        people in free talk (a standard deviation of about 3.5 degrees).
    temperament: how lively head and brows are, 0 still, 0.3 as people read aloud, 1 as they talk; it scales a generated
        head's range as well.

    Raises
    ------
    ControlError naming the field, the value and the range.
    """

    emotion: Mapping[str, float] = option(
        factory=dict,
        help=f"{', '.join((*EMOTIONS[1:], EMOTIONS[0]))}",
        note="with :0..1, mixed as in happy:0.6,afraid:0.2",
        metavar="NAME[:0..1]",
        kind=str,
        wire=Emotions,
    )
    gaze: tuple[float, float] | None = option(
        None,
        help="Where the eyes rest instead of glances: (yaw, pitch) in degrees",
        note="yaw > 0 is image right, pitch > 0 down; within {:g} and {:g}".format(*GAZE_LIMIT),
        unset="glances",
        metavar="YAW,PITCH",
        kind=str,
    )
    head: str | Path | Sequence[Angles] | HeadTrack = option(
        "generated",
        help="generated from the speech, retained as in the portrait, or given",
        note="at the command line by a CSV with the columns yaw, pitch, roll in degrees (and time in seconds, brow, "
        "blink, relative), or a video of somebody who moves so",
        metavar="MODE_OR_FILE",
        kind=str,
        wire=HeadMode | Angles,
    )
    head_brows: bool = option(
        False, help="Take brows and blinks, too, from the file that --head names", http=False, flag="--head-brows"
    )
    head_amplitude: float = option(1.0, help="Size of the head's motion", low=0, high=1.5)
    temperament: float = option(
        1.0, help="Liveliness of head and brows", note="1 as people talk, 0.3 as they read aloud", low=0, high=1.5
    )
    mouth_amplitude: float = option(1.4, help="Size of the mouth's motion", low=1, high=2, flag="--amplitude")
    blink_rate: float = option(16.0, help="Blinks", unit="per minute", low=0, high=120, flag="--blinks")
    blink_frames: float = option(10.0, help="Length of a blink", unit="frames at 30 fps", low=2, high=150)
    look_away: float = option(
        20.0, help="Largest angle of glances", unit="degrees", low=0, high=20, note="0 keeps eye contact"
    )
    keyframes: str | Path | Sequence[Keyframe | Mapping[str, Any]] = option(
        factory=tuple,
        help="Controls over time: CSV or JSON with 'at' in seconds, and emotion, gaze and others that change then",
        metavar="FILE",
        kind=Path,
        http=False,
    )
    idle: bool = option(True, help="Breath of a generated head")
    seed: int = option(0, help="Of blinks, glances and head motion", note="equal seeds give equal videos", http=False)

    def __post_init__(self) -> None:
        emotion = parse_emotion(self.emotion) if isinstance(self.emotion, str) else _checked_emotion(self.emotion)
        object.__setattr__(self, "emotion", Frozen(emotion))
        check(self)
        object.__setattr__(self, "seed", SEED.check("seed", self.seed))
        if self.gaze is not None:
            object.__setattr__(self, "gaze", _checked_gaze(self.gaze))
        object.__setattr__(self, "head", _checked_head(self.head))
        if self.head_brows and not isinstance(self.head, Path | HeadTrack):
            raise ControlError("--head-brows: brows and blinks come from a file. Name it with --head.")
        object.__setattr__(self, "keyframes", self._checked_keyframes())

    @property
    def cues(self) -> tuple[Keyframe, ...]:
        """The keyframes in the order of their times."""
        return cast(tuple[Keyframe, ...], self.keyframes)

    def _checked_keyframes(self) -> tuple[Keyframe, ...]:
        """Keyframes with the values that they change, each checked as if it stood here."""
        made = []
        for keyframe in keyframes(self.keyframes, OVER_TIME):
            try:
                then = replace(self, keyframes=(), **keyframe.changes)
            except ControlError as error:
                raise ControlError(f"keyframe at {keyframe.at:g} s: {error}") from None
            made.append(Keyframe(keyframe.at, Frozen({name: getattr(then, name) for name in keyframe.changes})))
        return tuple(made)


def _checked_gaze(gaze: tuple[float, float] | str) -> tuple[float, float] | None:
    if isinstance(gaze, str) and gaze.strip().lower() in ("glances", "none"):
        return None
    try:
        yaw, pitch = map(float, gaze.replace(",", " ").split()) if isinstance(gaze, str) else gaze
    except (TypeError, ValueError):
        raise ControlError(f"gaze {shortened(gaze)} is not a pair. Give (yaw, pitch) in degrees.") from None
    return float(YAW.check("gaze yaw", yaw)), float(PITCH.check("gaze pitch", pitch))


def _checked_head(head: str | Path | Sequence[Angles] | HeadTrack) -> str | Path | tuple[Angles, ...] | HeadTrack:
    if isinstance(head, Path | HeadTrack):
        return head
    if isinstance(head, str):
        if head in HEAD_MODES:
            return head
        if not Path(head).suffix:
            raise ControlError(
                f"head {head!r} is unknown. Choose {' or '.join(HEAD_MODES)}, or give a CSV or video file."
            )
        return Path(head)
    try:
        rows = [tuple(float(value) for value in row) for row in head]
    except (TypeError, ValueError):
        raise ControlError(
            f"head {shortened(head)} is not usable. Choose {' or '.join(HEAD_MODES)}, or give (yaw, pitch, roll) per"
            " frame."
        ) from None
    angles = []
    for frame, values in enumerate(rows):
        try:
            angles.append(check_angles(values))
        except ControlError:
            raise ControlError(
                f"head pose of frame {frame} is {values}. Give (yaw, pitch, roll) in degrees within +-90."
            ) from None
    if not angles:
        raise ControlError("head poses are empty. Give one (yaw, pitch, roll) per frame, or 'generated'.")
    return tuple(angles)
