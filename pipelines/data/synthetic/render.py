"""Drawing a portrait in another pose: picture, exact mesh and exact flow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.face.landmarks import IRIS_CENTRES, MESH_REFERENCE, rotation_matrix

from . import light
from .correspondence import POINTS
from .fit import View
from .head import EYE_LEFT, MOUTH_BAG, SKIN, SOCKET, Integers, vertex_normals
from .motion import SyntheticMotion
from .portrait import EYES_APART, PAD, SIZE, Portrait, eye_vertices, surround
from .raster import Buffer
from .surround import Surround
from .texture import fine_pixels, gaze_rotation, sample

FINE = 2
"""Samples per pixel and side."""
PIVOT = np.array([0, 6.0, 1.0], np.float32)
"""Where the head turns: the top of the neck, in head space."""
_SHADOW = 7
"""Samples over which the lips shade the mouth."""
_SOFT = 0.8
"""Standard deviation in samples of the blur inside the mouth."""


@dataclass(frozen=True)
class Frame:
    """One drawn picture and its exact geometry, all in its own pixels.

    image : uint8 [SIZE, SIZE, 3]; mesh : float32 [478, 3]; landmarks : float32 [68, 3], the head model's iBUG points
    vertices : float32 [V, 3]; index, weights : what each pixel sees (see `Buffer`), of the rig's shell
    opacity : float32 [SIZE, SIZE] of the head; surround : its outline
    """

    image: NDArray[np.uint8]
    mesh: Array
    landmarks: Array
    vertices: Array
    index: NDArray[np.int32]
    weights: Array
    opacity: Array
    surround: Surround


class HeadRenderer:
    """Draws portraits of one rig; holds the buffers."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._shell = Buffer(size * FINE, size * FINE)
        self._inside = Buffer(size * FINE, size * FINE)
        self._colour = np.zeros((size * FINE, size * FINE, 4), np.float32)
        self._hole = np.zeros((size * FINE, size * FINE), np.float32)

    def draw(self, portrait: Portrait, motion: SyntheticMotion, frame: int) -> Frame:
        """Draw one frame of a motion."""
        head = portrait.rig.head
        view = self._view(portrait, motion, frame)
        vertices = portrait.base + _expression(head.expression, motion.expression[frame])
        for rows, places in eye_vertices(portrait, motion.gaze[frame]):
            vertices[rows] = places
        pixels = view.project(vertices)
        mesh = self._mesh(portrait, pixels, view, motion.gaze[frame])
        return self._draw(portrait, pixels, view, motion.light[frame], mesh)

    def still(self, portrait: Portrait) -> Frame:
        """The portrait as it was photographed, drawn: what is lost by drawing."""
        fit = portrait.fit
        view = View(fit.view.rotation, fit.view.translation - np.array([PAD, PAD, 0], np.float32), fit.view.scale)
        vertices = fit.view.unproject(portrait.rest)
        for rows, places in eye_vertices(portrait, np.zeros(2, np.float32)):
            vertices[rows] = places
        pixels = view.project(vertices)
        mesh = self._mesh(portrait, pixels, view, np.zeros(2, np.float32))
        return self._draw(portrait, pixels, view, np.zeros(9, np.float32), mesh)

    def _view(self, portrait: Portrait, motion: SyntheticMotion, frame: int) -> View:
        before = portrait.fit.view
        rotation = rotation_matrix(motion.angles[frame])
        scale = float(before.scale * motion.zoom[frame])
        at = before.project(PIVOT) - np.array([PAD, PAD, 0], np.float32)
        at = at + np.array([*(motion.shift[frame] * EYES_APART), 0], np.float32)
        return View(rotation, (at - scale * rotation @ PIVOT).astype(np.float32), scale)

    def _mesh(self, portrait: Portrait, pixels: Array, view: View, gaze: Array) -> Array:
        """The 478 mesh points [478, 3] of a head in pixels."""
        mesh = np.empty((len(MESH_REFERENCE), 3), np.float32)
        table = portrait.rig.table
        mesh[:POINTS] = table.points(pixels) + portrait.correction @ (view.rotation.T * view.scale)
        for eye, first in zip(portrait.fit.eyes, IRIS_CENTRES):
            ring = np.sign(np.round(MESH_REFERENCE[first + 1 : first + 5] - MESH_REFERENCE[first], 3))
            ring[:, 2] = 0
            spin = gaze_rotation(*(np.asarray(eye.gaze, np.float32) + gaze))
            rest = gaze_rotation(*eye.gaze)
            depth = np.sqrt(max(eye.radius**2 - eye.iris**2, 0.0))
            local = np.concatenate([[[0, 0, -eye.radius]], ring * eye.iris + [0, 0, -depth]]).astype(np.float32)
            tracked = portrait.fit.view.unproject(
                portrait.mesh[first : first + 5] + np.array([PAD, PAD, 0], np.float32)
            )
            lacking = tracked - (eye.centre + local @ rest.T)
            mesh[first : first + 5] = view.project(eye.centre + local @ spin.T + lacking)
        return mesh

    def _draw(self, portrait: Portrait, pixels: Array, view: View, added: Array, mesh: Array) -> Frame:
        rig = portrait.rig
        head = rig.head
        fine = fine_pixels(pixels, FINE)
        shell = self._shell.draw(fine, head.triangles[rig.shell])
        inside = self._inside.draw(fine, head.triangles[rig.inside])
        normals = vertex_normals(pixels, rig.layout.triangles)
        turned = portrait.normals @ (portrait.fit.view.rotation @ view.rotation.T)
        lit = normals + rig.lids[:, None] * (turned - normals)
        shade = light.change(portrait.light, portrait.normals, lit, added)
        np.equal(np.where(shell.index >= 0, head.part[rig.shell][shell.index], -1), MOUTH_BAG, out=self._hole)
        shadow = np.asarray(cv2.blur(self._hole, (_SHADOW, _SHADOW)), np.float32)
        _shade(
            shell.index,
            shell.weights,
            inside.index,
            inside.weights,
            head.triangles[rig.shell],
            head.triangles[rig.inside],
            head.part[rig.shell],
            head.part[rig.inside],
            portrait.corners[rig.shell],
            portrait.corners[rig.inside],
            portrait.atlas,
            portrait.inner,
            portrait.lips,
            portrait.opacity(normals, view.rotation),
            shade,
            shadow,
            self._colour,
        )
        self._soften()
        colour = cv2.resize(self._colour, (self.size, self.size), interpolation=cv2.INTER_AREA)
        outline = surround(rig, pixels, view)
        places = outline.places(portrait.surround, self.size, self.size, PAD)
        around = sample(portrait.canvas, places)
        image = around * (1 - colour[..., 3:]) + colour[..., :3]
        return Frame(
            image=np.clip(image + 0.5, 0, 255).astype(np.uint8),
            mesh=mesh,
            landmarks=pixels[head.landmarks],
            vertices=pixels,
            index=shell.index.copy(),
            weights=shell.weights.copy(),
            opacity=colour[..., 3].copy(),
            surround=outline,
        )

    def _soften(self) -> None:
        """Blur the inside of the mouth and its edge as the photo is: geometry is sharper than any lens."""
        rows, columns = np.flatnonzero(self._hole.any(1)), np.flatnonzero(self._hole.any(0))
        if not len(rows):
            return
        box = slice(max(rows[0] - 6, 0), rows[-1] + 7), slice(max(columns[0] - 6, 0), columns[-1] + 7)
        part = self._colour[box]
        near = np.minimum(cv2.GaussianBlur(self._hole[box], (0, 0), 1.6) * 2.5, 1)[..., None]
        part += near * (cv2.GaussianBlur(part, (0, 0), _SOFT) - part)


