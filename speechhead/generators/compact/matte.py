"""Two layers of a portrait: the person, cut out softly, and the background behind, which stays where it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.core.stages import staged
from speechhead.engines.onnx import load_session

from .backdrop import fill
from .fill import push_pull
from .matting import by_colour
from .meshwarp import OVAL, places


@dataclass(frozen=True)
class Cut:
    """How the person is cut out. Lengths are parts of the crop's side.

    Chosen by eye (docs/decisions/0001-person-as-a-layer.md); `pipelines.judge.regions` measures what they do.
    """

    side: int = 256
    """Pixels of the segmentation's square input: the network's own."""

    edge: float = 0.012
    """Reach of the edge's refinement."""

    margin: float = 0.010
    """How far outside the segmentation's edge strands of hair are looked for."""

    inside: float = 0.020
    """How far inside the segmentation's edge background is looked for."""

    seen: float = 0.05
    """Matte, 0..1, above which a pixel hides the background, which is then guessed."""

    rim: float = 0.010
    """As far around the person the background is guessed as well: what leans on it there is taken for the person's."""

    sure: float = 0.9
    """Matte, 0..1, above which a pixel is surely the person."""

    slack: float = 16.0
    """Levels by which a person's part of a pixel may be darker than black or brighter than white: more is taken for the
    background's, which was guessed wrongly there."""

    thick: tuple[float, float] = (0.4, 0.8)
    """Mattes from which on that is no longer told, and from which it is not."""

    apart: float = 0.006
    """How far strands may be apart that hang together: a star of a flag further off is no hair."""

    wide: float = 0.020
    """The same before a calm wall: there nothing is lost, and no line of the outline stays on the wall, as cameras draw
    one around hair."""

    calm: float = 2.5
    """Mean difference of a calm wall's pixels from their surroundings, in levels of 0..255."""

    epsilon: float = 2e-4
    """Contrast in 0..1, squared, of an edge in the picture that the matte follows (He et al., 2010, "Guided image
    filtering")."""


@dataclass(frozen=True)
class Dense:
    """Samples between the pixels of the person's layer.

    Read between its samples, linearly, a picture loses detail: of that near the pixels' own pitch a half, and how much
    changes from frame to frame. Between samples twice as dense, made once with a long filter, a tenth is lost. Cubic
    reading would do as well and takes five times as long.
    """

    density: int = 2
    """Samples per pixel, each way."""

    largest: int = 768
    """Pixels a side of the largest crop that has them."""

    crisp: float = 0.65
    """By how much the samples between the pixels are sharpened, so that on the average over all places between samples
    the detail is that of the photo (`pipelines.judge.detail`). The pixels themselves stay as they are."""


CUT = Cut()
DENSE = Dense()

STRIP = 64
"""Rows in which the layers are put together, so that what lies between reading and writing stays in a core's cache."""

UNCOVERED = np.array([[0, 0, 0, -1, 1]] * 4, np.float32)
"""Affine map of the person's layer to what it leaves of the background, the same in all four channels: 1 - alpha."""


