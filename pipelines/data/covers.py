"""Made pictures of faces whose mouth is covered: masks, hands, microphones, cups, scarves and sheets laid over it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from speechhead.core.arrays import Array
from speechhead.face.landmarks import from_mesh, remove_pose, to_pixels
from speechhead.media.image import Picture

Random = np.random.Generator

MASK = (
    *(6, 122, 50, 123, 147, 177, 215, 58, 172, 136, 149, 148, 152),
    *(377, 378, 365, 397, 288, 435, 401, 376, 352, 280, 351),
)
"""Vertices round what a mask hides, from the nose along the image's left cheek to the chin and back."""
BEARD = (
    *(98, 206, 216, 214, 192, 213, 147, 177, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 401, 376, 433, 416, 434, 436, 426, 327, 2),
)
"""Vertices round a full beard, from the nose along the image's left cheek to the chin and back."""
LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 405, 17, 181, 91)
"""Vertices round the lips."""


def polygon(shape: tuple[int, ...], points: npt.ArrayLike, soft: float = 0.7) -> Array:
    """Opacity [H, W] of a filled polygon [N, 2] px, its edge blurred by `soft` px."""
    canvas = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(canvas, [np.round(np.asarray(points) * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), max(soft, 0.3)), np.float32) / np.float32(255)


def stuff(shape: tuple[int, ...], others: list[Picture], unit: float, random: Random) -> Array:
    """Something that covers [H, W, 3]: a plain colour, stripes, dots, or a piece of another picture; with shading."""
    height, width = shape[:2]
    kind = random.integers(6)
    if kind < 2 and others:
        other = others[random.integers(len(others))]
        side = max(8, int(min(other.shape[:2]) * random.uniform(0.1, 0.4)))
        x, y = (int(random.integers(max(1, n - side))) for n in (other.shape[1], other.shape[0]))
        cloth = cv2.resize(other[y : y + side, x : x + side], (width, height)).astype(np.float32)
    else:
        cloth = np.full((height, width, 3), _colour(random), np.float32)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    angle = random.uniform(0, np.pi)
    along = (np.cos(angle) * columns + np.sin(angle) * rows) / unit
    if kind in (2, 3):
        wave = np.sin(along * random.uniform(10, 80))
        wave = np.sign(wave) if random.random() < 0.4 else wave
        cloth += wave[..., None] * random.normal(0, 18, 3)
    light = 1 + random.uniform(-0.25, 0.25) * np.sin(along * random.uniform(0.5, 4) + random.uniform(0, 6))
    grain = random.normal(0, random.uniform(0, 6), (height, width, 1))
    return np.clip(cloth * light[..., None] + grain, 0, 255).astype(np.float32)


def _colour(random: Random) -> Array:
    """Pale blue, white, black or any colour."""
    plain = [(160, 200, 220), (240, 240, 240), (25, 25, 28), (200, 170, 150), (120, 130, 140)]
    chosen = np.array(plain[random.integers(len(plain))]) if random.random() < 0.6 else random.uniform(0, 255, 3)
    return np.clip(chosen + random.normal(0, 12, 3), 0, 255).astype(np.float32)


def _over(picture: Picture, cloth: Array, opacity: Array) -> Picture:
    mixed = picture * (1 - opacity[..., None]) + cloth * opacity[..., None]
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def _place(mesh: Array, points: npt.ArrayLike) -> Array:
    """Points [N, 2] in eye distances round the mouth, in pixels."""
    pose = remove_pose(from_mesh(mesh)[None])[1][0]
    points = np.asarray(points, np.float32)
    flat = np.concatenate([points + [0, 0.79], np.full((len(points), 1), -0.25)], axis=1)
    moved: Array = to_pixels(flat, pose)[:, :2] + mesh[[13, 14], :2].mean(0)
    return moved - to_pixels([[0, 0.79, -0.25]], pose)[0, :2]


def _unit(mesh: Array) -> float:
    return float(remove_pose(from_mesh(mesh)[None])[1][0].scale)


