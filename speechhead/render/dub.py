"""New words in the mouths of a film: who says them, where, and every mouth drawn."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.errors import ControlError, FaceError
from speechhead.core.options import SIZES, RenderOptions
from speechhead.face.crop import CROP_EYES
from speechhead.face.landmarks import Pose, from_mesh, mouth_opening, remove_pose, to_normalised
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion
from speechhead.motion.mouth import gain_mask
from speechhead.motion.rest import rest_face
from speechhead.speech.protocol import SpeechModel

from .hindered import REASONS, LeftAlone, hindered, passages, runs, shares
from .lip_track import LipTrack
from .mouths import Mouths, Wanted, open_mouths
from .patch import Patch
from .speaking import speaks
from .steady import RestMesh, SteadyMesh
from .stream import feel_ahead
from .survey import Survey, Surveyor, Take, usual_pose

if TYPE_CHECKING:
    from speechhead.speech.model import Speech2Landmarks

log = logging.getLogger("speechhead")

LARGEST, SPEAKING = "largest", "speaking"
"""Who gets the words, by name: the person of whom most is seen, or in every shot the one who speaks."""

AWAY = "who speaks is not seen"
"""Why pictures are left alone that show nobody who could say the words."""

ROLES = 6
"""Takes that are held ready to be drawn: the shots on both sides of a cut, as several pictures are drawn at a time."""


def look(pictures: Iterable[Picture], fps: float, name: str, landmarks: str = "mesh") -> Survey:
    """Look at a film for the first time; only what is found is kept of its pictures.

    Parameters
    ----------
    pictures : uint8 [H, W, 3] RGB; fps : of them per second; name : of the film, for messages
    landmarks : what finds them, as in `open_tracker`

    Returns
    -------
    Survey, to be closed.

    Raises
    ------
    FaceError if there is no face, or none that is large enough.
    """
    from speechhead.face.open import open_tracker
    from speechhead.face.tracker import SMALLEST_FACE

    surveyor = Surveyor(fps)
    with ExitStack() as undone:
        undone.callback(surveyor.scratch.close)
        surveyor.watch(pictures, open_tracker(landmarks))
        survey = surveyor.survey()
        if not survey.takes:
            raise FaceError(f"{name}: no face found in {survey.count} frames. Use a video of one frontal face.")
        if surveyor.largest < SMALLEST_FACE:
            side = f"{surveyor.largest:.0f} px, need {SMALLEST_FACE}"
            raise FaceError(f"{name}: the face is too small ({side}). Crop closer.")
        undone.pop_all()
    return survey


@dataclass(frozen=True)
class SpokenTake:
    """A take that gets words: shares float32 [n], how far its mouth is what it says."""

    take: Take
    shares: Array


@dataclass(frozen=True)
class Cast:
    """Who says the new words, where; and where a mouth of theirs is left alone, and why."""

    parts: tuple[SpokenTake, ...]
    left: tuple[LeftAlone, ...]

    @property
    def people(self) -> list[int]:
        """Those who say something, from 0."""
        return sorted({part.take.person for part in self.parts if part.shares.any()})

    def drawn(self, count: int) -> np.ndarray:
        """Pictures bool [count] in which a mouth is drawn."""
        out = np.zeros(count, bool)
        for part in self.parts:
            out[part.take.first : part.take.last + 1] |= part.shares > 0
        return out

    def away(self, count: int) -> np.ndarray:
        """Pictures bool [count] in which nobody is seen who could say something."""
        out = np.ones(count, bool)
        for part in self.parts:
            out[part.take.first : part.take.last + 1] = False
        for one in self.left:
            out[one.first : one.last + 1] = False
        return out


def choose(survey: Survey, face: int | str | None, name: str, expected: Callable[[], Array] | None = None) -> Cast:
    """Who of a film says the new words.

    Parameters
    ----------
    face : number of a person, from 1; "largest" or None, the one of whom most is seen; "speaking", whoever does
    name : of the film, for messages
    expected : how far the film's own sound asks lips to open, float32 [T] at 25 Hz; needed for "speaking"

    Raises
    ------
    FaceError if there is no such person, or nothing of them can be drawn.
    """
    number = 1 if face in (None, LARGEST) else face
    if isinstance(number, int) and number > survey.people:
        count = "1 person" if survey.people == 1 else f"{survey.people} people"
        raise FaceError(f"{name}: --face {number}, but the video shows {count}. `speechhead faces` lists them.")
    if face is None and survey.people > 1:
        line = "%s: %d people found, the one seen most speaks. --face 2, or --face speaking, chooses another."
        log.warning(line, name, survey.people)
    listens: list[np.ndarray | None] = [None] * len(survey.takes)
    if number == SPEAKING:
        if expected is None:
            raise ControlError(f"{name}: has no sound that tells who speaks. Use --face 1, or --face largest.")
        listens = [~spoken for spoken in speaks(survey, expected())]
    parts, left = [], []
    for take, other in zip(survey.takes, listens):
        if isinstance(number, int) and take.person != number - 1:
            continue
        why = hindered(take, survey.fps)
        if other is not None:
            why["listens"] = other
        part = SpokenTake(take, shares(take, np.logical_or.reduce(list(why.values())), survey.fps))
        parts.append(part)
        left += passages(take, why, part.shares)
    cast = Cast(tuple(parts), tuple(left))
    if not cast.people:
        raise FaceError(f"{name}: {_nobody(cast)}")
    return cast


def _nobody(cast: Cast) -> str:
    """Why no mouth can be drawn at all."""
    counts = {reason: sum(one.last + 1 - one.first for one in cast.left if one.reason == reason) for reason in REASONS}
    main = max(counts, key=lambda reason: counts[reason])
    if main == "covered":
        return "something covers the mouth in every frame. Use a video that shows the lips."
    if main == "listens":
        return "nobody's lips fit its sound. Choose who speaks with --face 1."
    return f"no mouth can be drawn: {REASONS[main]}. Use a video of one frontal face, or another --face."


class Dub:
    """Draws the new mouths of a film, picture by picture, from several threads.

    Parameters
    ----------
    survey, cast : of the film
    motion : for each person who says something, from 0, the lips' way from rest
    mouths : what draws them
    """

    def __init__(self, survey: Survey, cast: Cast, motion: dict[int, LipTrack], mouths: Mouths) -> None:
        self._survey, self._motion, self._mouths = survey, motion, mouths
        self._parts: dict[int, list[SpokenTake]] = {}
        self._open: OrderedDict[int, _Role] = OrderedDict()
        self._lock = threading.Lock()
        for part in cast.parts:
            if part.shares.any():
                self._parts.setdefault(part.take.shot, []).append(part)

    def patches(self, picture: Picture, index: int, seconds: float) -> list[Patch]:
        """What changes in a picture uint8 [H, W, 3] of the film.

        Parameters
        ----------
        index : the picture's number, from 0; seconds : of the new sound, that is heard with it
        """
        found = []
        for part in self._parts.get(self._survey.shots.of(index), []):
            place = index - part.take.first
            if 0 <= place < len(part.take) and part.shares[place] > 0:
                found.append(self._patch(picture, self._role(part), place, seconds))
        return found

    def edit(self, picture: Picture, index: int, seconds: float) -> Picture:
        """The picture with its new mouths; itself where there are none."""
        patches = self.patches(picture, index, seconds)
        if patches:
            picture = picture.copy()
            for patch in patches:
                patch.onto(picture)
        return picture

    def _role(self, part: SpokenTake) -> _Role:
        """What is known of a take while it is drawn; of a film of many only the last few are kept."""
        key = id(part.take)
        with self._lock:
            if key not in self._open:
                of = part.take, self._survey.scratch, self._survey.fps
                self._open[key] = _Role(part, SteadyMesh(*of), RestMesh(*of, self._mouths.relax))
                if len(self._open) > ROLES:
                    self._open.popitem(last=False)
            self._open.move_to_end(key)
            return self._open[key]

    def _patch(self, picture: Picture, role: _Role, place: int, seconds: float) -> Patch:
        take, mesh = role.part.take, role.steady(place)
        pose = remove_pose(from_mesh(mesh)[None])[1][0]
        rest = role.rest(place, pose)
        own = to_normalised(from_mesh(mesh), pose)
        said = from_mesh(rest) + self._motion[take.person].at(seconds * FPS)
        driven = own + gain_mask() * (said - own)
        wanted = Wanted(mesh, pose, rest, np.asarray(driven, np.float32), float(role.part.shares[place]))
        return self._mouths.patch(picture, take, wanted)


@dataclass(frozen=True)
class _Role:
    part: SpokenTake
    steady: SteadyMesh
    rest: RestMesh


def prepared(
    survey: Survey, cast: Cast, speech: Callable[[], Iterable[Array]], options: RenderOptions, controls: Controls
) -> Dub:
    """All that is ready before the first picture is drawn.

    Parameters
    ----------
    speech : the new sound at 16 kHz, in pieces float32 [n]; called for every person who says something
    """
    motion = {}
    for person in cast.people:
        take = max((part.take for part in cast.parts if part.take.person == person), key=lambda take: take.weight)
        face, pose = usual_pose(take, survey)
        motion[person] = LipTrack(survey.scratch)
        for moved in speech_motion(speech(), rest_face(face), pose, controls, options.speech2landmarks):
            motion[person].add(moved)
    scales = np.concatenate([part.take.fact("scale")[part.shares > 0] for part in cast.parts])
    side = round(float(np.median(scales)) * CROP_EYES / 2) * 2
    side = options.size or min(SIZES[1], max(SIZES[0], side))
    return Dub(survey, cast, motion, open_mouths(options, survey, side))


def speech_motion(
    speech: Iterable[Array],
    rest: Array,
    pose: Pose,
    controls: Controls,
    speech2landmarks: SpeechModel | Speech2Landmarks | None,
) -> Iterator[Array]:
    """Motion [k, 70, 3] of the mouth away from rest at 25 Hz, with amplitude, closures, silence and emotion.

    Parameters
    ----------
    speech : pieces float32 [n] of any size, which do not change the result
    """
    if speech2landmarks is None:
        from speechhead.speech.model import Speech2Landmarks

        speech2landmarks = Speech2Landmarks.load()
    still = replace(controls, head="retained", idle=False, blink_rate=0.0, look_away=0.0)
    motion = Motion(rest, pose, still)
    stream = speech2landmarks.stream(motion.rest, dict(controls.emotion))
    feel_ahead(stream, controls)
    unmoved: Array = np.zeros(0, np.float32)
    for piece in chain(speech, [None]):
        spoken = stream.flush() if piece is None else stream.push(piece)
        unmoved = unmoved if piece is None else np.concatenate([unmoved, piece])
        used = min(len(spoken) * SAMPLES_PER_FRAME, len(unmoved))
        yield motion.step(spoken, unmoved[:used])[0] - motion.rest
        unmoved = unmoved[used:]


def expected_opening(survey: Survey, speech: Iterable[Array], options: RenderOptions) -> Array:
    """How far a film's own sound, pieces float32 [n] at 16 kHz, asks lips to open, float32 [T] at 25 Hz."""
    take = max(survey.takes, key=lambda take: take.weight)
    face, pose = usual_pose(take, survey)
    rest = rest_face(face)
    moved = speech_motion(speech, rest, pose, Controls(), options.speech2landmarks)
    return np.concatenate([mouth_opening(rest + part) for part in moved if len(part)])


