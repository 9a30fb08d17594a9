"""The inside of an open mouth: two rows of teeth, gums, tongue and the dark behind, where the portrait shows none.

A portrait with closed lips does not tell what its teeth look like, and a network that has to guess paints the mean of
all teeth. So they are taken from a head model (ICT-FaceKit, MIT): drawn from the front, once and in detail, they are
laid on two arches that stand still in the skull and in the jaw, and are seen through the opening between the lips.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core import weights
from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.core.stages import staged
from speechhead.face.landmarks import Pose, from_mesh, to_pixels
from speechhead.motion.rest import rest_face

from .cavity import CAVITY, Opening, behind, lit, reddened, seen_into
from .habit import Habit, gleam, opened
from .jaw import dropped
from .meshwarp import LOWER_INNER_LIP, UPPER_INNER_LIP
from .mouth_light import LUMA as LUMA
from .mouth_light import MouthLight, light, softness
from .open_mouth import look
from .overgrown import HAIR, overgrown, shade, thinned, veiled
from .own_mouth import SEEK, OwnMouth, unlike
from .own_teeth import own_teeth
from .row import Row

UPPER_MIDDLE, LOWER_MIDDLE = [61, 62, 63], [65, 66, 67]
MIDDLE = UPPER_MIDDLE + LOWER_MIDDLE


@dataclass(frozen=True)
class Arches:
    """Where teeth stand, and what of them is seen.

    Lengths in outer eye distances. Fitted to open mouths of training clips
    (docs/decisions/0014-a-mouth-with-an-inside.md).
    """

    upper_bite: float = 0.013
    """How far the edge of the upper front teeth stands below the line of closed lips."""

    lower_bite: float = 0.02
    """How far the edge of the lower front teeth stands below it."""

    behind: float = 0.055
    """How far the front teeth stand behind the lips."""

    density: float = 1.3
    """Pixels of a row of teeth to a pixel of the crop."""

    steep: float = 1.2
    """Largest slope of an arch that is drawn: its sides are out of sight behind the corners of the mouth."""

    apart: tuple[float, float] = (0.0, 0.04)
    """Lip openings from which the teeth begin to be drawn, and are drawn fully."""

    lips: tuple[float, float] = (0.016, 0.013)
    """What the upper and the lower lip hide of what is between them."""

    carved: tuple[float, float] = (0.03, 1.3)
    """Reach and gain by which the shade between teeth, and of them on their gums, is stronger than in even light."""

    groove: tuple[float, float, float] = (0.025, 0.008, 1.8)
    """Half the breadth of the grooves between teeth, how much softer they are than the head model's, and how much
    deeper: those are hairlines, which no small picture shows."""

    bared: float = 0.07
    """The most of the lower front teeth that a lower lip bares, in height: gums stay behind it."""

    within: float = 0.9
    """Colour of what is between open lips and not behind them, beside that of the lips."""

    lens: float = 0.45
    """How much softer than drawn the mouth is shown, as a part of the softness of the portrait's eyes."""


ARCHES = Arches()