def mask(picture: Picture, mesh: Array, others: list[Picture], random: Random) -> tuple[Picture, Array]:
    """A mask from the nose or just above the lip to the chin."""
    points = mesh[list(MASK), :2].astype(np.float64)
    unit = _unit(mesh)
    middle = points.mean(0)
    points = middle + (points - middle) * random.uniform(0.9, 1.12) + random.normal(0, 0.02 * unit, points.shape)
    if random.random() < 0.25:  # worn under the nose
        floor = mesh[2, :2] + random.uniform(0, 0.08) * (mesh[13, :2] - mesh[2, :2])
        down = mesh[152, :2] - mesh[6, :2]
        down = down / np.linalg.norm(down)
        depth = (points - floor) @ down
        points = points - np.minimum(depth, 0)[:, None] * down
    opacity = polygon(picture.shape, points)
    cloth = stuff(picture.shape, others, unit, random)
    out = _over(picture, cloth, opacity)
    for height in np.linspace(-0.25, 0.3, random.integers(1, 5)) if random.random() < 0.6 else ():
        x = np.linspace(-0.5, 0.5, 12)
        line = _place(mesh, np.stack([x, height + random.uniform(-0.1, 0.1) * (x**2) * 4], axis=1))
        drawn = np.zeros(picture.shape[:2], np.uint8)
        cv2.polylines(drawn, [np.round(line).astype(np.int32)], False, 255, max(1, round(unit / 60)), cv2.LINE_AA)
        tone = np.clip(cloth + random.uniform(-50, 25), 0, 255).astype(np.float32)
        out = _over(out, tone, drawn.astype(np.float32) / np.float32(255) * opacity)
    return out, opacity


def hand(picture: Picture, mesh: Array, others: list[Picture], random: Random) -> tuple[Picture, Array]:
    """One to five fingers, or a fist, in the own skin's colour or another's."""
    unit, angle = _unit(mesh), random.uniform(0, 2 * np.pi)
    own = picture[tuple(np.clip(mesh[[151, 50, 280], 1::-1].astype(int), 0, np.array(picture.shape[:2]) - 1).T)]
    skin = np.median(own, axis=0) * random.uniform(0.7, 1.15) + random.normal(0, 8, 3)
    count, width = int(random.integers(1, 6)), random.uniform(0.16, 0.28)
    across, along = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    out, total = picture, np.zeros(picture.shape[:2], np.float32)
    shift = random.uniform(-0.15, 0.15)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    for finger in range(count):
        centre = across * ((finger - (count - 1) / 2) * width * 1.02 + shift)
        ends = _place(
            mesh, np.stack([centre - along * random.uniform(0.3, 0.7), centre + along * random.uniform(0.4, 1.4)])
        )
        way = ends[1] - ends[0]
        near = np.clip(((columns - ends[0, 0]) * way[0] + (rows - ends[0, 1]) * way[1]) / (way @ way), 0, 1)
        away = np.hypot(columns - ends[0, 0] - near * way[0], rows - ends[0, 1] - near * way[1])
        radius = width * unit / 2
        opacity = np.clip((radius - away) / max(1.0, 0.02 * unit) + 0.5, 0, 1).astype(np.float32)
        shade = 1.05 - random.uniform(0.15, 0.6) * np.clip(away / radius, 0, 1) ** random.uniform(2, 5)
        tone = skin * shade[..., None] + random.normal(0, 3, (*picture.shape[:2], 1))
        out = _over(out, np.clip(tone, 0, 255).astype(np.float32), opacity)
        total = np.maximum(total, opacity)
    return out, total


def microphone(picture: Picture, mesh: Array, others: list[Picture], random: Random) -> tuple[Picture, Array]:
    """A ball or foam with a stick below."""
    unit = _unit(mesh)
    radius, turn = random.uniform(0.26, 0.5), random.uniform(-0.8, 0.8)
    centre = random.normal(0, 0.07, 2)
    ring = np.linspace(0, 2 * np.pi, 40)
    ball = centre + np.stack([np.cos(ring), np.sin(ring) * random.uniform(0.85, 1.4)], axis=1) * radius
    down = np.array([np.sin(turn), np.cos(turn)])
    side = np.array([down[1], -down[0]]) * radius * random.uniform(0.4, 0.8)
    stick = np.stack([centre - side, centre + side, centre + 0.8 * side + down * 3, centre - 0.8 * side + down * 3])
    opacity = polygon(picture.shape, _place(mesh, stick))
    dark = np.full(picture.shape, random.uniform(5, 80), np.float32)
    out = _over(picture, dark, opacity)
    cover = polygon(picture.shape, _place(mesh, ball))
    colour = _colour(random) if random.random() < 0.3 else np.full(3, random.uniform(10, 110))
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]] / unit * random.uniform(30, 100)
    weave = np.sin(columns) * np.sin(rows) * random.uniform(0, 25)
    middle = _place(mesh, centre[None] - random.uniform(0, 0.2, 2))[0]
    grid = np.mgrid[: picture.shape[0], : picture.shape[1]].transpose(1, 2, 0)
    glow = np.exp(-((np.linalg.norm(grid - middle[::-1], axis=-1) / (radius * unit * 0.8)) ** 2)) * random.uniform(
        0, 80
    )
    ball_colour = np.clip(colour + (weave + glow)[..., None], 0, 255).astype(np.float32)
    return _over(out, ball_colour, cover), np.maximum(cover, opacity)


