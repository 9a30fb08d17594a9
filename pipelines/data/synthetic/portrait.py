"""One still portrait made ready: cropped, fitted, and its colours put on the head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError
from speechhead.core.smoothstep import eased, smoothstep32
from speechhead.face.landmarks import rotation_angles
from speechhead.generators.compact.meshwarp import OUTER_LIP

from . import interior, light
from .correspondence import POINTS, Correspondence
from .fit import Fit, Fitter, View
from .head import MOUTH_BAG, SKIN, SOCKET, TEETH, Head, Integers, vertex_normals
from .surround import CENTRE, Surround
from .texture import EYE_TILE, TILE, Layout, PhotoBuffers, bake_eye, bake_skin, eye_texels, gaze_rotation, sample

SIZE = 256
"""Side of the pictures that come out."""
PAD = 32
"""Pixels of the photo kept beyond each side, for what motion brings into the picture."""
EYES_APART, EYES_AT = 70.0, (128.0, 117.0)
"""Where the talking-face clips have the outer eye corners: pixels between them, and their midpoint."""
LARGEST_ERROR = 6.0
"""Of the fit, in hundredths of the distance between the outer eye corners."""
LARGEST_YAW = 28.0
LARGEST_GRAIN = 0.5
"""Of the face: median absolute Laplacian over the standard deviation of its grey levels. Halftone print has more."""


class Rig:
    """What all portraits share: head, correspondence, fitter, texture layout and the parts to draw."""

    def __init__(self, head: Head, table: Correspondence) -> None:
        self.head, self.table = head, table
        self.layout = Layout(head)
        self.alpha = _neck(head)
        x, y, z = np.abs(head.neutral[:, 0]), head.neutral[:, 1], head.neutral[:, 2]
        self.temples = smoothstep32(x, 6.0, 6.8) * smoothstep32(-y, 3.0, 4.5)
        self.scalp = smoothstep32(-y + 0.25 * z, 4.5, 8.0)
        """[V] how far skin is hair, whose outline is not the head's."""
        self.ears = smoothstep32(x, 7.8, 8.4)
        """[V] how far skin is ear."""
        self.side = smoothstep32(x, 6.2, 7.2)
        """[V] how far skin is ear or temple."""
        self.rim = smoothstep32(x, 4.6, 5.6) * smoothstep32(y, -4.2, -3.2)
        """[V] how far skin is where a face as narrow as the photo's may have its outline."""
        to_eyes = head.neutral[:, None, :] - head.neutral[head.landmarks[36:48]]
        self.lids = 1 - smoothstep32(np.linalg.norm(to_eyes, axis=-1).min(1), 0.7, 1.5)
        """[V] how far skin is lid: it folds, so that its own normals say little about its light."""
        drawn = (head.part == MOUTH_BAG) | (head.part == SOCKET)
        drawn |= (head.part == SKIN) & (self.alpha[head.triangles].max(1) > 0)
        self.shell: Integers = np.flatnonzero(drawn).astype(np.int32)
        """Triangles of skin, mouth bag and sockets above the neck."""
        self.inside: Integers = np.flatnonzero(head.part > SOCKET).astype(np.int32)
        """Triangles of gums, teeth and eyeballs."""
        opaque = np.unique(head.triangles[(head.part == SKIN) & (self.alpha[head.triangles].min(1) > 0.5)])
        self.outlined: Integers = opaque.astype(np.int32)
        """Vertices among which the head's outline is."""

    @cached_property
    def fitter(self) -> Fitter:
        """The fitter of this head."""
        return Fitter(self.head, self.table)

    @classmethod
    def load(cls, folder: Path) -> Rig:
        """From the folder of the head model and the calibrated table."""
        return cls(Head.load(folder), Correspondence.load())


def _neck(head: Head) -> Array:
    """Opacity [V]: 1 on the head, 0 on the neck, cut along a slope from below the chin to behind the ears."""
    chin = head.neutral[head.landmarks[8]]
    below = head.neutral[:, 1] - (chin[1] + 1.5 - 0.62 * (head.neutral[:, 2] - chin[2]))
    t = np.clip((below + 0.2) / 0.8, 0, 1)
    return (1 - eased(t)).astype(np.float32)