@dataclass(frozen=True)
class Inside:
    """The mouth of one portrait.

    lower, upper: its rows, `unit` pixels to an outer eye distance; bite: how far the upper row's edge stands below the
    line of closed lips; rest: float32 [70, 3], its landmarks with closed lips in normalised space; soft: standard
    deviation of the blur that the portrait has, outer eye distances; light: colours in its light; habit: how it differs
    from the rules, None if it does not; overgrown: how surely hair hides its lips, 0 to 1.
    """

    lower: Row
    upper: Row
    bite: float
    unit: float
    rest: Array
    soft: float
    light: MouthLight
    habit: Habit | None = None
    overgrown: float = 0.0

    @property
    def seam(self) -> Array:
        """float32 [3], middle of the resting lips in normalised space."""
        return np.asarray(self.rest[MIDDLE].mean(0), np.float32)

    def edges(self, jaw: float | Array, further: float | Array = 0.0) -> tuple[Array, Array]:
        """Where the edges of the lower and of the upper front teeth are, float32 [..., 3] each, normalised space; jaw
        [...]: how far it is down; further [...]: how much further than `bite` the upper row's edge is."""
        down, back = np.array([0, 1, 0], np.float32), np.array([0, 0, ARCHES.behind], np.float32)
        heights = (np.asarray(height, np.float32) for height in (ARCHES.lower_bite + jaw, self.bite + further))
        lower, upper = (self.seam + back + down * height[..., None] for height in heights)
        return lower, upper

    def now(self, face: Array) -> TeethNow:
        """How it stands where landmarks [..., 70, 3] in normalised space drive."""
        habit = Habit() if self.habit is None else self.habit.now(face, self.rest)
        lip = face[..., LOWER_MIDDLE, 1].mean(-1) - self.seam[1]
        jaw = np.maximum(habit.jaw_share * dropped(face, self.rest) + habit.jaw, 0)
        lower, upper = self.edges(np.maximum(jaw, lip - ARCHES.lower_bite - ARCHES.bared), habit.bite)
        middle = self.seam + np.array([0, 0, ARCHES.behind], np.float32)
        even = np.exp(np.stack([habit.lower, habit.upper], -1)).astype(np.float32)
        return TeethNow(lower, upper, middle, np.exp(np.asarray(habit.tongue, np.float32)), even)

    def under_hair(self, crop: NDArray[np.uint8], pose: Pose, share: float) -> Inside:
        """The same where hair hides the lips of a portrait in this pose, 0 to 1: shade is seen, and no teeth."""
        habit = self.habit or Habit()
        return replace(
            self,
            lower=thinned(self.lower, share),
            upper=thinned(self.upper, share),
            light=veiled(self.light, shade(crop, self.seam, pose), CAVITY.deep, share),
            habit=replace(habit, tongue=habit.tongue + share * (HAIR.tongue - habit.tongue)),
            soft=max(self.soft, share * HAIR.soft),
            overgrown=share,
        )

    def like(self, own: OwnMouth) -> Inside:
        """It with what an open mouth of its own tells."""
        habit = self.habit and replace(self.habit, jaw=self.habit.jaw + own.jaw, bite=self.habit.bite + own.bite)
        return replace(self.relit(np.float32(np.exp(own.light))), habit=habit)

    def relit(self, gain: Array | np.float32) -> Inside:
        """It with teeth under more or less light, by channel [3] or in all."""
        return replace(self, light=replace(self.light, white=np.asarray(self.white * gain, np.float32)))

    @property
    def white(self) -> Array:
        """float32 [3], colour of a white thing in the portrait's light."""
        return self.light.white

    @property
    def grey(self) -> float:
        """1 for a picture without colours of its own."""
        return self.light.grey


@dataclass(frozen=True)
class TeethNow:
    """How the inside of a mouth stands and is lit in one frame, or in several [...].

    lower, upper, middle: float32 [..., 3] in normalised space, where the edges of the two rows' front teeth and the
    middle between them are; tongue: float32 [...], light on it beside the usual; even: float32 [..., 2], light on the
    lower and on the upper row beside that of the place
    """

    lower: Array
    upper: Array
    middle: Array
    tongue: Array
    even: Array


