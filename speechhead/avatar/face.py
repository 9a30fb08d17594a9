"""The face of a portrait, upright and whole, with what a user should know of it; or why it can not speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError, NoFaceError
from speechhead.face.covered import covered
from speechhead.face.landmarks import MESH_TO_70, OUTER_LIPS
from speechhead.generators.compact.overgrown import overgrown
from speechhead.media.image import Picture, scaled_down

if TYPE_CHECKING:
    from speechhead.face.tracker import Face, FaceTracker


@dataclass(frozen=True)
class Limits:
    """From where on a portrait is looked at twice, noted or refused.

    Measured on 226 portraits as they are and turned, cut and covered (`tests/avatar/test_face.py` has twins).
    """

    sure: float = 1 - 1e-6
    """Mesh confidence of every upright portrait; nine in ten of those upside down are below."""
    tilted: float = 30.0
    """Degrees of roll from which a picture is looked at from all sides, and turned where that takes as many away."""
    lying: float = 60.0
    """Degrees of roll from which a picture is turned in any case."""
    doubt: float = 0.0
    """Log odds of a covered mouth from which a picture is looked at from all sides."""
    search: int = 1024
    """Longest side in pixels of the picture that is looked at from all sides."""
    cut_note: float = 0.01
    """Part of the mesh outside the picture that is worth a note."""
    cut: float = 0.2
    """Part of the mesh outside the picture with which faces no longer come out: eye and mouth corner are gone."""
    cover_note: float = 2.0
    """Log odds of a covered mouth that are worth a note."""
    cover: float = 3.5
    """Log odds of a covered mouth that are certain."""
    hair: float = 0.5
    """How surely hair hides the lips, 0 to 1, from which it is worth a note."""


LIMITS = Limits()


@dataclass(frozen=True)
class PortraitFace:
    """A portrait [H, W, 3], turned upright; its face, in its pixels; and notes, one line each."""

    picture: Picture
    face: Face
    notes: tuple[str, ...]


def find_face(picture: Picture, tracker: FaceTracker, face: int | None, name: str) -> PortraitFace:
    """The face that is to speak.

    Parameters
    ----------
    picture : uint8 [H, W, 3]
    tracker : finds faces
    face : which one, from 1, largest first; the largest if None
    name : of the picture, for messages

    Raises
    ------
    FaceError if there is none, it is too small or turned too far, its mouth is covered, or the edge of the picture
    cuts too much of it off.
    """
    turned, found, notes = _upright(picture, tracker, face, name)
    if face is None:
        notes += faces_note(name, found.candidates)
    notes += _cut(turned, found.mesh, name)
    return PortraitFace(turned, found, notes + _cover(turned, found.mesh, name) + _hair(turned, found, name))


def faces_note(name: str, count: int) -> tuple[str, ...]:
    """What a user should know where the largest of `count` faces was taken: one line, none for a single face."""
    if count < 2:
        return ()
    others = "2" if count == 2 else f"2 to {count}"
    return (f"{name}: {count} faces found, the largest is taken. Choose another with --face {others}.",)


def _upright(
    picture: Picture, tracker: FaceTracker, face: int | None, name: str
) -> tuple[Picture, Face, tuple[str, ...]]:
    """The picture as it is, or turned by the quarters after which its face stands upright, and a note of that."""
    try:
        found = tracker.locate(picture, face, name)
    except NoFaceError:
        quarters = _best_turn(picture, tracker, face, 2)
        if not quarters:
            raise
    else:
        roll = found.pose.angles[2]
        if _plausible(picture, found) and abs(roll) <= LIMITS.tilted:
            return picture, found, ()
        lying = abs(roll) > LIMITS.lying
        most = LIMITS.tilted if lying or not _plausible(picture, found) else abs(roll) - LIMITS.tilted
        quarters = _best_turn(picture, tracker, face, round(roll / 90) % 4 or 2, most)
        quarters = quarters or (round(roll / 90) % 4 if lying else 0)
        if not quarters:
            return picture, found, ()
    turned = np.ascontiguousarray(np.rot90(picture, quarters))
    how = "stands on its head" if quarters == 2 else "lies on its side"
    return turned, tracker.locate(turned, face, name), (f"{name}: the picture {how}. It is turned upright.",)


def _plausible(picture: Picture, face: Face) -> bool:
    """Whether a face that was found is one, the right way up, with a mouth where it should be."""
    upright = abs(face.pose.angles[2]) <= LIMITS.lying
    return upright and face.score >= LIMITS.sure and covered(picture, face.mesh) < LIMITS.doubt


def _best_turn(
    picture: Picture, tracker: FaceTracker, face: int | None, first: int, roll: float = LIMITS.tilted
) -> int:
    """Quarters (counterclockwise) after which a plausible face is tilted by at most `roll` degrees, or 0.

    Quarters are tried in turn, `first` before the others.
    """
    factor = LIMITS.search / max(picture.shape[:2])
    small = scaled_down(picture, factor) if factor < 1 else picture
    for quarters in (first, *({1, 2, 3} - {first})):
        turned = np.ascontiguousarray(np.rot90(small, quarters))
        try:
            found = tracker.locate(turned, face)
        except FaceError:
            continue
        if _plausible(turned, found) and abs(found.pose.angles[2]) <= roll:
            return quarters
    return 0


def outside(picture: Picture, mesh: Array) -> tuple[float, bool]:
    """Part of a mesh [478, 3] px that lies outside the picture, and whether a part of its lips does."""
    height, width = picture.shape[:2]
    x, y = mesh[:468, 0], mesh[:468, 1]
    gone = (x < 0) | (x > width) | (y < 0) | (y > height)
    return float(gone.mean()), bool(gone[MESH_TO_70[OUTER_LIPS]].any())


def _cut(picture: Picture, mesh: Array, name: str) -> tuple[str, ...]:
    part, lips = outside(picture, mesh)
    remedy = "Use a picture that shows the whole face."
    if part > LIMITS.cut or lips:
        what = "the mouth" if lips else f"{part:.0%} of the face (at most {LIMITS.cut:.0%})"
        raise FaceError(f"{name}: the picture's edge cuts off {what}. {remedy}")
    if part < LIMITS.cut_note:
        return ()
    return (f"{name}: the picture's edge cuts off {part:.0%} of the face; smears may show there. {remedy}",)


def _cover(picture: Picture, mesh: Array, name: str) -> tuple[str, ...]:
    odds = covered(picture, mesh)
    if odds >= LIMITS.cover:
        raise FaceError(
            f"{name}: something covers the mouth (a mask, a hand, a microphone). Use a picture that shows the lips."
        )
    if odds < LIMITS.cover_note:
        return ()
    remedy = "Use a picture that shows the lips if it looks wrong."
    return (f"{name}: something may cover the mouth; a mouth is drawn over it. {remedy}",)


def _hair(picture: Picture, face: Face, name: str) -> tuple[str, ...]:
    if overgrown(picture, face.mesh, face.pose) < LIMITS.hair:
        return ()
    return (f"{name}: hair hides the lips: they part little and show no teeth. Use a picture that shows the lips.",)
