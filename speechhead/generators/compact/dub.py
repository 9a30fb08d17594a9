"""The mouth of a person in a video made to move anew: what a shot tells of it once, and only its region per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.engines.onnx import load_session
from speechhead.face.crop import CROP_EYES
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_70, Pose, from_mesh, remove_pose, to_normalised, to_pixels
from speechhead.motion.rest import rest_face

from .cavity import CAVITY
from .latents import CompactLatents, deepened, mouth_width
from .lips import LipSheets
from .meshwarp import MeshWarp
from .mouth_light import LUMA
from .own_teeth import front
from .shown import KNOWN, PRIOR_RESOLUTION, planes, read, shut, with_lips, with_lips_shut
from .teeth import Inside, Teeth
from .windows import MOUTH, SOURCE_NAMES, lay, painter_file, painter_names

LOWER = (0.30, 0.62)
"""Heights in the reference face, outer eye distances below the eyes, between which the skin begins to follow the mouth
and follows it fully: eyes, and the nose's bridge, stay the frame's own."""

CALM = 3.0
"""Sigma, in samples of the field, by which motion off the face is smoothed: what lies round a jaw bends with it."""

SEEN, FEWEST, BRIGHTEST, PALE = 0.7, 30, 80, 0.6
"""Share from which a pixel is between the lips, how many of them tell something, the percentile of their least channel
that is teeth, and the least channel of teeth over their largest."""

SHINE = 1.25
"""How much lighter teeth in the open may be drawn than the lightest that were seen."""

TEETH_GAIN = (0.5, 1.5)
"""Bounds of how much darker or lighter teeth are drawn than the head model's, after the portrait's own light."""

GAIN = (0.6, 1.6)
"""Bounds of how much lighter or darker lips are in one frame than in another."""

_LIPS: tuple[int, ...] = (185, 40, 39, 37, 0, 267, 269, 270, 409, 184, 74, 73, 72, 11, 302, 303, 304, 408)
_LIPS += (146, 91, 181, 84, 17, 314, 405, 321, 375, 77, 90, 180, 85, 16, 315, 404, 320, 307)

FaceLook = tuple[NDArray[np.uint8], Array]
"""A face's square crop uint8 [S, S, 3], and its mesh float32 [478, 3] in its pixels."""


@dataclass(frozen=True)
class MouthModel:
    """What a shot tells of one person's mouth.

    inside: teeth, tongue and their light; lips: its two sheets; tone: float32 [3], their colour
    seen: float32 [70, 3] and pose: landmarks, lips shut, and head of the picture that the window network knows it from
    features: what that network was told of it, by name
    """

    inside: Inside
    lips: LipSheets
    tone: Array
    seen: Array
    pose: Pose
    features: dict[str, Array]


@dataclass(frozen=True)
class MouthFrame:
    """A mouth as it is in one frame, and as it is to be.

    mesh: float32 [478, 3], the face in pixels of the region; pose: of the head, in them
    rest: float32 [478, 3], the face with its lips at rest, normalised space
    driven: float32 [70, 3], landmarks to show, normalised space
    share: how far the mouth is on its way from what it is to that, 0..1
    """

    mesh: Array
    pose: Pose
    rest: Array
    driven: Array
    share: float = 1.0


@cache
def follows() -> Array:
    """How much each vertex of the mesh takes part when a mouth moves, float32 [478, 1] in 0..1."""
    weight = smoothstep32(MESH_REFERENCE[:, 1], *LOWER)
    weight[468:] = 0
    return np.asarray(weight[:, None], np.float32)