def summary(survey: Survey, cast: Cast) -> str:
    """A line about the pictures whose mouths stay as they are; nothing where there are none."""
    stay = survey.count - int(cast.drawn(survey.count).sum())
    if not stay:
        return ""
    counts = {reason: np.zeros(survey.count, bool) for reason in REASONS}
    for one in cast.left:
        counts[one.reason][one.first : one.last + 1] = True
    named = [(REASONS[reason], flags) for reason, flags in counts.items()] + [(AWAY, cast.away(survey.count))]
    said = [f"{reason} in {int(flags.sum())}" for reason, flags in named if flags.any()]
    return f"{stay} of {survey.count} frames stay as they are" + (f": {', '.join(said)}." if said else ".")


def write_report(path: Path, source: str, survey: Survey, cast: Cast) -> None:
    """Write as JSON who speaks, where, and which pictures were left alone and why."""
    fps = survey.fps

    def span(first: int, last: int) -> dict[str, object]:
        return {"first": first, "last": last, "seconds": [round(first / fps, 3), round((last + 1) / fps, 3)]}

    takes = [
        span(take.first, take.last) | {"person": take.person + 1, "shot": take.shot + 1, "sure": round(take.sure, 2)}
        for take in survey.takes
    ]
    ends = [*(survey.shots.starts[1:] - 1).tolist(), survey.count - 1]
    content = {
        "video": source,
        "frames": survey.count,
        "fps": round(fps, 4),
        "drawn": int(cast.drawn(survey.count).sum()),
        "speaks": [person + 1 for person in cast.people],
        "shots": [span(int(first), int(last)) for first, last in zip(survey.shots.starts, ends)],
        "faces": takes,
        "left": [
            span(one.first, one.last) | {"person": one.person + 1, "reason": REASONS[one.reason]} for one in cast.left
        ]
        + [span(*run) | {"person": None, "reason": AWAY} for run in runs(cast.away(survey.count))],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
