"""Expression, measured on rendered frames: emotions, blinks, gaze, smiles and open mouths of the source."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.data.curves import correlation
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME, frames_in
from speechhead.core.controls import EMOTIONS, Controls
from speechhead.face.landmarks import Pose, eye_opening, from_mesh, mouth_opening, remove_pose, to_normalised
from speechhead.face.tracker import FaceTracker
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion
from speechhead.motion.gaze import EYEBALL
from speechhead.motion.rest import explain
from speechhead.speech.protocol import SpeechModel

from .clips import FaceTrack, track

Row = dict[str, Any]

INTENSITIES = (0.5, 1.0)
GAZES = (-24.0, -16.0, -8.0, 0.0, 8.0, 16.0, 24.0)
"""Degrees of yaw that the eyes are steered to."""
CALM: dict[str, Any] = {"head": "retained", "idle": False, "blink_rate": 0.0, "look_away": 0.0, "mouth_amplitude": 1.0}
"""Controls under which nothing moves but what is measured."""
SETTLED = 40
"""Frames until controls have taken effect."""
CHEEKS = (50, 205, 280, 425)
"""Mesh vertices in the middle of either cheek."""
BROWS = {"inner_brows": (21, 22), "outer_brows": (18, 25)}
SMILE = 1
"""Of the modes that `motion.rest.explain` tells apart."""


class PosedPortrait:
    """A portrait before the camera: renders it under controls, and looks at it with the tracker."""

    def __init__(self, avatar: Avatar, generator: Generator, tracker: FaceTracker) -> None:
        self.avatar, self.generator, self.tracker = avatar, generator, tracker
        self.source = avatar.source(generator)

    def faces(
        self, controls: Controls, speech: Array | None = None, audio: Array | None = None
    ) -> tuple[Array, list[Pose]]:
        """Landmarks [T, 70, 3] and poses: of speech motion [T, 70, 3] with its sound, or of SETTLED silent frames."""
        if speech is None:
            speech = np.zeros((SETTLED, 70, 3), np.float32)
        sound = np.zeros(len(speech) * SAMPLES_PER_FRAME, np.float32) if audio is None else audio
        return Motion(self.avatar.neutral, self.avatar.pose, controls).step(speech, sound)

    def pictures(self, faces: Array, poses: list[Pose]) -> list[Picture]:
        """Rendered frames."""
        return [self.generator.render(self.source, face, pose) for face, pose in zip(faces, poses)]

    def still(self, **controls: Any) -> Picture:
        """The frame when the controls have settled, in silence."""
        faces, poses = self.faces(Controls(**(CALM | controls)))
        return self.pictures(faces[-1:], poses[-1:])[0]

    def seen(self, pictures: list[Picture]) -> FaceTrack:
        """What the tracker sees."""
        found = track(pictures, self.tracker)
        assert found is not None
        return found


def shape(seen: FaceTrack) -> Array:
    """Normalised mesh [478, 3] of the first frame."""
    _, poses = remove_pose(from_mesh(seen.mesh[:1]))
    return to_normalised(seen.mesh[0], poses[0])


def features(mesh: Array) -> dict[str, float]:
    """Places that emotions move, of a normalised mesh [478, 3]; heights grow upwards, in outer eye distances."""
    face = from_mesh(mesh)
    corners = face[[48, 54]]
    row = {name: -float(face[list(points), 1].mean()) for name, points in BROWS.items()}
    lids = face[[41, 40, 47, 46], 1].mean() - face[[37, 38, 43, 44], 1].mean()
    return row | {
        "lids": float(lids),
        "corners_up": -float(corners[:, 1].mean()),
        "corners_out": float(corners[1, 0] - corners[0, 0]),
        "cheeks": -float(mesh[list(CHEEKS), 1].mean()),
    }


def emotions(stage: PosedPortrait, speech: Array, audio: Array) -> list[Row]:
    """Every emotion at every intensity, against the neutral face, as seen in rendered frames.

    Returns
    -------
    a dict per emotion and intensity: displacement of each of `features`, `moved` (the largest of them), and
    `lip_sync`: correlation of the lip opening with that of the neutral take of the same speech, at full intensity.
    """

    def talk(**controls: Any) -> Array:
        return mouth_opening(
            stage.seen(stage.pictures(*stage.faces(Controls(**(CALM | controls)), speech, audio))).normalised
        )

    neutral, opening = features(shape(stage.seen([stage.still()]))), talk()
    rows = []
    for emotion in EMOTIONS[1:]:
        for intensity in INTENSITIES:
            mix = {emotion: intensity}
            now = features(shape(stage.seen([stage.still(emotion=mix)])))
            moved = {name: now[name] - neutral[name] for name in now}
            row: Row = {"emotion": emotion, "intensity": intensity, **moved, "moved": max(map(abs, moved.values()))}
            full = intensity == INTENSITIES[-1]  # what does no harm at full strength does none at half
            rows.append(row | {"lip_sync": correlation(talk(emotion=mix), opening) if full else None})
    return rows


def blink(stage: PosedPortrait) -> tuple[Row, list[Picture]]:
    """One blink with a held head: how far the eyes close, and what the head seems to do meanwhile.

    Returns
    -------
    dict: `closed` (least eye opening over the largest), `angle` (largest apparent turn of the head in degrees),
    `shift` (largest move of the nose's bridge, px at a face crop of 256); and the frames.
    """
    faces, poses = stage.faces(Controls(**(CALM | {"blink_rate": 60.0})), np.zeros((70, 70, 3), np.float32))
    eyes = eye_opening(faces).mean(-1)
    shut = 10 + int(eyes[10:60].argmin())  # with open eyes before and after it
    chosen = slice(shut - 6, shut + 9)
    frames = stage.pictures(faces[chosen], poses[chosen])
    seen = stage.seen(frames)
    opening, bridge = eye_opening(seen.normalised).mean(-1), seen.landmarks[:, 27:31, :2].mean(1)
    wide = int(opening.argmax())
    moved = np.linalg.norm(bridge - bridge[wide], axis=-1).max() * 256 / stage.avatar.size
    turned = np.abs(seen.angles - seen.angles[wide]).max()
    return {"closed": float(opening.min() / opening[wide]), "angle": float(turned), "shift": float(moved)}, frames


def gaze(stage: PosedPortrait) -> tuple[list[Row], list[Picture]]:
    """Eyes steered to GAZES: yaw in degrees as the irises stand in rendered frames, away from where 0 puts them."""
    frames = [stage.still(gaze=(yaw, 0.0)) for yaw in GAZES]
    across = []
    for picture in frames:
        face = from_mesh(shape(stage.seen([picture])))
        across.append(np.mean([face[68, 0] - face[[36, 39], 0].mean(), face[69, 0] - face[[42, 45], 0].mean()]))
    centre = across[GAZES.index(0.0)]
    degrees = np.degrees(np.arcsin(np.clip((np.array(across) - centre) / EYEBALL, -1, 1)))
    return [{"asked": yaw, "seen": float(turn)} for yaw, turn in zip(GAZES, degrees)], frames


def relaxed(stage: PosedPortrait, speech: Array, audio: Array) -> tuple[Row, list[Picture]]:
    """What is left of the source's smile and open mouth: at rest, and where speech closes the lips.

    Returns
    -------
    dict: `source_opening`, `source_smile` (weight of the smile mode that the source shows), `rest_opening`,
    `rest_smile` of the rendered face at rest, `closed_opening` (mean seen where speech asks for closed lips) and
    `corners_move` (standard deviation of the mouth's width in speech); and frames: rest, most closed, median, widest.
    """
    neutral = stage.avatar.neutral
    rest = stage.still()
    calm = from_mesh(shape(stage.seen([rest])))
    faces, poses = stage.faces(Controls(**CALM), speech, audio)
    frames = stage.pictures(faces, poses)
    seen = stage.seen(frames).normalised
    asked, shown = mouth_opening(faces), mouth_opening(seen)
    closed = asked < 0.008
    order = np.argsort(asked, kind="stable")
    row: Row = {"source_opening": float(mouth_opening(neutral)), "source_smile": float(explain(neutral)[1][SMILE])}
    row |= {"rest_opening": float(mouth_opening(calm)), "rest_smile": float(explain(calm)[1][SMILE])}
    row["closed_opening"] = float(shown[closed].mean()) if closed.any() else None
    row["corners_move"] = float(np.std(seen[:, 54, 0] - seen[:, 48, 0]))
    return row, [rest, *(frames[int(order[place])] for place in (0, len(order) // 2, -1))]


def spoken(avatar: Avatar, speech: SpeechModel, audio: Array) -> tuple[Array, Array]:
    """Speech motion [T, 70, 3] of a sound for a portrait, and the sound padded to whole frames."""
    padded = np.zeros(frames_in(len(audio)) * SAMPLES_PER_FRAME, np.float32)
    padded[: len(audio)] = audio
    stream = speech.stream(Motion(avatar.neutral, avatar.pose).rest)
    return np.concatenate([stream.push(padded), stream.flush()]), padded


def monotone(rows: list[Row]) -> bool:
    """Whether a larger command of gaze always turns the eyes further."""
    return bool((np.diff([row["seen"] for row in rows]) > 0).all())


def slope(rows: list[Row]) -> float:
    """Degrees seen per degree asked for."""
    return float(np.polyfit([row["asked"] for row in rows], [row["seen"] for row in rows], 1)[0])
