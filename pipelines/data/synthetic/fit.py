"""Fitting the head model to a tracked face: pose, identity and expression, then what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from speechhead.core.arrays import Array, Array64
from speechhead.generators.compact.head import laid

from .correspondence import POINTS, Correspondence, Spread
from .head import EYE_LEFT, EYE_RIGHT, GUMS, TEETH, Head

_DEPTH_WEIGHT = 0.35
"""Of z against x and y: the tracker's depth is a guess."""
_IDENTITY_WEIGHT, _EXPRESSION_WEIGHT = 0.035, 0.12
"""Ridge on identity (in standard deviations) and expression weights, per point and centimetre."""
_ROUNDS = 4
_EYES = ((EYE_LEFT, 468), (EYE_RIGHT, 473))


@dataclass(frozen=True)
class View:
    """Weak perspective: pixels = scale * rotation @ head + translation."""

    rotation: Array
    translation: Array
    scale: float

    def project(self, points: Array | Array64) -> Array:
        """Head space [..., 3] to pixels [..., 3]."""
        return (self.scale * points @ self.rotation.T + self.translation).astype(np.float32)

    def unproject(self, pixels: Array | Array64) -> Array:
        """Pixels [..., 3] to head space [..., 3]."""
        return ((pixels - self.translation) @ self.rotation / self.scale).astype(np.float32)


@dataclass(frozen=True)
class Eyeball:
    """An eyeball: vertices, its centre [3] in head space, radius, and where it looks in the photo.

    gaze : yaw and pitch in radians in head space (positive: to the right of the picture, down)
    iris : radius of the iris in head units
    """

    part: int
    centre: Array
    radius: float
    gaze: tuple[float, float]
    iris: float


@dataclass(frozen=True)
class Fit:
    """A head model on a photo.

    identity [I], expression [E]; offset [V, 3]: what the modes cannot say, in head space; view; eyes (left, right of
    the picture); error: root mean square distance of model (without offset) and tracked points, in units of 1/100
    of the distance between the outer eye corners
    """

    identity: Array
    expression: Array
    offset: Array
    view: View
    eyes: tuple[Eyeball, Eyeball]
    error: float