def sheet(picture: Picture, mesh: Array, others: list[Picture], random: Random) -> tuple[Picture, Array]:
    """A cup, a telephone or a book: a turned rectangle."""
    half = np.array([random.uniform(0.3, 0.8), random.uniform(0.3, 0.8)])
    angle = random.normal(0, 0.4)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    top = np.array([random.normal(0, 0.1), half[1] - random.uniform(0.2, 0.35)])
    taper = random.uniform(0.7, 1.0)
    corners = (np.array([[-1, -1], [1, -1], [taper, 1], [-taper, 1]]) * half).astype(np.float64)
    opacity = polygon(picture.shape, _place(mesh, corners @ turn + top))
    return _over(picture, stuff(picture.shape, others, _unit(mesh), random), opacity), opacity


def scarf(picture: Picture, mesh: Array, others: list[Picture], random: Random) -> tuple[Picture, Array]:
    """Cloth from the nose or the upper lip down over the neck, wider than the face."""
    x = np.linspace(-1.0, 1.0, 9)
    top = random.uniform(-0.4, -0.17) + random.uniform(-0.3, 0.3) * x**2 + random.normal(0, 0.03, 9)
    edge = np.stack([np.append(x, [1.1, -1.1]), np.append(top, [1.6, 1.6])], axis=1)
    opacity = polygon(picture.shape, _place(mesh, edge))
    return _over(picture, stuff(picture.shape, others, _unit(mesh), random), opacity), opacity


def beard(picture: Picture, mesh: Array, others: list[Picture], random: Random) -> tuple[Picture, Array]:
    """Hair over cheeks, chin and upper lip, which is no cover; its opacity, the lips mostly left out of it."""
    unit, points = _unit(mesh), mesh[list(BEARD), :2].astype(np.float64)
    down = (mesh[152, :2] - mesh[6, :2]) / np.linalg.norm(mesh[152, :2] - mesh[6, :2])
    points[8:-8] += down * random.uniform(0, 0.6) * unit
    opacity = polygon(picture.shape, points + random.normal(0, 0.02 * unit, points.shape), 0.06 * unit)
    if random.random() < 0.6:
        opacity = opacity * (1 - polygon(picture.shape, mesh[list(LIPS), :2], random.uniform(0.01, 0.08) * unit))
    strands = random.normal(0, 1, picture.shape[:2]).astype(np.float32)
    length = max(3, round(random.uniform(0.08, 0.3) * unit))
    way = random.uniform(-0.6, 0.6, 2) + down
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    end = np.round(way / np.linalg.norm(way) * length).astype(int)
    first, last = (length - end[0], length - end[1]), (length + end[0], length + end[1])
    cv2.line(kernel, (int(first[0]), int(first[1])), (int(last[0]), int(last[1])), 1.0, 1)
    strands = np.asarray(cv2.filter2D(strands, -1, kernel / kernel.sum()), np.float32)
    strands = strands / (strands.std() + np.float32(1e-6)) * np.float32(random.uniform(8, 40))
    tones = [(30, 25, 22), (70, 50, 35), (130, 90, 55), (120, 120, 120), (215, 212, 205)]
    hair = np.clip(np.array(tones[random.integers(5)]) + strands[..., None], 0, 255).astype(np.float32)
    return _over(picture, hair, opacity * np.float32(random.uniform(0.6, 1))), opacity


COVERS: dict[str, Callable[[Picture, Array, list[Picture], Random], tuple[Picture, Array]]] = {
    "mask": mask,
    "hand": hand,
    "microphone": microphone,
    "sheet": sheet,
    "scarf": scarf,
}
"""What covers: from a picture, its mesh [478, 3], other pictures to cut from, and a source of chance, to the covered
picture and the opacity [H, W] of what covers it."""


def hidden(opacity: Array, mesh: Array) -> float:
    """Part of the lips, 0..1, that an opacity [H, W] covers."""
    lips = polygon(opacity.shape, mesh[list(LIPS), :2], 0.3) > 0.5
    return float(opacity[lips].mean()) if lips.any() else 0.0