class MouthDubber:
    """Draws mouths into the frames of a video, as `CompactGenerator` draws them into a portrait.

    The head stays where it is in its frame. So neither the person's outline nor what moves with the head is needed:
    the frame itself is warped, by the mesh alone, and only around the mouth.
    """

    def __init__(self, threads: int | None = 1) -> None:
        self._latents = CompactLatents(threads=threads)
        self._teeth = Teeth()
        self._source = load_session("compact_source.onnx", threads=threads, names=SOURCE_NAMES)
        self._painter = load_session(painter_file("mouth"), threads=threads, names=painter_names("mouth"))
        self._mouth_only = ort.RunOptions()
        self._mouth_only.only_execute_path_to_fetches = True

    def model(self, teeth: Sequence[FaceLook], shut_lips: FaceLook) -> MouthModel:
        """What pictures of a person tell of its mouth.

        Parameters
        ----------
        teeth : those that show its teeth best; shut_lips : the one in which its lips are nearest to rest
        """
        inside = self._fitted(teeth)
        crop, mesh = shut_lips
        pose = remove_pose(from_mesh(mesh)[None])[1][0]
        canonical = to_normalised(mesh, pose)
        lips = LipSheets.prepare(crop, mesh, pose, inside.soft)
        seen = shut(self._latents, canonical, lips.plate.parted)
        picture = with_lips_shut(crop, seen, lips, MeshWarp(canonical, pose, crop.shape[0]))
        features = self._known(picture, seen, canonical, pose)
        return MouthModel(inside, lips, lip_tone(crop, mesh), from_mesh(seen), pose, features)

    def _fitted(self, looks: Sequence[FaceLook]) -> Inside:
        """The inside of a mouth, its teeth as light as the middle one of looks shows them: one that is off, by a shadow
        or a blur, is not the whole shot's."""
        poses = [remove_pose(from_mesh(mesh)[None])[1][0] for _, mesh in looks]
        faces = [to_normalised(mesh, pose) for (_, mesh), pose in zip(looks, poses)]
        inside = self._teeth.prepare(*looks[0], faces[0], poses[0])
        found = []
        for (crop, _), face, pose in zip(looks, faces, poses):
            own = replace(inside, rest=rest_face(from_mesh(face)))
            layer = self._teeth.layer(crop.shape[0], own, face, pose)
            pair = None if layer is None else teeth_colours(crop, layer)
            found += [] if pair is None else [pair]
        if not found:
            return inside
        seen, drawn = np.median(found, axis=0)
        # Not lighter in the open than what was seen: what is seen in a lip's shade tells the hue, and little of light.
        most = SHINE * seen / np.maximum(front(inside.upper, inside.unit) * (inside.white / 235 * CAVITY.full), 1)
        gain = np.clip(np.minimum(seen / np.maximum(drawn, 1), most), *TEETH_GAIN).astype(np.float32)
        return inside.relit(gain)

    def rest(self, mesh: Array, rest: Array) -> Array:
        """A face's mesh [478, 3] with the landmarks `rest` [70, 3], both in normalised space."""
        return self._latents.keypoints(rest[None], mesh)[0]

    def draw(self, region: NDArray[np.uint8], frame: MouthFrame, model: MouthModel) -> NDArray[np.uint8]:
        """A square region uint8 [R, R, 3] of a video's picture, around the mouth, with the mouth as it is to be.

        Parameters
        ----------
        frame : the face in the region's pixels
        model : of the person in this shot
        """
        canonical = to_normalised(frame.mesh, frame.pose)
        keypoints = self._keypoints(canonical, frame)
        lips = _relit(model.lips, lip_tone(region, frame.mesh) / model.tone)
        moved = _warped(region, canonical, keypoints, frame.pose)
        moved = with_lips(moved, lips, keypoints, frame.pose)
        moved = self._paint(moved, canonical, keypoints, frame.pose, model)
        inside = replace(model.inside, rest=from_mesh(frame.rest))
        return self._teeth.draw(moved, inside, keypoints, frame.pose)

    def _keypoints(self, canonical: Array, frame: MouthFrame) -> Array:
        """The mesh to show [478, 3], normalised space: all that follows the mouth comes from its rest, not from what
        the mouth does in this frame."""
        rest = from_mesh(frame.rest)
        deep = deepened(frame.driven, rest, float(mouth_width(rest)))
        shown = self._latents.keypoints(deep[None], frame.rest)[0]
        weight = follows().copy()
        weight[MESH_TO_70[48:68]] = 1
        keypoints = canonical + np.float32(frame.share) * weight * (shown - canonical)
        return np.asarray(keypoints, np.float32)

    def _known(self, picture: NDArray[np.uint8], seen: Array, canonical: Array, pose: Pose) -> dict[str, Array]:
        """Features of the window network for a face crop, lips shut, and what it was shown."""
        size = picture.shape[0]
        matrix = MOUTH.matrix(MOUTH.centre(canonical), pose, size)
        soft = _softened(picture, pose.scale)
        feeds = _blank(self._source) | {
            "mouth_source": planes(read(soft, MOUTH.grid(matrix)))[None],
            "mouth_source_shapes": MOUTH.shapes(to_pixels(seen, pose), matrix, pose, size)[None],
        }
        names = ["mouth_quarter", "mouth_eighth"]
        features = dict(zip(names, self._source.run(names, feeds, self._mouth_only)))
        return features | {name: feeds[name] for name in ("mouth_source", "mouth_source_shapes")}

    def _paint(
        self, region: NDArray[np.uint8], canonical: Array, keypoints: Array, pose: Pose, model: MouthModel
    ) -> NDArray[np.uint8]:
        """Lay over the warped region what the window network paints on the lips, in place."""
        size = region.shape[0]
        matrix = MOUTH.matrix(MOUTH.centre(canonical), pose, size)
        shapes = MOUTH.shapes(to_pixels(keypoints, pose), matrix, pose, size)
        feeds = dict(model.features)
        feeds["mouth_warped"] = planes(read(_softened(region, pose.scale), MOUTH.grid(matrix)))[None]
        feeds["mouth_shapes"] = shapes[None]
        feeds["mouth_motion"] = MOUTH.motion(model.seen, from_mesh(keypoints), model.pose, pose)[None]
        patch = self._painter.run(None, feeds)[0][0].transpose(1, 2, 0)
        if model.inside.grey > 0:
            tone = model.inside.white / max(float(model.inside.white.mean()), 1.0)
            patch[..., :3] += model.inside.grey * ((patch[..., :3] @ LUMA)[..., None] * tone - patch[..., :3])
        return lay(region, patch * MOUTH.reach(shapes)[..., None], matrix)


