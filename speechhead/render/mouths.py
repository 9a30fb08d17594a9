"""Two ways to draw a mouth into a picture: the compact one, made for films, and any generator of portraits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.options import RenderOptions
from speechhead.core.smoothstep import eased
from speechhead.face.crop import crop_square, cut_square
from speechhead.face.landmarks import MESH_TO_70, Pose, from_mesh, to_normalised, to_pixels
from speechhead.generators.compact.dub import FaceLook, MouthDubber, MouthFrame, MouthModel, lip_tone
from speechhead.generators.open import GENERATORS
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.mouth import gain_mask

from .patch import Patch
from .survey import Survey, Take

REACH = 0.3
"""Width of the soft edge of the replaced region, outer eye distances."""

LOOKS = 3
"""Pictures of a take that tell what its teeth look like."""

BETTER = 0.6
"""Part of the teeth that another take shows below which this one's are told by that as well."""

MODELS = 6
"""Takes whose mouths are kept ready."""

_EDITED = np.flatnonzero(gain_mask()[:, 0] > 0)


@dataclass(frozen=True)
class Wanted:
    """A mouth to draw into a picture.

    mesh: float32 [478, 3] px; pose: of the head; rest: float32 [478, 3] and driven: float32 [70, 3], normalised space
    share: how far it is what it says, 0..1
    """

    mesh: Array
    pose: Pose
    rest: Array
    driven: Array
    share: float = 1.0


class Mouths(Protocol):
    """What draws mouths into pictures, from several threads."""

    def relax(self, mesh: Array, rest: Array) -> Array:
        """A mesh [478, 3] with the landmarks `rest` [70, 3], normalised space."""

    def patch(self, picture: Picture, take: Take, wanted: Wanted) -> Patch:
        """A mouth, drawn."""


def open_mouths(options: RenderOptions, survey: Survey, side: int) -> Mouths:
    """What draws mouths as the options say; side: pixels of a generator's crop."""
    from speechhead.generators.open import chosen_generator

    if options.generator == GENERATORS[0]:
        chosen_generator(options, 64)  # says so where engine or device do not fit
        return DubbedMouths(survey)
    return PortraitMouths(chosen_generator(options, side))


class DubbedMouths:
    """Mouths of the compact generator at the picture's own resolution, with one model of a mouth for a whole take."""

    def __init__(self, survey: Survey) -> None:
        self._dubber, self._takes, self._scratch = MouthDubber(), survey.takes, survey.scratch
        self._models: OrderedDict[int, MouthModel] = OrderedDict()
        self._lock = threading.Lock()

    def relax(self, mesh: Array, rest: Array) -> Array:
        relaxed: Array = self._dubber.rest(mesh, rest)
        return relaxed

    def patch(self, picture: Picture, take: Take, wanted: Wanted) -> Patch:
        mask, left, top = mouth_mask(wanted)
        pose = wanted.pose
        corner = np.array([left, top, 0], np.float32)
        there = Pose(pose.rotation, (pose.translation - corner).astype(np.float32), pose.scale)
        mesh = np.asarray(wanted.mesh - corner, np.float32)
        frame = MouthFrame(mesh, there, wanted.rest, wanted.driven, _geometry(wanted.share))
        region = cut_square(picture, left, top, len(mask))
        return Patch(left, top, self._dubber.draw(region, frame, self._model(picture, take, wanted)), mask)

    def _model(self, picture: Picture, take: Take, wanted: Wanted) -> MouthModel:
        with self._lock:
            if id(take) not in self._models:
                self._models[id(take)] = self._made(picture, take, wanted)
                if len(self._models) > MODELS:
                    self._models.popitem(last=False)
            self._models.move_to_end(id(take))
            return self._models[id(take)]

    def _made(self, picture: Picture, take: Take, wanted: Wanted) -> MouthModel:
        """Teeth from the looks that show most of them, the rest from the one whose lips are nearest to shut."""
        looks = [look.open(self._scratch) for look in (*take.shut[:1], *take.teeth[:LOOKS])]
        looks += self._elsewhere(take)
        if not looks:
            left, top, side = (round(value) for value in crop_square(wanted.pose))
            mesh = np.asarray(wanted.mesh - np.array([left, top, 0], np.float32), np.float32)
            looks = [(cut_square(picture, left, top, side), mesh)]
        teeth = looks[len(take.shut[:1]) :] or looks
        return self._dubber.model(teeth, looks[0])

    def _elsewhere(self, take: Take) -> list[FaceLook]:
        """Teeth that the same person shows better in another take, in the light of this one, which lips tell."""
        others = [one for one in self._takes if one.person == take.person and one.shut and one.teeth]
        best = max(others, key=lambda one: one.teeth[0].score, default=take)
        own = take.teeth[0].score if take.teeth else 0.0
        if best is take or not take.shut or best.teeth[0].score * BETTER < own:
            return []
        here, there = (lip_tone(*one.shut[0].open(self._scratch)) for one in (take, best))
        lent = [look.open(self._scratch) for look in best.teeth[: LOOKS + 1]]
        return [(np.clip(np.round(crop * (here / there)), 0, 255).astype(np.uint8), mesh) for crop, mesh in lent]