def _expression(modes: Array, weights: Array) -> Array:
    """Displacement [V, 3]: modes [E, V, 3] times weights [E], zeros skipped."""
    used = np.flatnonzero(np.abs(weights) > 1e-3)
    out = np.zeros(modes.shape[1:], np.float32)
    for k in used:
        _add(out, modes[k], weights[k])
    return out


@numba.njit(cache=True, fastmath=True)
def _add(out: Array, mode: Array, weight: float) -> None:  # pragma: no cover (compiled)
    for i in range(out.shape[0]):
        out[i, 0] += weight * mode[i, 0]
        out[i, 1] += weight * mode[i, 1]
        out[i, 2] += weight * mode[i, 2]


@numba.njit(cache=True, fastmath=True, boundscheck=False)
def _shade(
    index: Integers, weights: Array, inside: Integers, inside_weights: Array, triangles: Integers,
    inner_triangles: Integers, part: NDArray[np.int8], inner_part: NDArray[np.int8], corners: Array,
    inner_corners: Array, atlas: Array, inner: Array, lips: Array, alpha: Array, shade: Array, shadow: Array,
    out: Array,
) -> None:  # fmt: skip  # pragma: no cover (compiled)
    """Premultiplied colour [H, W, 4] of every sample: skin and eyes from the atlas, the mouth from its vertices."""
    height, width = index.shape
    high, wide = atlas.shape[0], atlas.shape[1]
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t < 0:
                out[y, x, 0] = out[y, x, 1] = out[y, x, 2] = out[y, x, 3] = 0
                continue
            kind = part[t]
            u, v = weights[y, x, 0], weights[y, x, 1]
            w = 1 - u - v
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            opacity = np.float32(1.0)
            factor = np.float32(1.0)
            open_ = 1.0
            if kind == SKIN:
                opacity = u * alpha[a] + v * alpha[b] + w * alpha[c]
                factor = u * shade[a] + v * shade[b] + w * shade[c]
                px = u * corners[t, 0, 0] + v * corners[t, 1, 0] + w * corners[t, 2, 0]
                py = u * corners[t, 0, 1] + v * corners[t, 1, 1] + w * corners[t, 2, 1]
            else:
                k = inside[y, x]
                eye = kind == SOCKET
                if kind == MOUTH_BAG:
                    open_ = min(max((shadow[y, x] - 0.1) / 0.25, 0.0), 1.0)
                    factor = 0.55 + 0.45 * min(max((shadow[y, x] - 0.25) / 0.6, 0.0), 1.0)
                if k >= 0 and (inner_part[k] >= EYE_LEFT) == eye:
                    u, v = inside_weights[y, x, 0], inside_weights[y, x, 1]
                    w = 1 - u - v
                    a, b, c = inner_triangles[k, 0], inner_triangles[k, 1], inner_triangles[k, 2]
                    px = u * inner_corners[k, 0, 0] + v * inner_corners[k, 1, 0] + w * inner_corners[k, 2, 0]
                    py = u * inner_corners[k, 0, 1] + v * inner_corners[k, 1, 1] + w * inner_corners[k, 2, 1]
                elif eye:
                    px = corners[t, 0, 0]
                    py = corners[t, 0, 1]
                    factor = 0.5
                if not eye:
                    for i in range(3):
                        deep = (u * inner[a, i] + v * inner[b, i] + w * inner[c, i]) * factor
                        out[y, x, i] = lips[i] + open_ * (deep - lips[i])
                    out[y, x, 3] = 1
                    continue
            px = min(max(px, 0.0), wide - 1.001)
            py = min(max(py, 0.0), high - 1.001)
            ix, iy = int(px), int(py)
            fx, fy = px - ix, py - iy
            for i in range(3):
                top = atlas[iy, ix, i] * (1 - fx) + atlas[iy, ix + 1, i] * fx
                low = atlas[iy + 1, ix, i] * (1 - fx) + atlas[iy + 1, ix + 1, i] * fx
                out[y, x, i] = (top * (1 - fy) + low * fy) * factor * opacity
            out[y, x, 3] = opacity
