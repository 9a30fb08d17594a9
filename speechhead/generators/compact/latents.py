"""Landmarks to the canonical keypoints of the compact generator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.stages import staged
from speechhead.engines.onnx import load_session
from speechhead.face.landmarks import INNER_LIPS, MESH_TO_70, OUTER_LIPS, REFERENCE, from_mesh

LIPS = np.r_[OUTER_LIPS, INNER_LIPS]
CORNERS = (48, 54)
UPPER, LOWER = ((49, 50, 51, 52, 53), (61, 62, 63)), ((59, 58, 57, 56, 55), (67, 66, 65))
"""Landmarks of a lip's outer contour and of the middle of its inner one, left to right."""

TAPER = np.array([0.6, 1, 1, 1, 0.6], np.float32)
"""How much of a change of red each point of an outer contour takes part in."""


@dataclass(frozen=True)
class Told:
    """What trackers hold back of lips, as parts of what they tell: seen in true pictures and tracked again in ours, a
    mouth narrows by 0.7 to 0.8 of what was asked for, and red grows and shrinks by 0.6 to 0.8 of it
    (`python -m pipelines.judge.pucker`)."""

    narrow: float = 0.5
    """More of a mouth that is a little narrower than at rest."""

    deepest: float = 0.2
    """Narrowing, outer eye distances, of which half as much more is given: skin does not gather without end."""

    upper: float = 0.2
    """More of a change of the upper lip's red."""

    lower: float = 0.25
    """More of a change of the lower lip's red."""


TOLD = Told()


@dataclass(frozen=True)
class Hanging:
    """How lips part that hair hides, as parts of what they would part beyond the portrait's own opening. Chosen by
    eye."""

    upper: float = 0.42
    """How far the upper lip's edge comes down with its hair, which hangs over the mouth."""

    lower: float = 0.38
    """How far the lower lip's edge stays up."""

    outer: float = 0.6
    """Part of that by which the lips' outer edges do so: what is between is stretched."""


HANGING = Hanging()


def mouth_width(face: Array) -> Array:
    """Distance [...] of the mouth's corners of landmarks [..., 70, 3] across the face."""
    return np.asarray(face[..., CORNERS[1], 0] - face[..., CORNERS[0], 0], np.float32)


def deepened(driving: Array, source: Array, rest_width: float, overgrown: float = 0.0) -> Array:
    """Driving landmarks [..., 70, 3] with what trackers hold back of rounded and rolled-in lips; `source` stays itself.

    Parameters
    ----------
    driving : float32 [..., 70, 3]; normalised landmarks; source : float32 [70, 3]; the portrait's
    rest_width : of the portrait's mouth at rest (`mouth_width`): a smile that ends is no pucker
    overgrown : how surely hair hides the portrait's lips, 0 to 1: they hardly part
    """
    face, width = driving.copy(), mouth_width(driving)
    narrowed = [np.maximum(0, rest_width - mouth_width(one)) for one in (driving, source)]
    more = [TOLD.narrow * by / (1 + by / TOLD.deepest) for by in narrowed]
    middle = (driving[..., CORNERS[0], 0] + driving[..., CORNERS[1], 0])[..., None] / 2
    share = 1 - (more[0] - more[1]) / np.maximum(width, 1e-3)
    face[..., LIPS, 0] = middle + np.maximum(share, 0.5)[..., None] * (driving[..., LIPS, 0] - middle)
    for (outer, inner), gain in ((UPPER, TOLD.upper), (LOWER, TOLD.lower)):
        red, own = (f[..., outer[1:4], 1].mean(-1) - f[..., inner, 1].mean(-1) for f in (driving, source))
        face[..., outer, 1] += TAPER * (gain * (red - own))[..., None]
    if overgrown > 0:
        now, own = (f[..., LOWER[1], 1] - f[..., UPPER[1], 1] for f in (face, source))
        less = np.float32(overgrown) * np.maximum(now - own, 0)
        for (outer, inner), part in ((UPPER, HANGING.upper), (LOWER, -HANGING.lower)):
            face[..., inner, 1] += np.float32(part) * less
            face[..., outer, 1] += np.float32(HANGING.outer * part) * TAPER * less.mean(-1)[..., None]
    return face


class CompactLatents:
    """Expression deltas of the 478 canonical keypoints from 70 landmarks.

    The compact generator's canonical keypoints are the portrait's own mesh in normalised space, so x_c comes from
    the detector and delta from here: the network spreads the motion of the landmarks over cheeks, chin and lids.
    Keypoints that are landmarks follow them exactly. The result is x_c + delta; head pose (R, t, s) is applied after.
    """

    def __init__(self, model: str | Path = "landmarks2latents_compact.onnx", threads: int | None = 1) -> None:
        self._session = load_session(model, threads=threads, names=("motion", "shape"))

    def deltas(self, driving: Array, source: Array) -> Array:
        """Network output [T, 478, 3] for normalised driving landmarks [T, 70, 3] of the face `source` [70, 3]."""
        shape = np.broadcast_to((source - REFERENCE).ravel(), (len(driving), 210))
        motion = (driving - source).reshape(len(driving), 210)
        feeds = {"motion": motion.astype(np.float32), "shape": np.ascontiguousarray(shape, np.float32)}
        return self._session.run(None, feeds)[0].reshape(len(driving), 478, 3)

    @staged("latents")
    def keypoints(self, driving: Array, mesh: Array) -> Array:
        """Driving keypoints in normalised space.

        Parameters
        ----------
        driving : float32 [T, 70, 3]; normalised landmarks, of the portrait's own proportions
        mesh : float32 [478, 3]; the portrait's normalised mesh (canonical keypoints with its own expression)

        Returns
        -------
        float32 [T, 478, 3]; equal to `mesh` where the driving landmarks are the portrait's
        """
        source = from_mesh(mesh)
        keypoints = mesh + self.deltas(driving, source)
        keypoints[:, MESH_TO_70] = driving
        return keypoints.astype(np.float32)