@dataclass(frozen=True)
class Portrait:
    """A portrait that can be drawn in any pose.

    photo : uint8 [SIZE, SIZE, 3], the real picture as the clips are cropped; mesh : float32 [478, 3] tracked on it
    canvas : float32 [SIZE + 2 PAD, SIZE + 2 PAD, 3], the same with what lies beyond its sides; fit : on the canvas
    rest : float32 [V, 3], the head in the photo, canvas pixels; normals : [V, 3] there; light : [9]
    lips : [3], colour of the line between nearly closed lips
    atlas : float32 [H, W, 3]; corners : float32 [F, 3, 2], atlas pixels of the triangles' corners
    inner : float32 [V, 3], colours of the inside of the mouth; bite : see `interior.seat_teeth`
    """

    rig: Rig
    photo: NDArray[np.uint8]
    mesh: Array
    canvas: Array
    fit: Fit
    rest: Array
    normals: Array
    light: Array
    lips: Array
    atlas: Array
    corners: Array
    inner: Array
    bite: tuple[float, float]
    surround: Surround

    def opacity(self, normals: Array, rotation: Array) -> Array:
        """How much of each vertex [V] is drawn where normals are `normals` [V, 3] and the head is turned by `rotation`.

        Skin that the photo shows from the side only is left to the surround, which has the photo's own outline,
        until it turns to the camera. So is hair: its outline is not the head's.
        """
        before, now = -self.normals[:, 2], -normals[:, 2]
        turned = smoothstep32(now - before, 0.05, 0.25)
        # A cheek that comes into view does so as a whole: through gaps in it one would see the background.
        toward = (rotation[2, 0] - self.fit.view.rotation[2, 0]) * -np.sign(self.rig.head.neutral[:, 0])
        toward = smoothstep32(toward, 0.04, 0.14) * self.rig.side
        turned = np.maximum(turned, toward)
        # Ears never come back: what the model has there is rarely what the photo has.
        turned = turned * (1 - self.rig.ears)
        grazing = (1 - smoothstep32(before, 0.05, 0.3)) * (1 - turned)
        hair = np.maximum(self.rig.scalp, self.rig.temples * (1 - toward))
        hair = hair * (1 - np.minimum(smoothstep32(before, 0.25, 0.7), smoothstep32(now, 0.2, 0.6)))
        return (self.rig.alpha * (1 - np.maximum(grazing, hair))).astype(np.float32)

    @property
    def angles(self) -> Array:
        """Yaw, pitch and roll of the head model in the photo, degrees."""
        return rotation_angles(self.fit.view.rotation)

    @cached_property
    def base(self) -> Array:
        """The person's head [V, 3] without expression, in head space."""
        base = self.rig.head.shape(self.fit.identity, 0 * self.fit.expression) + self.fit.offset
        return interior.seat_teeth(self.rig.head, base, self.bite)

    @cached_property
    def correction(self) -> Array:
        """What model points lack to the tracked ones in the photo, [468, 3] in head space (depth, mostly)."""
        model = self.rig.table.points(self.rest)
        tracked = self.mesh[:POINTS] + np.array([PAD, PAD, 0], np.float32)
        return self.fit.view.unproject(tracked) - self.fit.view.unproject(model)