class Fitter:
    """Fits one head model to meshes of the tracker."""

    def __init__(self, head: Head, table: Correspondence) -> None:
        self.head, self.table = head, table
        self.plane, self.depth = Spread(head, table, 30.0), Spread(head, table, 0.05)
        corners, weights = table.corners, table.weights
        self._identity = np.einsum("pc,ipcx->ipx", weights, head.identity[:, corners])
        self._expression = np.einsum("pc,epcx->epx", weights, head.expression[:, corners])
        self._mean = table.points(head.neutral)
        # A face's outline is where the tracker sees it, which on a turned head is not the same skin.
        self._weight = np.where(np.abs(self._mean[:, 0]) > 5.5, 0.4, 1.0)
        self._allowed = np.array(
            [not n.startswith(("Pupil", "eyeLookIn", "eyeLookOut", "tongue")) for n in head.expression_names]
        )

    def __call__(self, mesh: Array) -> Fit:
        """Fit to a mesh [478, 3] in pixels."""
        target = mesh[:POINTS].astype(np.float64)
        identity: Array64 = np.zeros(len(self._identity))
        expression: Array64 = np.zeros(len(self._expression))
        for _ in range(_ROUNDS):
            shape = self._shape(identity, expression)
            view = _view(shape, target, self._weight)
            identity, expression = self._solve(view.unproject(target), view)
        shape = self._shape(identity, expression)
        view = _view(shape, target, self._weight)
        left = view.unproject(target) - shape
        eyes_apart = np.linalg.norm((mesh[33] - mesh[263])[:2])
        error = np.sqrt(((view.project(shape) - target)[:, :2] ** 2).sum(1).mean()) / eyes_apart * 100
        weights = np.float32(identity), np.float32(expression)
        offset = self._offset(left, view)
        return Fit(*weights, offset, view, self._eyes(weights[0], offset, view, mesh), float(error))

    def _shape(self, identity: Array64, expression: Array64) -> Array64:
        return (
            self._mean
            + np.einsum("i,ipx->px", identity, self._identity)
            + np.einsum("e,epx->px", expression, self._expression)
        )

    def _solve(self, target: Array, view: View) -> tuple[Array64, Array64]:
        """Bounded ridge regression of both weights on points [468, 3] in head space."""
        toward = view.rotation[2]  # the camera's axis in head space: along it the data weigh less
        metric = np.eye(3) - (1 - _DEPTH_WEIGHT) * np.outer(toward, toward)
        weight = self._weight[:, None]
        allowed = self._expression[self._allowed]
        modes = np.concatenate([self._identity, allowed])
        columns = ((modes @ metric) * weight).reshape(len(modes), -1).T
        data = (((target - self._mean) @ metric) * weight).ravel()
        count = np.sqrt(POINTS)
        ridge = np.r_[np.full(len(self._identity), _IDENTITY_WEIGHT), np.full(len(allowed), _EXPRESSION_WEIGHT)] * count
        low = np.r_[np.full(len(self._identity), -3.0), np.zeros(len(allowed))]
        high = np.r_[np.full(len(self._identity), 3.0), np.ones(len(allowed))]
        found = lsq_linear(
            np.concatenate([columns, np.diag(ridge)]), np.r_[data, np.zeros(len(ridge))], (low, high), tol=1e-4
        ).x
        expression: Array64 = np.zeros(len(self._expression))
        expression[self._allowed] = found[len(self._identity) :]
        return found[: len(self._identity)], expression

    def _offset(self, left: Array64, view: View) -> Array:
        """What is left [468, 3] spread over skin, and carried by teeth and eyeballs as whole pieces."""
        head = self.head
        toward = view.rotation[2]
        deep = np.outer(left @ toward, toward)
        offset = np.zeros_like(head.neutral)
        offset[self.plane.skin] = self.plane(left - deep) + self.depth(deep)
        pieces = ((TEETH, GUMS), [33, 48, 54]), ((EYE_LEFT,), range(36, 42)), ((EYE_RIGHT,), range(42, 48))
        for parts, marks in pieces:
            rows = np.unique(head.triangles[head.of(*parts)])
            if len(rows):
                offset[rows] = offset[head.landmarks[list(marks)]].mean(0)
        return offset

    def _eyes(self, identity: Array, offset: Array, view: View, mesh: Array) -> tuple[Eyeball, Eyeball]:
        """Eyeballs where the model has them, looking at the tracked irises."""
        vertices = self.head.shape(identity, np.zeros(len(self.head.expression))) + offset
        eyes = []
        for part, iris in _EYES:
            rows = np.unique(self.head.triangles[self.head.of(part)])
            ball = vertices[rows]
            centre = (ball.min(0) + ball.max(0)) / 2
            radius = float(np.ptp(ball, axis=0)[:2].mean() / 2)
            seen = view.unproject(np.array([*mesh[iris, :2], view.project(centre)[2]], np.float32))
            # Slide along the viewing axis onto the ball.
            toward = view.rotation[2]
            across = (seen - centre) - ((seen - centre) @ toward) * toward
            inside = max(radius**2 - across @ across, (0.5 * radius) ** 2)
            look = across - np.sqrt(inside) * toward
            look /= np.linalg.norm(look)
            gaze = (float(np.arctan2(look[0], -look[2])), float(np.arcsin(np.clip(look[1], -1, 1))))
            ring = np.linalg.norm(mesh[iris + 1 : iris + 5, :2] - mesh[iris, :2], axis=1)
            eyes.append(Eyeball(part, np.float32(centre), radius, gaze, float(np.median(ring) / view.scale)))
        return eyes[0], eyes[1]


def _view(shape: Array64, target: Array64, weight: Array64) -> View:
    """The similarity that lays shape [P, 3] on target [P, 3]."""
    rotation, translation, scale = laid(shape, target, weight)
    return View(np.float32(rotation), np.float32(translation), scale)