class Teeth:
    """Draws the inside of mouths."""

    def __init__(self) -> None:
        with weights.arrays("teeth.npz") as store:
            self._unit = float(store["unit"])
            self._rows = {}
            for name in ("lower", "upper"):
                colour = store[name].astype(np.float32)
                colour[..., :3] *= colour[..., 3:] / 255
                colour[..., 3] /= 255
                row = Row(colour, tuple(store[f"{name}_edge"].tolist()), float(store[f"{name}_curve"]))
                half, soft, gain = ARCHES.groove
                carved = row.carved(ARCHES.carved[0] * self._unit, ARCHES.carved[1])
                self._rows[name] = carved.grooved(half * self._unit, soft * self._unit, gain)

    def prepare(self, crop: NDArray[np.uint8], mesh: Array, canonical: Array, pose: Pose) -> Inside:
        """Place, light and, as far as they are seen, teeth of a portrait's mouth.

        Parameters
        ----------
        crop : uint8 [S, S, 3]; mesh : float32 [478, 3] in its pixels; canonical : the same in normalised space
        pose : of the portrait, in its pixels
        """
        density = min(1.0, ARCHES.density * pose.scale / self._unit)
        lower, upper = (self._rows[name].scaled(density) for name in ("lower", "upper"))
        rest = rest_face(from_mesh(canonical))
        soft = ARCHES.lens * softness(crop, mesh, pose.scale) / pose.scale
        seen = light(crop, mesh)
        place = rest[MIDDLE].mean(0) + np.array([0, 0, ARCHES.behind], np.float32)
        own = own_teeth(crop, mesh, pose, place, upper, self._unit * density, seen.white)
        gain, bite = own or (np.ones(3, np.float32), None)
        bite = ARCHES.upper_bite if bite is None else bite
        ruled = Inside(lower, upper, bite, self._unit * density, rest, soft, seen).relit(gain)
        told = replace(ruled, habit=Habit.of_portrait(crop, mesh, pose)).like(OwnMouth(gleam(crop, mesh, pose.scale)))
        share = overgrown(crop, mesh, pose)
        if share > 0:
            return told.under_hair(crop, pose, share)
        return told.like(self._own_mouth(crop, mesh, canonical, pose, told))

    def _own_mouth(self, crop: NDArray[np.uint8], mesh: Array, canonical: Array, pose: Pose, told: Inside) -> OwnMouth:
        """How a portrait's open mouth differs from the Inside that is told without it; arguments as of `prepare`."""
        found, share = OwnMouth(), opened(mesh, pose)
        if share <= 0:
            return found
        outline = np.round(mesh[UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1], :2] * 16).astype(np.int32)
        lips = tuple((ARCHES.within * told.light.lips).tolist())
        empty = np.asarray(cv2.fillPoly(crop.copy(), [outline], lips, cv2.LINE_AA, 4), np.uint8)
        own, tried = look(crop, mesh, pose.scale), []
        for _ in range(SEEK.steps):
            made = look(self.draw(empty.copy(), told.like(found), canonical, pose), mesh, pose.scale)
            tried.append((unlike(own, made), found))
            found = found.nearer(own, made)
        found = min(tried, key=lambda pair: pair[0])[1]
        return found.kept(own, share)

    @staged("composite")
    def draw(self, frame: NDArray[np.uint8], inside: Inside, keypoints: Array, pose: Pose) -> NDArray[np.uint8]:
        """Lay the inside of the mouth into a frame, in place.

        Parameters
        ----------
        keypoints : float32 [478, 3], driving, in normalised space; pose : driving, in crop pixels
        """
        layer = self.layer(frame.shape[0], inside, keypoints, pose)
        if layer is not None:
            (rows, columns), deep, share = layer
            region = frame[rows, columns]
            frame[rows, columns] = cv2.convertScaleAbs(region * (1 - share) + deep * share)
        return frame

    def layer(
        self, size: int, inside: Inside, keypoints: Array, pose: Pose, overhang: float = 1.0
    ) -> tuple[tuple[slice, slice], Array, Array] | None:
        """What `draw` lays over a frame of `size` pixels a side: where, colours [h, w, 3] in 0..255, and how much of
        them [h, w, 1] in 0..1; None where the lips are shut or the mouth is out of the frame.

        overhang : of the lips, see `between`
        """
        face = from_mesh(keypoints)
        shown = float(parted(face))
        if shown <= 0:
            return None
        opening = Opening.between(to_pixels(between(keypoints, overhang), pose)[:, :2], pose.scale, size)
        if opening is None:
            return None
        colour = self._colours(inside, face, pose, opening)
        soft = inside.soft * pose.scale
        deep = np.asarray(cv2.GaussianBlur(colour, (0, 0), soft), np.float32)
        part = shown * seen_into(opening, face, inside.rest)
        share = np.asarray(part * cv2.GaussianBlur(opening.mask, (0, 0), soft), np.float32)
        return opening.where, deep, share[..., None]

    def _colours(self, inside: Inside, face: Array, pose: Pose, opening: Opening) -> Array:
        """Colours float32 [h, w, 3] of what is behind the lips, 0..255."""
        now = inside.now(face)
        lower, upper = (
            seen_row(row, inside.unit, edge, pose, opening.places)
            for row, edge in zip((inside.lower, inside.upper), (now.lower, now.upper))
        )
        light = lit(opening, unprojected(*opening.places, now.middle, pose, 0.0)[0], face, inside.rest)
        place = unprojected(*opening.places, now.lower, pose, 0.0)
        out = behind(place, light[1], inside.light.skin, float(now.tongue))
        for row, even, more in zip((lower, upper), light, now.even):
            bright = even * np.float32(more)
            shine = inside.light.on_teeth(reddened(bright))
            out = np.asarray(out * (1 - row[..., 3:]) + row[..., :3] * shine, np.float32)
        if inside.grey > 0:
            out = np.asarray(out + inside.grey * (inside.light.tone.at(out @ LUMA) - out), np.float32)
        return out