@dataclass(frozen=True)
class Layers:
    """A crop in two layers: crop = person + (1 - alpha) * background, exactly.

    person: float32 [D S, D S, 4], D samples per pixel each way of which sample D k is pixel k: premultiplied colours in
    0..255, negative where the background was guessed too bright, and alpha in 0..1; one array, as one of four channels
    is moved quickest
    background: uint8 [S, S, 3]; behind the person it is guessed from its surroundings
    """

    person: Array
    background: NDArray[np.uint8]

    @classmethod
    def split(cls, crop: NDArray[np.uint8], alpha: Array) -> Layers:
        """The layers of a crop [S, S, 3] of which `alpha` [S, S] is the person."""
        return cls.of(crop, alpha, possible(crop, alpha, fill(crop, behind(crop, alpha))))

    @classmethod
    def of(cls, crop: NDArray[np.uint8], alpha: Array, background: NDArray[np.uint8]) -> Layers:
        """The layers of a crop [S, S, 3] of which `alpha` [S, S] is the person, before a background [S, S, 3]."""
        size = crop.shape[0]
        person = np.dstack([crop - (1 - alpha[..., None]) * background, alpha]).astype(np.float32)
        if size > DENSE.largest:
            return cls(person, background)
        between = np.array([[1 / DENSE.density, 0, 0], [0, 1 / DENSE.density, 0]], np.float32)
        how = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        sides = (DENSE.density * size, DENSE.density * size)
        dense = cv2.warpAffine(person, between, sides, flags=how, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        dense[..., :3] += DENSE.crisp * (dense - cv2.GaussianBlur(dense, (0, 0), DENSE.density / 2))[..., :3]
        dense[:: DENSE.density, :: DENSE.density] = person
        return cls(dense, background)

    @property
    def density(self) -> int:
        """Samples per pixel."""
        return self.person.shape[0] // self.background.shape[0]

    @property
    def alpha(self) -> Array:
        """How much of each pixel is the person: float32 [S, S] in 0..1."""
        return self.person[:: self.density, :: self.density, 3]

    @cached_property
    def _behind(self) -> Array:
        """The background as float32 [S, S, 4], like the person."""
        return np.asarray(cv2.cvtColor(self.background, cv2.COLOR_RGB2RGBA), np.float32)

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        """First column of each row that has anything of the person, and the one after the last, [2, S]."""
        size = len(self.background)
        samples = (np.abs(self.person) > 1e-3).any(-1).reshape(size, self.density, size, self.density)
        there = np.asarray(samples.any((1, 3)))
        first, last = np.argmax(there, 1), size - np.argmax(there[:, ::-1], 1)
        return np.where(there.any(1), [first, last], [[size], [0]])

    @staged("warps")
    def moved(self, flow: Array) -> NDArray[np.uint8]:
        """The picture uint8 [S, S, 3] with the person read through a backward flow [h, w, 2] ([-1, 1] units).

        Where nothing of the person comes to lie the background is the picture.
        """
        size, picture = len(self.background), self.background.copy()
        x, y = places(flow, size, size, self.density)
        reach = math.ceil(float(np.abs(flow).max()) * size / 2) + 2
        for top in range(0, size, STRIP):
            near = self._columns[:, max(0, top - reach) : top + STRIP + reach]
            part = slice(top, top + STRIP), slice(max(0, int(near[0].min()) - reach), int(near[1].max()) + reach)
            if part[1].start >= part[1].stop - reach:
                continue
            person = cv2.remap(self.person, x[part], y[part], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            behind = cv2.transform(person, UNCOVERED)
            np.multiply(behind, self._behind[part], out=behind)
            both = cv2.add(person, behind, dtype=cv2.CV_8U)  # rounds, and stops at 0 and 255
            picture[part] = cv2.cvtColor(both, cv2.COLOR_RGBA2RGB)
        return picture

    def matte(self, flow: Array) -> NDArray[np.uint8]:
        """How much of each pixel of `moved` is the person: uint8 [S, S], 255 for all of it."""
        size = len(self.background)
        x, y = places(flow, size, size, self.density)
        alpha = np.ascontiguousarray(self.person[..., 3])
        moved = cv2.remap(alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(np.round(moved.clip(0, 1) * 255), np.uint8)


class Matte:
    """Cuts the person out of a portrait (MediaPipe's selfie segmentation, refined on the picture's own edges)."""

    def __init__(self, threads: int | None = None) -> None:
        self._session = load_session("person.onnx", threads=threads, names=("image", "person"))

    def __call__(self, crop: NDArray[np.uint8], mesh: Array) -> Layers:
        """Layers of a crop.

        Parameters
        ----------
        crop : uint8 [S, S, 3]
        mesh : float32 [478, 3]; the face mesh in crop pixels, all of which is person
        """
        return Layers.split(crop, self.alpha(crop, mesh))

    def alpha(self, crop: NDArray[np.uint8], mesh: Array) -> Array:
        """How much of each pixel is the person: float32 [S, S] in 0..1."""
        size = crop.shape[0]
        shrink = cv2.INTER_AREA if size > CUT.side else cv2.INTER_LINEAR
        small = cv2.resize(crop, (CUT.side, CUT.side), interpolation=shrink).astype(np.float32) / 255
        found = self._session.run(None, {"image": small[None]})[0].reshape(CUT.side, CUT.side)
        rough: Array = np.asarray(cv2.resize(found, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
        face = cv2.fillPoly(np.zeros((size, size), np.uint8), [np.round(mesh[OVAL, :2]).astype(np.int32)], 1)
        np.maximum(rough, face.astype(np.float32), out=rough)
        _, parts = cv2.connectedComponents((rough > 0.5).astype(np.uint8))
        centre = np.clip(np.round(mesh[OVAL, :2].mean(0)).astype(int), 0, size - 1)
        others = (parts != parts[centre[1], centre[0]]) & (parts > 0)  # people and things further back
        rough[cv2.dilate(others.astype(np.uint8), _disc(CUT.edge * size)) > 0] = 0
        guide = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
        expected = guided(guide, rough, max(2, round(CUT.edge * size)))
        wide = cv2.GaussianBlur(cv2.dilate(expected, _disc(CUT.margin * size)), (0, 0), max(0.6, CUT.margin * size / 2))
        most = np.asarray(np.clip((wide - 0.06) / 0.84, 0, 1), np.float32)
        inside = np.maximum(cv2.erode((expected > 0.97).astype(np.uint8), _disc(CUT.inside * size)), face)
        alpha = by_colour(crop, expected, without_holes(inside, expected < 0.5), most)
        alpha *= joined(alpha, round(CUT.apart * size))
        return cv2.GaussianBlur(alpha, (0, 0), max(0.5, size / 700)).astype(np.float32)


def _side(radius: float) -> int:
    return 2 * max(1, round(radius)) + 1


def _disc(radius: float) -> NDArray[np.uint8]:
    side = _side(radius)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def guided(guide: Array, rough: Array, radius: int) -> Array:
    """`rough` with its edges moved to those of `guide`, both float32 [H, W] (He et al., 2010, eqs. 5, 6 and 8)."""

    def mean(x: Array) -> Array:
        return np.asarray(cv2.blur(x, (2 * radius + 1, 2 * radius + 1)), np.float32)

    middle, target = mean(guide), mean(rough)
    slope = (mean(guide * rough) - middle * target) / (mean(guide * guide) - middle * middle + np.float32(CUT.epsilon))
    return np.clip(mean(slope) * guide + mean(target - slope * middle), 0, 1)


def behind(crop: NDArray[np.uint8], alpha: Array) -> NDArray[np.bool_]:
    """Where the background is hidden by the person or too near to be told from it: bool [S, S]."""
    size = crop.shape[0]
    person = (alpha > CUT.seen).astype(np.uint8)
    near, wide = (cv2.dilate(person, _disc(reach * size)) > 0 for reach in (CUT.rim, CUT.wide))
    luma = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)
    restless = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), max(1.0, 0.01 * size)))
    around = push_pull(cv2.blur(restless, (_side(CUT.wide * size),) * 2)[..., None], (~wide).astype(np.float32))
    return near | (wide & (around[..., 0] < CUT.calm))


def possible(crop: NDArray[np.uint8], alpha: Array, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A background [S, S, 3] of a crop [S, S, 3] before which a person of matte [S, S] has a colour that there is.

    Where it has none, as where half a star beside hair was guessed away, the background is what the crop shows.
    """
    share = alpha[..., None]
    person = crop - (1 - share) * background
    beyond = person - np.clip(person, -CUT.slack, 255 * share + np.float32(CUT.slack))
    more = beyond * (1 - smoothstep32(share, *CUT.thick)) / np.maximum(1 - share, np.float32(0.05))
    return np.clip(np.round(background + more), 0, 255).astype(np.uint8)


def joined(alpha: Array, apart: int) -> NDArray[np.bool_]:
    """What of a matte [H, W] hangs together with what is surely the person, over gaps of so many pixels, [H, W]."""
    there = cv2.dilate((alpha > CUT.seen).astype(np.uint8), np.ones((apart + 1, apart + 1), np.uint8))
    _, parts = cv2.connectedComponents(there)
    return np.isin(parts, np.unique(parts[alpha > CUT.sure]))


def without_holes(inside: NDArray[np.uint8], outside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`inside` and what it encloses: all that is not joined to some of `outside`; both [H, W]."""
    _, parts = cv2.connectedComponents((inside == 0).astype(np.uint8), connectivity=4)
    joined = np.unique(parts[outside & (inside == 0)])
    return ~np.isin(parts, joined) | (inside > 0)