def teeth_colours(
    crop: NDArray[np.uint8], layer: tuple[tuple[slice, slice], Array, Array]
) -> tuple[Array, Array] | None:
    """Colours float32 [3] of the brightest between a look's lips, and of what would be drawn there; None where the
    first is no tooth.

    layer : of `Teeth.layer`, for the look as it is
    """
    where, drawn, share = layer
    inside = share[..., 0] > SEEN
    if inside.sum() < FEWEST:
        return None
    colours = []
    for picture in (crop[where].astype(np.float32), drawn):
        least = picture[inside].min(-1)
        colours.append(picture[inside][least >= np.percentile(least, BRIGHTEST)].mean(0))
    seen, shown = colours
    if seen.min() < PALE * seen.max():  # lip, tongue or gum
        return None
    return np.asarray(seen, np.float32), np.asarray(shown, np.float32)


def lip_tone(picture: NDArray[np.uint8], mesh: Array) -> Array:
    """Colour float32 [3] of the lips of a mesh [478, 3] px, away from what is between them."""
    places = np.round(mesh[list(_LIPS), :2] - 0.5).astype(int)
    x, y = np.clip(places, 0, np.array(picture.shape[1::-1]) - 1).T
    return np.maximum(np.median(picture[y, x], axis=0), 1).astype(np.float32)


def _relit(lips: LipSheets, gain: Array) -> LipSheets:
    """Lips under more or less light, by channel [3]."""
    levels = np.arange(256, dtype=np.float32)[:, None] * np.clip(gain, *GAIN)
    table = np.clip(np.round(levels), 0, 255).astype(np.uint8)[None]
    upper, lower = (np.asarray(cv2.LUT(part, table), np.uint8) for part in (lips.plate.upper, lips.plate.lower))
    plate = replace(lips.plate, upper=upper, lower=lower, line=np.asarray(lips.plate.line * gain, np.float32))
    return replace(lips, plate=plate)


def _warped(region: NDArray[np.uint8], canonical: Array, keypoints: Array, pose: Pose) -> NDArray[np.uint8]:
    """A region [R, R, 3] moved from the mesh `canonical` to `keypoints` [478, 3], normalised space."""
    size = region.shape[0]
    side = CROP_EYES * pose.scale  # the field is as fine, and ends where it does, as in a face's own crop
    corner = (pose.translation[:2] - side / 2).astype(np.float32)
    there = replace(pose, translation=(pose.translation - [*corner, 0]).astype(np.float32))
    flow, coverage = MeshWarp(canonical, there, round(side)).flow(keypoints, there, PRIOR_RESOLUTION)
    calm = cv2.GaussianBlur(flow, (0, 0), CALM, borderType=cv2.BORDER_REFLECT_101)
    within = cv2.blur(cv2.erode((coverage >= 1).astype(np.float32), np.ones((7, 7), np.uint8)), (5, 5))
    mixed = np.asarray(calm + within[..., None] * (flow - calm), np.float32)
    # Pixel k of the region is sample (k + 0.5 - corner) N / side - 0.5 of the field.
    step = PRIOR_RESOLUTION / side
    matrix = np.array([[step, 0, step * (0.5 - corner[0]) - 0.5], [0, step, step * (0.5 - corner[1]) - 0.5]])
    fine = cv2.warpAffine(mixed, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    x, y = cv2.split(fine * np.float32(side / 2))
    columns = np.arange(size, dtype=np.float32)
    x += columns
    y += columns[:, None]
    moved = cv2.remap(region, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(moved, np.uint8)


def _softened(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """A square picture at the sharpness that the window network knows; scale: pixels of an outer eye distance."""
    side = round(picture.shape[0] * KNOWN / CROP_EYES / scale)
    if side >= picture.shape[0]:
        return picture
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _blank(session: ort.InferenceSession) -> dict[str, Array]:
    """Zeros for every input of a network."""
    return {one.name: np.zeros(one.shape, np.float32) for one in session.get_inputs()}
