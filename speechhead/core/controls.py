"""Controls of the face: one validated, frozen record that can be replaced while speech runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .errors import ControlError

EMOTIONS = ("neutral", "happy", "sad", "surprised", "afraid", "angry", "disgusted")
"""The seven emotions, in the order of every array that is indexed by emotion."""

HEAD_MODES = ("generated", "retained")

GAZE_LIMIT = (30.0, 25.0)
"""Largest steerable gaze, degrees: (yaw, pitch). Beyond it the iris leaves the opening of the lids."""

Angles = tuple[float, float, float]


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
    for name, intensity in mix.items():
        if name not in EMOTIONS:
            raise ControlError(f"emotion {name!r} is unknown. Choose from {', '.join(EMOTIONS)}.")
        _checked(f"emotion {name}", intensity, 0.0, 1.0)
    return {name: float(intensity) for name, intensity in mix.items()}


def _checked(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    """Raise ControlError unless `value` is a number in [low, high]."""
    try:
        inside = low <= float(value) <= high  # False for NaN
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise ControlError(f"{name} {value!r} is out of range. Give {low:g} to {high:g}{unit}.")


@dataclass(frozen=True)
class Controls:
    """What a caller may ask of the face; every field is checked on construction.

    emotion: intensity 0..1 by name, mixable; intensities that sum above 1 are scaled down to 1. A string is
        read by `parse_emotion`.
    mouth_amplitude: 1..2, gain of the speech motion of lips and jaw; lips that touch keep touching.
    blink_rate: blinks per minute, 0..120. blink_frames: length of one blink in frames at 30 fps, 2..150.
    look_away: largest angle in degrees, 0..20, of the glances away from the viewer; 0 keeps eye contact.
    gaze: (yaw, pitch) in degrees that the eyes rest on (yaw > 0 image right, pitch > 0 down), which switches
        glances off; None looks at the viewer as in the portrait.
    head: 'generated' from the speech, 'retained' (the portrait's pose), or one (yaw, pitch, roll) in degrees
        per video frame (the last one holds).
    head_amplitude: 0..1, scales generated or given rotation away from the portrait's pose; 1 is lively for
        a person who talks into a camera (a standard deviation of about 2 degrees).
    idle: breath and micro-sway of the head in generated mode.
    seed: of all random motion; equal seeds and inputs give equal frames.

    Raises
    ------
    ControlError naming the field, the value and the range.
    """

    emotion: Mapping[str, float] = field(default_factory=dict)
    mouth_amplitude: float = 1.4
    blink_rate: float = 6.0
    blink_frames: float = 10.0
    look_away: float = 20.0
    gaze: tuple[float, float] | None = None
    head: str | Sequence[Angles] = "generated"
    head_amplitude: float = 1.0
    idle: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        emotion = parse_emotion(self.emotion) if isinstance(self.emotion, str) else _checked_emotion(self.emotion)
        object.__setattr__(self, "emotion", emotion)
        _checked("mouth amplitude", self.mouth_amplitude, 1.0, 2.0)
        _checked("blink rate", self.blink_rate, 0.0, 120.0, " per minute")
        _checked("blink length", self.blink_frames, 2.0, 150.0, " frames at 30 fps")
        _checked("look-away", self.look_away, 0.0, 20.0, " degrees")
        _checked("head amplitude", self.head_amplitude, 0.0, 1.0)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ControlError(f"seed {self.seed!r} is not usable. Give a whole number from 0.")
        if self.gaze is not None:
            if len(self.gaze) != 2:
                raise ControlError(f"gaze {self.gaze!r} is not a pair. Give (yaw, pitch) in degrees.")
            for name, angle, limit in zip(("gaze yaw", "gaze pitch"), self.gaze, GAZE_LIMIT, strict=True):
                _checked(name, angle, -limit, limit, " degrees")
            object.__setattr__(self, "gaze", (float(self.gaze[0]), float(self.gaze[1])))
        object.__setattr__(self, "head", _checked_head(self.head))


def _checked_head(head: str | Sequence[Angles]) -> str | tuple[Angles, ...]:
    if isinstance(head, str):
        if head not in HEAD_MODES:
            raise ControlError(
                f"head {head!r} is unknown. Choose {' or '.join(HEAD_MODES)}, or give (yaw, pitch, roll) per frame."
            )
        return head
    angles = []
    for frame, row in enumerate(head):
        values = tuple(float(value) for value in row)
        if len(values) != 3 or not all(math.isfinite(v) and abs(v) <= 90 for v in values):
            raise ControlError(
                f"head pose of frame {frame} is {values}. Give (yaw, pitch, roll) in degrees within +-90."
            )
        angles.append((values[0], values[1], values[2]))
    if not angles:
        raise ControlError("head poses are empty. Give one (yaw, pitch, roll) per frame, or 'generated'.")
    return tuple(angles)
