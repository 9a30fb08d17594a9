"""Draw the illustrated portraits that ship: painted faces that nobody sat for.

python -m pipelines.make.illustration speechhead/avatar/portraits

Shapes are filled four times finer than they are shown, and shaded by blurred copies of themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.core.arrays import Array

SIZE, FINER = 640, 3
"""Side of a picture in pixels, and samples to a pixel each way."""

WARM = np.array([1.0, 0.72, 0.70], np.float32)
"""What blood does to the colour of skin."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Sitter:
    """Who is drawn: colours as RGB, sizes in parts of the picture's side."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    cloth: Colour
    wall: tuple[Colour, Colour]
    jaw: float
    brow: float
    lash: float
    long_hair: bool
    beard: float = 0.0


SITTERS = {
    "mara": Sitter(
        skin=(232, 184, 154), hair=(84, 46, 34), iris=(92, 116, 70), lips=(188, 82, 84), cloth=(46, 92, 112),
        wall=((214, 222, 214), (150, 172, 170)), jaw=0.150, brow=0.0075, lash=0.0045, long_hair=True,
    ),
    "tomas": Sitter(
        skin=(160, 108, 78), hair=(34, 26, 24), iris=(70, 44, 26), lips=(148, 86, 76), cloth=(176, 120, 52),
        wall=((226, 214, 196), (170, 146, 120)), jaw=0.168, brow=0.0105, lash=0.0025, long_hair=False, beard=0.55,
    ),
}  # fmt: skip
"""By the name of the file."""


class Canvas:
    """A picture float32 [S, S, 3] in 0..255, drawn in parts of its side."""

    def __init__(self) -> None:
        self.side = SIZE * FINER
        self.picture = np.zeros((self.side, self.side, 3), np.float32)

    def mask(self, points: Array, soft: float = 0.0) -> Array:
        """float32 [S, S] in 0..1: 1 within an outline [n, 2], its edge blurred by `soft`."""
        mask = np.zeros((self.side, self.side), np.uint8)
        cv2.fillPoly(mask, [np.round(points * self.side * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        filled = mask.astype(np.float32) / np.float32(255)
        return self.blurred(filled, soft) if soft > 0 else filled

    def blurred(self, mask: Array, soft: float) -> Array:
        """A mask without what is finer than `soft`."""
        small = cv2.resize(mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        smooth = cv2.GaussianBlur(small, (0, 0), max(soft * SIZE, 0.3))
        return np.asarray(cv2.resize(smooth, (self.side, self.side), interpolation=cv2.INTER_CUBIC), np.float32)

    def fill(self, mask: Array, colour: Colour | Array, share: float = 1.0) -> None:
        """Lay a colour over the picture where a mask is."""
        where = extent(mask)
        weight = np.clip(mask[where] * share, 0, 1)[..., None]
        laid = np.asarray(colour, np.float32)
        self.picture[where] += weight * ((laid[where] if laid.ndim == 3 else laid) - self.picture[where])

    def shade(self, mask: Array, gain: float) -> None:
        """Make what a mask shows `gain` times as light."""
        where = extent(mask)
        self.picture[where] *= 1 + np.clip(mask[where], 0, 1)[..., None] * (gain - 1)

    def finished(self) -> NDArray[np.uint8]:
        """The picture uint8 [SIZE, SIZE, 3], with a little grain as of paper."""
        small = cv2.resize(self.picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        grain = cv2.GaussianBlur(np.random.default_rng(7).normal(0, 1, (SIZE, SIZE)).astype(np.float32), (0, 0), 0.7)
        return np.clip(np.round(small + 3.0 * grain[..., None]), 0, 255).astype(np.uint8)


def extent(mask: Array) -> tuple[slice, slice]:
    """The rows and columns outside which a mask [S, S] is nowhere above zero."""
    x, y, width, height = cv2.boundingRect((mask > 0).view(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def points(text: str) -> list[tuple[float, float]]:
    """Points of a line, written as pairs of thousandths."""
    return [(float(x) / 1000, float(y) / 1000) for x, y in (pair.split() for pair in text.split(","))]


def curve(knots: list[tuple[float, float]], count: int = 160) -> Array:
    """A closed smooth line [n, 2] through points (Catmull-Rom's spline)."""
    here = np.array(knots, np.float32)
    before, after, later = (np.roll(here, shift, 0) for shift in (1, -1, -2))
    t = np.linspace(0, 1, count // len(here) + 2, endpoint=False, dtype=np.float32)[:, None, None]
    line = 0.5 * (
        2 * here + (after - before) * t + (2 * before - 5 * here + 4 * after - later) * t**2
        + (3 * here - before - 3 * after + later) * t**3
    )  # fmt: skip
    return np.asarray(line.transpose(1, 0, 2).reshape(-1, 2), np.float32)


def both(half: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """An outline from its right half, from the top down to the bottom; the face's middle is at 0.5."""
    return half + [(1 - x, y) for x, y in reversed(half) if abs(x - 0.5) > 1e-6]


def ellipse(x: float, y: float, a: float, b: float, turn: float = 0.0) -> Array:
    """Outline [n, 2] of an ellipse about (x, y), turned by degrees."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    across, down = a * np.cos(angle), b * np.sin(angle)
    return np.stack([x + c * across - s * down, y + s * across + c * down], 1).astype(np.float32)


def stroke(knots: list[tuple[float, float]], width: list[float]) -> Array:
    """Outline [n, 2] of a line through points, so wide at each."""
    line, wide = np.array(knots), np.array(width)
    at, fine = np.linspace(0, 1, len(line)), np.linspace(0, 1, 60)
    smooth = np.stack([np.interp(fine, at, line[:, k]) for k in (0, 1)], 1)
    smooth = np.stack([np.convolve(np.pad(smooth[:, k], 6, "edge"), np.ones(13) / 13, "valid") for k in (0, 1)], 1)
    along = np.gradient(smooth, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    half = np.interp(fine, at, wide)[:, None] / 2
    return np.concatenate([smooth + normal * half, (smooth - normal * half)[::-1]]).astype(np.float32)


def portrait(sitter: Sitter) -> NDArray[np.uint8]:
    """The picture of a sitter, uint8 [SIZE, SIZE, 3]."""
    canvas = Canvas()
    _behind(canvas, sitter)
    face = _head(canvas, sitter)
    for side in (-1, 1):
        _eye(canvas, sitter, side, face)
    _nose(canvas, sitter)
    _mouth(canvas, sitter)
    if sitter.beard:
        _beard(canvas, sitter, face)
    _front_hair(canvas, sitter)
    return canvas.finished()


def _behind(canvas: Canvas, sitter: Sitter) -> None:
    """Wall, the hair behind, neck and shoulders."""
    y, x = np.mgrid[0 : canvas.side, 0 : canvas.side].astype(np.float32) / canvas.side
    far = np.clip(np.hypot(x - 0.4, y - 0.3) / 0.9, 0, 1)[..., None]
    light, dark = (np.array(colour, np.float32) for colour in sitter.wall)
    canvas.picture[:] = light + far * (dark - light)
    hair = np.array(sitter.hair, np.float32)
    if sitter.long_hair:
        back = both(points("500 100, 620 125, 705 240, 720 420, 745 600, 730 760, 600 800, 500 800"))
        canvas.fill(canvas.mask(curve(back), 0.004), 0.62 * hair)
    body = both(points("500 720, 575 735, 660 785, 800 830, 900 900, 940 1050, 500 1080"))
    neck = both(points("500 550, 585 560, 585 680, 600 755, 640 790, 500 840"))
    cloth = canvas.mask(curve(body), 0.002)
    canvas.fill(cloth, sitter.cloth)
    canvas.shade(cloth * canvas.mask(ellipse(0.33, 0.95, 0.22, 0.16), 0.06), 1.22)
    canvas.shade(cloth * canvas.mask(ellipse(0.86, 1.0, 0.16, 0.2), 0.05), 0.7)
    skin = canvas.mask(curve(neck), 0.002)
    canvas.fill(skin, 0.90 * np.array(sitter.skin, np.float32))
    canvas.shade(skin * canvas.mask(ellipse(0.51, 0.64, 0.14, 0.075), 0.02), 0.66)
    canvas.shade(skin * canvas.mask(ellipse(0.59, 0.70, 0.04, 0.12), 0.02), 0.8)
    collar = stroke(points("360 785, 440 830, 500 848, 560 830, 640 785"), [0.016] * 5)
    canvas.fill(canvas.mask(collar, 0.002), 0.8 * np.array(sitter.cloth, np.float32))


def _head(canvas: Canvas, sitter: Sitter) -> Array:
    """Ears and face; returns the face's mask."""
    skin = np.array(sitter.skin, np.float32)
    if not sitter.long_hair:
        for x, turn in ((0.336, -8), (0.664, 8)):
            ear = canvas.mask(ellipse(x, 0.43, 0.022, 0.052, turn), 0.002)
            canvas.fill(ear, 0.93 * skin)
            canvas.shade(ear * canvas.mask(ellipse(x, 0.435, 0.010, 0.030, turn), 0.006), 0.72)
    j = sitter.jaw
    chin = [(0.5 + 0.88 * j, 0.575), (0.5 + 0.56 * j, 0.645), (0.5 + 0.2 * j, 0.682), (0.5, 0.688)]
    outline = both(points("500 165, 600 185, 655 280, 664 400, 654 500") + chin)
    face = canvas.mask(curve(outline), 0.0012)
    canvas.fill(face, skin)
    canvas.shade(face * canvas.mask(ellipse(0.43, 0.27, 0.10, 0.07), 0.05), 1.10)
    canvas.shade(face * (1 - canvas.mask(ellipse(0.47, 0.40, 0.155, 0.27), 0.045)), 0.80)
    for x, warm in ((0.405, 0.34), (0.595, 0.26)):
        canvas.fill(face * canvas.mask(ellipse(x, 0.50, 0.042, 0.034), 0.025), skin * WARM, warm)
    canvas.shade(face * canvas.mask(ellipse(0.408, 0.475, 0.032, 0.016, -15), 0.016), 1.12)
    canvas.shade(face * canvas.mask(ellipse(0.49, 0.655, 0.035, 0.018), 0.014), 1.09)
    canvas.shade(face * canvas.mask(ellipse(0.5, 0.616, 0.05, 0.010), 0.010), 0.86)
    for x in (0.413, 0.587):
        canvas.shade(face * canvas.mask(ellipse(x, 0.392, 0.052, 0.034), 0.018), 0.88)
    return face


def _eye(canvas: Canvas, sitter: Sitter, side: int, face: Array) -> None:
    """An eye with its lids, lashes and brow; side: -1 at the left of the picture, 1 at the right."""
    skin, x0 = np.array(sitter.skin, np.float32), 0.5 + side * 0.0875

    def place(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x0 + side * x, y) for x, y in points]  # x grows outward

    upper = points("-40 413.5, -26 399.5, -5 392.5, 18 394.5, 34 403, 41.5 410.5")
    lower = [(0.032, 0.4185), (0.014, 0.4235), (-0.008, 0.4240), (-0.026, 0.4200)]
    ball = canvas.mask(curve(place(upper + lower)), 0.0008)
    canvas.fill(ball, (238, 233, 228))
    canvas.shade(ball * canvas.mask(ellipse(x0, 0.392, 0.05, 0.012), 0.006), 0.74)
    iris = ball * canvas.mask(ellipse(x0, 0.4085, 0.0168, 0.0168), 0.0010)
    colour = np.array(sitter.iris, np.float32)
    canvas.fill(iris, 0.62 * colour)
    canvas.fill(iris * canvas.mask(ellipse(x0, 0.412, 0.0128, 0.0118), 0.003), 1.25 * colour)
    canvas.fill(ball * canvas.mask(ellipse(x0, 0.4085, 0.0074, 0.0074), 0.0008), (18, 14, 14))
    canvas.fill(canvas.mask(ellipse(x0 - 0.0055, 0.4030, 0.0034, 0.0034), 0.0006), (252, 252, 250))
    corner = canvas.mask(ellipse(x0 - side * 0.0375, 0.4145, 0.0045, 0.0036), 0.0015)
    canvas.fill(corner, skin * WARM, 0.8)
    dark = 0.35 * np.array(sitter.hair, np.float32)
    wide = sitter.lash
    line = stroke(
        place(upper + [(0.047, 0.4085)]), [0.3 * wide, wide, 1.2 * wide, 1.3 * wide, 1.3 * wide, wide, 0.2 * wide]
    )
    canvas.fill(canvas.mask(line, 0.0008), dark, 0.95)
    canvas.shade(canvas.mask(stroke(place(lower[::-1]), [0.003] * 4), 0.0016), 0.80)
    fold = stroke(place(points("-36 398, -20 384.5, 5 380, 30 386, 45 398")), [0.003] * 5)
    canvas.shade(face * canvas.mask(fold, 0.0016), 0.68)
    b = sitter.brow
    brow = stroke(
        place(points("-50 356, -20 344.5, 15 340, 42 346, 62 358")),
        [1.3 * b, 2 * b, 1.8 * b, 1.2 * b, 0.2 * b],
    )
    canvas.fill(face * canvas.mask(brow, 0.0022), 0.8 * np.array(sitter.hair, np.float32), 0.85)


def _nose(canvas: Canvas, sitter: Sitter) -> None:
    """Bridge, tip and nostrils."""
    canvas.shade(
        canvas.mask(stroke([(0.493, 0.37), (0.489, 0.43), (0.487, 0.485)], [0.014, 0.016, 0.022]), 0.006), 1.11
    )
    canvas.shade(
        canvas.mask(stroke([(0.521, 0.39), (0.524, 0.45), (0.531, 0.495)], [0.010, 0.014, 0.018]), 0.007), 0.86
    )
    canvas.shade(canvas.mask(ellipse(0.5, 0.516, 0.036, 0.010), 0.006), 0.80)
    canvas.shade(canvas.mask(ellipse(0.495, 0.492, 0.012, 0.010), 0.005), 1.13)
    for side in (-1, 1):
        canvas.shade(canvas.mask(ellipse(0.5 + side * 0.0165, 0.5125, 0.0085, 0.0042, -side * 14), 0.0016), 0.42)
        wing = [(0.5 + side * 0.027, 0.490), (0.5 + side * 0.035, 0.503), (0.5 + side * 0.029, 0.5155)]
        canvas.shade(canvas.mask(stroke(wing, [0.002, 0.0045, 0.002]), 0.0018), 0.70)


def _mouth(canvas: Canvas, sitter: Sitter) -> None:
    """Closed lips."""
    lips = np.array(sitter.lips, np.float32)
    upper = both(points("500 566.5, 515 562, 540 569, 566 580, 540 581.5, 515 581.5, 500 583"))
    lower = both(points("500 582, 530 580.8, 564 579.8, 545 594.5, 520 603.5, 500 605"))
    for outline, gain in ((upper, 0.86), (lower, 1.0)):
        canvas.fill(canvas.mask(curve(outline, 240), 0.0014), gain * lips, 0.92)
    canvas.shade(canvas.mask(ellipse(0.49, 0.5925, 0.026, 0.0055), 0.004), 1.22)
    line = stroke(
        points("433.5 579.5, 465 581.2, 500 583, 535 581.2, 566.5 579.5"),
        [0.0025, 0.0032, 0.0036, 0.0032, 0.0025],
    )
    canvas.fill(canvas.mask(line, 0.0009), 0.34 * lips, 0.95)
    for x in (0.4325, 0.5675):
        canvas.shade(canvas.mask(ellipse(x, 0.5800, 0.006, 0.004), 0.0030), 0.72)
    canvas.shade(canvas.mask(stroke([(0.5, 0.530), (0.5, 0.556)], [0.010, 0.012]), 0.005), 0.90)


def _beard(canvas: Canvas, sitter: Sitter, face: Array) -> None:
    """A short beard and a moustache, that leave the lips free."""
    outer = both(points("500 615, 560 612, 598 570, 628 500, 660 460, 700 600, 620 720, 500 720"))
    under = face * canvas.mask(curve(outer), 0.010)
    over = stroke(
        points("418 590, 450 560, 500 547.5, 550 560, 582 590"),
        [0.012, 0.013, 0.011, 0.013, 0.012],
    )
    canvas.fill(under, sitter.hair, sitter.beard)
    canvas.fill(canvas.mask(over, 0.0035), sitter.hair, 0.9 * sitter.beard)


def _front_hair(canvas: Canvas, sitter: Sitter) -> None:
    """What of the hair falls over the forehead, with strands in it."""
    hair = np.array(sitter.hair, np.float32)
    if sitter.long_hair:
        parts = [
            points(
"440 110, 520 98, 620 125, 700 220, 712 380, 730 580, 705 750, 665 700, 672 550, "
"660 400, 625 285, 540 215, 455 185"
),
            points(
"470 105, 360 125, 295 230, 285 400, 262 580, 300 760, 336 690, 330 540, "
"345 390, 375 285, 445 205, 475 165"
),
        ]  # fmt: skip
    else:
        parts = [
            points(
"500 105, 610 120, 675 200, 684 300, 676 400, 660 400, 650 300, 610 235, "
"520 222, 420 215, 365 260, 343 320, 340 400, 324 400, 318 290, 335 185, "
"400 118"
),
        ]  # fmt: skip
    random = np.random.default_rng(3)
    for part in parts:
        line = curve(part, 260)
        mask = canvas.mask(line, 0.0016)
        canvas.fill(mask, hair)
        middle = line.mean(0)
        for _ in range(26):
            k = int(random.integers(len(line)))
            strand = line[[k, (k + 25) % len(line), (k + 50) % len(line)]] * 0.82 + middle * 0.18
            strand = strand + random.normal(0, 0.008, 2)
            shown = mask * canvas.mask(stroke([tuple(p) for p in strand.tolist()], [0.001, 0.004, 0.001]), 0.0022)
            canvas.shade(shown, float(random.choice([0.72, 1.35])))
        canvas.shade(mask * canvas.mask(ellipse(0.42, 0.17, 0.07, 0.022, -22), 0.02), 1.45)


def main(folder: Annotated[Path, typer.Argument(help="Folder to write NAME.jpg into.")]) -> None:
    """Draw the illustrated portraits."""
    for name, sitter in SITTERS.items():
        target = folder / f"{name}.jpg"
        cv2.imwrite(str(target), portrait(sitter)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
        print(target)


app = command(main)


if __name__ == "__main__":
    app()