class PortraitMouths:
    """Mouths by a generator for which every frame is a portrait of its own."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    def relax(self, mesh: Array, rest: Array) -> Array:
        out: Array = mesh.copy()
        out[MESH_TO_70] = rest
        return out

    def patch(self, picture: Picture, take: Take, wanted: Wanted) -> Patch:
        own = to_normalised(from_mesh(wanted.mesh), wanted.pose)
        driven = own + gain_mask() * np.float32(_geometry(wanted.share)) * (wanted.driven - own)
        return portrait_patch(picture, replace(wanted, driven=driven), self._generator)


def _geometry(share: float) -> float:
    """How far lips have moved from where they were to where they are to be: they go, and only then are drawn over, so
    that no mouth is seen twice."""
    return min(max((share - 0.25) / 0.75, 0.0), 1.0)


def _opacity(share: float) -> float:
    return min(max(share / 0.35, 0.0), 1.0)


def mouth_mask(wanted: Wanted) -> tuple[Array, int, int]:
    """Weight float32 [R, R] of what is drawn, and where its corner (left, top) is in the picture: 1 over mouth and jaw
    as they are and as they are to be, 0 from REACH eye distances on."""
    own = from_mesh(wanted.mesh)[:, :2]
    new = to_pixels(wanted.driven, wanted.pose)[:, :2]
    points = np.concatenate([own[_EDITED], new[_EDITED], own[[31, 35]]])
    reach = max(1.0, REACH * wanted.pose.scale)
    low, high = points.min(0) - reach - 2, points.max(0) + reach + 2
    side = int(np.ceil((high - low).max()))
    left, top = (int(value) for value in np.round((low + high) / 2 - side / 2))
    hull = cv2.convexHull((points - (left, top)).astype(np.float32))
    canvas = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(canvas, np.round((hull - 0.5) * 16).astype(np.int32), 1, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(1 - canvas, cv2.DIST_L2, 3)
    ramp = np.clip(1 - distance / reach, 0, 1).astype(np.float32)
    return np.asarray(eased(ramp) * np.float32(_opacity(wanted.share)), np.float32), left, top


def portrait_patch(picture: Picture, wanted: Wanted, generator: Generator) -> Patch:
    """A mouth that a generator draws into a picture [H, W, 3], the face's crop being its portrait."""
    size = generator.size
    left, top, side = crop_square(wanted.pose)
    # Where the face keeps about its size, the crop is cut pixel by pixel and never resampled.
    whole = size if 0.8 < side / size < 1.25 else round(side)
    box = (round(left + (side - whole) / 2), round(top + (side - whole) / 2), whole)
    avatar = Avatar.cut(picture, box, wanted.mesh, size)
    frame = generator.render(generator.prepare(avatar.crop, avatar.mesh), wanted.driven, avatar.pose)
    if whole != size:
        frame = np.asarray(cv2.resize(frame, (whole, whole), interpolation=cv2.INTER_CUBIC), np.uint8)
    mask, x, y = mouth_mask(wanted)
    weight = np.zeros((whole, whole), np.float32)
    x0, y0 = max(x, box[0]), max(y, box[1])
    x1, y1 = min(x + len(mask), box[0] + whole), min(y + len(mask), box[1] + whole)
    if x1 > x0 and y1 > y0:
        weight[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]] = mask[y0 - y : y1 - y, x0 - x : x1 - x]
    return Patch(box[0], box[1], frame, weight)