def parted(face: Array) -> Array:
    """How much [...] of the inside of a mouth is drawn, 0..1, of landmarks [..., 70, 3] in normalised space."""
    gap = face[..., LOWER_MIDDLE, 1].mean(-1) - face[..., UPPER_MIDDLE, 1].mean(-1)
    return smoothstep32(gap, *ARCHES.apart)


def seen_row(row: Row, unit: float, edge: Array, pose: Pose, places: tuple[Array, Array]) -> Array:
    """A row, float32 [h, w, 4] premultiplied, evenly lit, at pixels (x, y) of the frame.

    Parameters
    ----------
    row : `unit` pixels to an outer eye distance; edge : float32 [3], where its edge's middle is, normalised space
    pose : of the head; places : float32 [h, w] each
    """
    across, down = unprojected(*places, edge, pose, row.curve)
    at = across * unit + row.edge[0], down * unit + row.edge[1]
    return np.asarray(cv2.remap(row.colour, *at, cv2.INTER_LINEAR), np.float32)


def between(keypoints: Array, overhang: float = 1.0) -> Array:
    """Outline float32 [..., n, 3] of what is seen between the inner lips of keypoints [..., 478, 3], normalised space.

    Lips are round and overhang a little: teeth that were seen up to the line at which lips meet would make a mouth look
    further open than it is. `overhang` : in parts of that
    """
    upper, lower = keypoints[..., UPPER_INNER_LIP, :].copy(), keypoints[..., LOWER_INNER_LIP, :].copy()
    share = overhang * np.minimum(1, np.maximum(lower[..., 1] - upper[..., 1], 0) / sum(ARCHES.lips))
    upper[..., 1] += ARCHES.lips[0] * share
    lower[..., 1] -= ARCHES.lips[1] * share
    return np.concatenate([upper, lower[..., -2:0:-1, :]], -2)


def unprojected(x: Array, y: Array, edge: Array, pose: Pose, curve: float) -> tuple[Array, Array]:
    """Where on an arch pixels look: distances (across, down) from its edge's middle, in outer eye distances.

    The arch is z = curve * across^2 behind its middle; three steps of a fixed-point iteration, which converges as long
    as the head is turned less than the arch is steep.

    Parameters
    ----------
    x, y : float32 [h, w], pixels; edge : float32 [3], normalised space; pose : of the head, in pixels
    """
    middle = to_pixels(edge, pose)
    matrix = np.asarray(pose.rotation * pose.scale, np.float32)
    inverse = np.linalg.inv(matrix[:2, :2])
    dx, dy = x - middle[0], y - middle[1]
    reach = ARCHES.steep / (2 * curve) if curve else 0.0
    across, down = np.zeros_like(x), np.zeros_like(y)
    for _ in range(3 if curve else 1):
        inner = np.clip(across, -reach, reach)
        depth = curve * inner * inner + (ARCHES.steep if curve else 0.0) * np.abs(across - inner)
        px, py = dx - matrix[0, 2] * depth, dy - matrix[1, 2] * depth
        across, down = inverse[0, 0] * px + inverse[0, 1] * py, inverse[1, 0] * px + inverse[1, 1] * py
    return np.asarray(across, np.float32), np.asarray(down, np.float32)