def crop(image: NDArray[np.uint8], mesh: Array) -> tuple[NDArray[np.uint8], Array]:
    """Scale and shift a picture and its mesh [478, 3] to the canvas, the eyes level as they were."""
    corners = mesh[[33, 263]]
    zoom = EYES_APART / float(np.linalg.norm(corners[1, :2] - corners[0, :2]))
    shift = np.asarray(EYES_AT, np.float32) + PAD - zoom * corners[:, :2].mean(0)
    side = SIZE + 2 * PAD
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]], np.float32)
    if zoom < 0.7:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / zoom), np.uint8)
    flags = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_LINEAR
    if 0.7 <= zoom < 1:
        flags = cv2.INTER_LANCZOS4
    canvas = cv2.warpAffine(image, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(canvas, np.uint8), (mesh * zoom + np.array([*shift, 0], np.float32)).astype(np.float32)


def prepare(
    rig: Rig,
    image: NDArray[np.uint8],
    mesh: Array,
    random: np.random.Generator,
    name: str = "picture",
    largest_error: float = LARGEST_ERROR,
) -> Portrait:
    """Fit and texture a portrait.

    Parameters
    ----------
    image : uint8 [H, W, 3] RGB; mesh : float32 [478, 3] px, the tracker's; random : tooth shade and gum colour

    Raises
    ------
    FaceError where the head model does not fit.
    """
    head = rig.head
    canvas, placed = crop(image, mesh)
    fit = rig.fitter(placed)
    yaw = float(rotation_angles(fit.view.rotation)[0])
    if abs(yaw) > LARGEST_YAW:
        raise FaceError(
            f"{name}: the head is turned {yaw:.0f} degrees (at most {LARGEST_YAW:.0f}). Use a more frontal picture."
        )
    if fit.error > largest_error:
        raise FaceError(
            f"{name}: the head model is {fit.error:.1f} hundredths of the eye distance off (at most {largest_error})."
            " Use a photo of an unhidden face."
        )
    grain = _grain(canvas, placed)
    if grain > LARGEST_GRAIN:
        raise FaceError(f"{name}: grain {grain:.2f} (at most {LARGEST_GRAIN}). Use a photo, not a printed halftone.")
    vertices = head.shape(fit.identity, fit.expression) + fit.offset
    rest = fit.view.project(vertices)
    photo = canvas.astype(np.float32)
    side = len(canvas)
    seen = PhotoBuffers(head, rest, side, side)
    normals = vertex_normals(rest, rig.layout.triangles)

    skin = bake_skin(head, rig.layout, photo, rest, placed, seen, np.stack([rig.side, rig.rim], 1))
    eyes = [bake_eye(eye, fit, photo, seen) for eye in fit.eyes]
    lower = np.zeros((EYE_TILE, 2 * TILE, 3), np.float32)
    for i, (tile, _) in enumerate(eyes):
        lower[:, i * EYE_TILE : (i + 1) * EYE_TILE] = tile
    corners = rig.layout.places[head.triangle_uv].copy()
    for i, eye in enumerate(fit.eyes):
        rows = head.of(eye.part)
        ball = head.neutral[head.triangles[rows]]
        middle = (ball.min((0, 1)) + ball.max((0, 1))) / 2
        directions = (ball - middle) / np.linalg.norm(ball - middle, axis=-1, keepdims=True)
        corners[rows] = eye_texels(directions) + np.array([i * EYE_TILE, TILE], np.float32)

    face = np.unique(head.triangles[head.face_triangles])
    luma = photo @ np.array([0.299, 0.587, 0.114], np.float32)
    at_face = sample(cv2.GaussianBlur(luma, (0, 0), 2), rest[face, None, :2])[:, 0]
    front = np.clip(-normals[face, 2], 0, 1) * (np.abs(head.neutral[face, 0]) < 6.5) * (head.neutral[face, 1] > -7)
    shine = light.estimate(at_face, normals[face], front * (head.neutral[face, 1] < 8.5))
    chroma, tint = _colouring(photo)
    white = np.mean([white for _, white in eyes], 0)
    bright = np.percentile(at_face[front > 0.5], 80)
    white = np.float32(white / max(white.mean(), 1) * 0.4 + 0.6)
    level = np.clip(float(np.mean([tile_white.mean() for _, tile_white in eyes])) * 1.25, 1.05 * bright, 250)
    bared = cv2.resize(np.uint8(seen.mouth & (seen.part == TEETH)), (side, side), interpolation=cv2.INTER_AREA)
    teeth = photo[bared > 0]
    if len(teeth) > 40:  # a smile shows what teeth look like in this light
        shown = np.percentile(teeth, 75, axis=0)
        level = np.clip(1.12 * float(shown.mean()), 0.9 * bright, 250)
        white = np.float32(shown / max(shown.mean(), 1))
    inner = interior.paint(head, random, white * level, chroma, tint, shown=len(teeth) > 40)
    return Portrait(
        rig=rig,
        photo=np.ascontiguousarray(canvas[PAD:-PAD, PAD:-PAD]),
        mesh=placed - np.array([PAD, PAD, 0], np.float32),
        canvas=photo,
        fit=fit,
        rest=rest,
        normals=normals,
        light=shine,
        lips=0.5 * sample(cv2.GaussianBlur(photo, (0, 0), 1.5), placed[OUTER_LIP, None, :2]).mean((0, 1)),
        atlas=np.ascontiguousarray(np.concatenate([skin, lower])),
        corners=corners,
        inner=inner,
        bite=(random.uniform(0.02, 0.22), random.uniform(-0.05, 0.12)),
        surround=surround(rig, rest, fit.view),
    )


def surround(rig: Rig, pixels: Array, view: View) -> Surround:
    """The outline of the head [V, 3] under a view, in the same pixels."""
    roll = float(np.arctan2(view.rotation[1, 0], view.rotation[0, 0]))
    return Surround(pixels[rig.outlined], view.project(CENTRE), roll, view.scale)


def _grain(canvas: NDArray[np.uint8], mesh: Array) -> float:
    """Median absolute Laplacian over the standard deviation of the face's grey levels."""
    (x0, y0), (x1, y1) = mesh[:POINTS, :2].min(0).astype(int), mesh[:POINTS, :2].max(0).astype(int)
    grey = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)[max(y0, 0) : y1, max(x0, 0) : x1].astype(np.float32)
    return float(np.median(np.abs(cv2.Laplacian(grey, cv2.CV_32F))) / (grey.std() + 1))


def _colouring(photo: Array) -> tuple[float, Array]:
    """How colourful a photo is (0 for black and white or one tone, 1 for colour), and the colour of its greys."""
    luma = photo.mean(-1, keepdims=True)
    tint = photo.reshape(-1, 3).mean(0) / max(float(photo.mean()), 1)
    spread = float(np.abs(photo - luma * tint).mean())
    chroma = float(np.clip((spread - 3) / 5, 0, 1))
    return chroma, np.float32(tint if chroma < 0.5 else np.ones(3))


def eye_vertices(portrait: Portrait, gaze: Array) -> list[tuple[Integers, Array]]:
    """Rows and head-space places of both eyeballs' vertices when they look `gaze` (yaw, pitch) beside the photo's."""
    out = []
    head = portrait.rig.head
    for eye in portrait.fit.eyes:
        rows = np.unique(head.triangles[head.of(eye.part)])
        ball = head.neutral[rows]
        middle = (ball.min(0) + ball.max(0)) / 2
        directions = (ball - middle) / np.linalg.norm(ball - middle, axis=-1, keepdims=True)
        turn = gaze_rotation(eye.gaze[0] + float(gaze[0]), eye.gaze[1] + float(gaze[1]))
        out.append((rows, (eye.centre + eye.radius * directions @ turn.T).astype(np.float32)))
    return out
