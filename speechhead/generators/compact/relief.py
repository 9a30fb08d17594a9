"""What is round a face, in relief: hair, ears, neck and body with a depth, so that they turn with the head.

Every place of a portrait gets the depth of a head fitted to the face, and how much it moves with the skull. Where the
head turns, places move as their depth says; the field of these moves is turned round into one that reads backwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep32
from speechhead.face.landmarks import Pose, rotation_angles, rotation_matrix
from speechhead.motion.pose import neck

from .fill import push_pull
from .head import FittedHead
from .meshwarp import OVAL, pixel_grid


@dataclass(frozen=True)
class ReliefShape:
    """How a portrait moves around its face. Lengths are outer eye distances, chosen by eye."""

    resolution: int = 64
    """Places each way of the crop."""

    slope: float = 4.0
    """Depth that may be lost to what lies behind over a distance of 1: where a chin stands before a neck, the neck
    comes forward to it, so that a turn uncovers no gap and stretches nothing to a smear."""

    furthest: float = 0.85
    """Depth behind the eyes beyond which nothing is taken to lie: hair falls before ears and neck."""

    rim: tuple[float, float] = (0.30, 0.12)
    """Distances from the face's edge at which its depth begins to be held to `slope`, and from which it is."""

    uncovered: tuple[float, float] = (-0.3, 0.3)
    """Cosines, of the way out of a face and that of what lies deep: a turn begins to uncover a rim, and surely does."""

    still: float = 1e-3
    """A turn, as the way aside of what lies 1 deep, that has no direction yet: less is the rounding of a pose."""

    soft: float = 0.05
    """Sigma of the depth's smoothing."""

    calm: float = 0.15
    """Sigma of the smoothing of what moves with the skull."""

    reach: float = 0.2
    """How far from the face's edge what a face does moves its surroundings: a jaw that opens pushes the neck."""

    wide: tuple[float, float] = (0.35, 1.5)
    """Distances from the head from which hair begins to stay behind, and at which it does most."""

    loose: float = 0.4
    """How much the furthest hair stays behind."""

    beside: float = 0.06
    """Sigma, in parts of the crop's side, between hair that its upper edge cuts and hair that it does not."""

    hardly: float = 0.05
    """Part of the upper edge that is person up to which nothing is cut there."""

    rounds: int = 6
    """Steps in which the field of moves is turned round."""

    steep: float = 0.3
    """The least growth of a step's length that a step counts on."""


@dataclass(frozen=True)
class BodyFollow:
    """How the body follows the head."""

    way: float = 0.75
    """Part of the head's way, without its turn."""

    turns: tuple[float, float, float] = (0.3, 0.2, 0.3)
    """Parts of the turn: yaw, pitch, roll."""


RELIEF = ReliefShape()
BODY = BodyFollow()

WAIST = np.array([0.0, 3.4, 1.3])
"""Where the body turns, in normalised space."""


@dataclass(frozen=True)
class Raise:
    """How points of a face come forward along the camera's axis of the portrait, so that the portrait stays as it is.

    front : float32 [478, 3] in normalised space, the way where a turn uncovers a point; outwards : float32 [478, 2],
    the way out of the face in the picture; worn : float32 [478, 3], the way of spectacles whatever the turn, None of a
    face without
    """

    front: Array
    outwards: Array
    worn: Array | None = None

    @classmethod
    def of(cls, mesh: Array, pose: Pose, worn: Array | None = None) -> Raise:
        """Of a face's rim, see `fronted`, and of spectacles.

        Parameters
        ----------
        mesh : float32 [478, 3] in pixels; pose : its pose; worn : float32 [478] or None, of `spectacles.worn`
        """
        outwards = mesh[:, :2] - mesh[OVAL, :2].mean(0)
        outwards = outwards / (np.linalg.norm(outwards, axis=1, keepdims=True) + 1e-6)
        axis = pose.rotation[2] / np.float32(pose.scale)
        way = None if worn is None else np.asarray(worn[:, None] * axis, np.float32)
        solid = mesh if worn is None else mesh + np.outer(worn, [0, 0, 1]).astype(np.float32)
        front = (fronted(solid, pose) - solid).astype(np.float32) @ pose.rotation / np.float32(pose.scale)
        return cls(np.asarray(front, np.float32), outwards.astype(np.float32), way)

    def lift(self, slides: Array) -> Array:
        """The ways [..., 478, 3] when what lies deep goes aside by `slides` [..., 2]."""
        towards = slides @ self.outwards.T / (np.linalg.norm(slides, axis=-1, keepdims=True) + RELIEF.still)
        shown = smoothstep32(towards, *RELIEF.uncovered)[..., None] * self.front
        return np.asarray(shown if self.worn is None else shown + self.worn, np.float32)


class Relief:
    """The surroundings of one portrait's face.

    Parameters
    ----------
    surface : float32 [N, N] each, depth in pixels and rigidity of all places, of the function `surface`
    raising : of the face; mesh : float32 [478, 3], the face in crop pixels; pose : its pose
    size : side of the crop in pixels
    goes : float32 [N, N], how much of their way places go, of the function `cut_above`; None of a whole head
    """

    def __init__(
        self,
        surface: tuple[Array, Array],
        raising: Raise,
        mesh: Array,
        pose: Pose,
        size: int,
        goes: Array | None = None,
    ) -> None:
        count = RELIEF.resolution
        self.size, self.pose = size, pose
        self._raise = raising
        cell = size / count
        (self.depth, self.rigid), self.goes = surface, goes
        places = (pixel_grid(count, count) + 1) * np.float32(size / 2)
        solid = np.dstack([places, self.depth, np.ones_like(self.depth)]).reshape(-1, 4)
        edge = mesh[OVAL, :2]
        at = np.asarray(edge / cell - 0.5, np.float32)[:, None]
        self._edge = np.column_stack([edge, self._read(self.depth, at), np.ones(len(edge), np.float32)])
        self._edge_rigid = self._read(self.rigid, at)[:, None]
        rigid = self.rigid.reshape(-1, 1)
        self.inside = within(edge, places)
        near = nearness(places, edge, pose.scale, self.inside)
        whole = np.concatenate([rigid * solid, (1 - rigid) * solid, near], 1)
        if goes is not None:
            whole *= goes.reshape(-1, 1)
        self.places = whole.astype(np.float32)  # [N N, 44]: a place moves by its row times what drives it, `driven`

    def raised(self, keypoints: Array, pose: Pose) -> Array:
        """A face [478, 3] in normalised space with its rim in front where a turn uncovers it, and its spectacles, see
        `Raise`.

        Where a turn hides the rim it keeps its depth, and goes behind the face.
        """
        return np.asarray(keypoints + self.lift(between(self.pose, pose)), np.float32)

    def lift(self, skull: Array) -> Array:
        """What `raised` adds [..., 478, 3], as the skull [..., 4, 2] moves, of `ways`."""
        return self._raise.lift(skull[..., 2, :])

    def ways(self, pose: Pose) -> tuple[Array, Array]:
        """How places of the portrait move with its skull and with its body, [4, 2] each, see `between`."""
        return between(self.pose, pose), between(self.pose, followed(self.pose, pose))

    def held(self) -> dict[str, Array]:
        """What `lift` and `driven` work with, by name: of the face's rim, and of its edge."""
        return {
            "front": self._raise.front,
            "outwards": self._raise.outwards,
            "edge": self._edge.astype(np.float32),
            "edge_rigid": self._edge_rigid[:, 0],
            **({} if self._raise.worn is None else {"worn": self._raise.worn}),
        }

    @staticmethod
    def _read(layer: Array, at: Array) -> Array:
        read = cv2.remap(layer, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(read[:, 0], np.float32)

    def driven(self, edge: Array, ways: tuple[Array, Array]) -> Array:
        """What moves the places: of the skull, of the body and of the face's edge, float32 [..., 44, 2] in crop pixels.

        Parameters
        ----------
        edge : float32 [..., 36, 2]; the face's edge in the driving picture, crop pixels
        ways : float32 [..., 4, 2] each, of `ways`
        """
        skull, body = ways
        carried = self._edge_rigid * (self._edge @ skull) + (1 - self._edge_rigid) * (self._edge @ body)
        rest = edge - self._edge[:, :2] - carried
        return np.concatenate([skull, body, rest], -2).astype(np.float32)

    def moves(self, edge: Array, pose: Pose) -> Array:
        """Where all places go, float32 [N, N, 2] in crop pixels.

        Parameters
        ----------
        edge : float32 [36, 2]; the face's edge in the driving picture, crop pixels; pose : driving
        """
        count = RELIEF.resolution
        return np.asarray((self.places @ self.driven(edge, self.ways(pose))).reshape(count, count, 2), np.float32)

    def flow(self, edge: Array, pose: Pose) -> Array:
        """Backward flow of the surroundings, float32 [N, N, 2] in [-1, 1] units; arguments as in `moves`."""
        return inverted(self.moves(edge, pose) * np.float32(2 / self.size))


def surface(head: FittedHead, pose: Pose, size: int) -> tuple[Array, Array]:
    """Depth in crop pixels and rigidity of all places, float32 [N, N] each: the head's, and beyond it its edge's."""
    count = RELIEF.resolution
    fine = 2 * count
    corners = head.vertices[head.triangles]
    (ax, ay), (bx, by) = (corners[:, k, :2].T - corners[:, 0, :2].T for k in (1, 2))
    seen = np.flatnonzero(ax * by - ay * bx > 0)
    seen = seen[np.argsort(-corners[seen, :, 2].mean(1))]
    points = np.round((corners[seen, :, :2] * (fine / size) - 0.5) * 16).astype(np.int32)
    depths, shares = corners[seen, :, 2].mean(1), head.rigid[head.triangles[seen]].mean(1)
    drawn = np.zeros((fine, fine, 3), np.float32)
    for polygon, depth, share in zip(points, depths.tolist(), shares.tolist()):
        cv2.fillConvexPoly(drawn, polygon, (depth, share, 1.0), cv2.LINE_8, 4)
    known = drawn[..., 2]
    unit = float(pose.scale) * fine / size
    whole = push_pull(drawn[..., :2], known)
    most = pose.translation[2] + np.float32(RELIEF.furthest * pose.scale)
    depth = ramped(np.minimum(whole[..., 0], most), RELIEF.slope * size / fine)
    depth = cv2.GaussianBlur(depth, (0, 0), RELIEF.soft * unit)
    away = cv2.distanceTransform((known == 0).astype(np.uint8), cv2.DIST_L2, 5) / np.float32(unit)
    rigid = whole[..., 1] * (1 - RELIEF.loose * smoothstep32(away, *RELIEF.wide))
    rigid = cv2.GaussianBlur(rigid, (0, 0), RELIEF.calm * unit)
    both = cv2.resize(np.dstack([depth, rigid]), (count, count), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(both[..., 0]), np.ascontiguousarray(both[..., 1])


def cut_above(alpha: Array, mesh: Array) -> Array | None:
    """How much of their way places go, float32 [N, N] in 0..1: hair that the crop's upper edge cuts comes to rest
    there, and all of it bends a little instead of a strip at the edge that is drawn out. None where nothing is cut.

    Parameters
    ----------
    alpha : float32 [S, S], how much of each pixel is the person; mesh : float32 [478, 3], the face in crop pixels
    """
    count, size = RELIEF.resolution, len(alpha)
    first = np.ascontiguousarray(alpha[: max(1, size // count)].mean(0)[None])
    cut = cv2.resize(first, (count, 1), interpolation=cv2.INTER_AREA)
    cut = cv2.GaussianBlur(cut, (0, 0), RELIEF.beside * count, borderType=cv2.BORDER_REPLICATE)
    if cut.max() < RELIEF.hardly:
        return None
    down = (np.arange(count, dtype=np.float32)[:, None] + np.float32(0.5)) * np.float32(size / count)
    rest = 1 - smoothstep32(down, 0, max(float(mesh[OVAL, 1].min()), 1.0))
    return np.asarray(1 - cut * rest, np.float32)


def ramped(depth: Array, slope: float) -> Array:
    """The furthest surface before `depth` [H, W] that falls back by at most `slope` from a place to the next."""
    out = depth.copy()
    for _ in range(max(depth.shape)):
        before = out
        for axis in (0, 1):
            padded = np.pad(out, [(1, 1) if axis == k else (0, 0) for k in (0, 1)], mode="edge")
            count = out.shape[axis]
            beside = np.minimum(np.take(padded, range(count), axis), np.take(padded, range(2, count + 2), axis))
            out = np.minimum(out, beside + np.float32(slope))
        if np.array_equal(out, before):
            break
    return out


def fronted(mesh: Array, pose: Pose) -> Array:
    """A face mesh [478, 3] in pixels with its rim as far in front as its surroundings are, by their slope."""
    planes = mesh[:, :2].astype(np.float64)
    apart = np.sqrt(((planes[:, None] - planes[None]) ** 2).sum(2))
    held = (mesh[None, :, 2] + RELIEF.slope * apart).min(1)
    rim = smoothstep32(apart[:, OVAL].min(1) / pose.scale, *RELIEF.rim)
    out = mesh.copy()
    out[:, 2] += rim * (held - mesh[:, 2]).astype(np.float32)
    return out


def within(edge: Array, places: Array) -> NDArray[np.bool_]:
    """Which places [N, N, 2] are in a face of such an edge [36, 2], [N, N]."""
    cells = np.round(_cells(edge, places)).astype(np.int32)
    return cv2.fillPoly(np.zeros(places.shape[:2], np.uint8), [cells], 1) > 0


def nearness(places: Array, edge: Array, unit: float, inside: NDArray[np.bool_]) -> Array:
    """How much places [N, N, 2] go along with points of the face's edge [36, 2], float32 [N N, 36]; inside: [N, N],
    which of them are in the face."""
    flat = places.reshape(-1, 2)
    apart = np.linalg.norm(flat[:, None] - edge[None], axis=2) / unit
    nearest = apart.min(1, keepdims=True)
    near = np.exp(-(((apart - nearest) / 0.12) ** 2))
    fades = 1 - smoothstep32(np.where(inside.reshape(-1, 1), 0, nearest), 0, RELIEF.reach)
    return np.asarray(fades * near / near.sum(1, keepdims=True), np.float32)


def _cells(points: Array, places: Array) -> Array:
    step = places[0, 1, 0] - places[0, 0, 0]
    return np.asarray(points / step - 0.5)


def between(source: Pose, driving: Pose) -> Array:
    """How places [n, 4] of a portrait (x, y, z in pixels, and 1) move with its head, float32 [4, 2]."""
    turn = driving.scale / source.scale * driving.rotation.astype(np.float64) @ source.rotation.T.astype(np.float64)
    shift = driving.translation - turn @ source.translation
    return np.concatenate([(turn - np.eye(3))[:2].T, shift[None, :2]]).astype(np.float32)


def followed(source: Pose, driving: Pose) -> Pose:
    """The pose that a head would have if it moved as the body does when it goes from one pose to another."""
    turn = rotation_angles(driving.rotation.astype(np.float64) @ source.rotation.T.astype(np.float64))
    rotation = rotation_matrix(turn * np.array(BODY.turns, np.float32)) @ source.rotation
    way = BODY.way * (neck(driving) - neck(source))
    still = source.translation + source.scale * (source.rotation - rotation).astype(np.float64) @ WAIST
    return Pose(rotation.astype(np.float32), (still + way).astype(np.float32), source.scale)


def inverted(moves: Array) -> Array:
    """The field [N, N, 2] that reads backwards what goes forward by `moves` [N, N, 2], both in [-1, 1] units.

    Newton's steps, each axis for itself; where moves come close to a fold a step is as long as at `steep`.
    """
    count = moves.shape[0]
    steps = [np.ascontiguousarray(moves[..., axis]) * np.float32(count / 2) for axis in (0, 1)]
    grows = [1 + cv2.Sobel(step, cv2.CV_32F, 1 - axis, axis, ksize=1, scale=0.5) for axis, step in enumerate(steps)]
    layers = cv2.merge([*steps, *(1 / np.maximum(grow, RELIEF.steep) for grow in grows)])
    columns, rows = np.meshgrid(*[np.arange(count, dtype=np.float32)] * 2)
    x, y = columns - steps[0], rows - steps[1]
    for _ in range(RELIEF.rounds):
        there = cv2.remap(layers, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        x -= (x + there[..., 0] - columns) * there[..., 2]
        y -= (y + there[..., 1] - rows) * there[..., 3]
    return np.asarray(cv2.merge([x - columns, y - rows]) * np.float32(2 / count), np.float32)
