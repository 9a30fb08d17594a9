"""Films of a talking face for the tests of the data engine: the default portrait, placed, moved, its mouth opened."""

from __future__ import annotations

import struct
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

import speechhead
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.media.h264 import H264
from speechhead.media.writer import VideoWriter

WIDTH, HEIGHT = 512, 320
EYES = 115.8
"""Outer eye distance in the default portrait, px."""
LIPS = (266, 278)
"""Middle of its mouth, px."""


@cache
def _portrait() -> np.ndarray:
    with Image.open(Path(speechhead.__file__).parent / "avatar" / "portraits" / "grace_hopper.jpg") as image:
        return np.asarray(image.convert("RGB"))


@cache
def face(eyes: float = 64, opening: float = 0.0) -> np.ndarray:
    """The portrait at a size given by its outer eye distance in px, the mouth opened by so many of these."""
    scale = eyes / EYES
    small = cv2.resize(_portrait(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[: small.shape[0], : small.shape[1]].astype(np.float32)
    across, down, gap = x - LIPS[0] * scale, y - LIPS[1] * scale, opening * eyes
    moved = np.clip(down / max(gap, 1e-3), 0, 1) * gap * np.exp(-((across / (0.55 * eyes)) ** 2) - (down / eyes) ** 2)
    spoken = cv2.remap(small, x, (y - moved).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    width = 0.27 * eyes * np.sqrt(np.clip(1 - 2 * (down / max(gap, 1e-3) - 0.5) ** 2, 0, 1))
    spoken[(down > 0) & (down < gap) & (np.abs(across) < width)] = (40, 15, 15)
    return spoken


def scene(faces: list[tuple[np.ndarray, int, int]], tint: int = 0) -> np.ndarray:
    """A picture [320, 512, 3] with faces at the given left and top; the tint tells one room from another."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    room = np.stack([(x * (1 + tint) // 2 + 60 * tint) % 200, (y + 90 * tint) % 180, (x + y) // 5 + 20 * tint], -1)
    picture = np.clip(room, 0, 255).astype(np.uint8)
    for part, left, top in faces:
        picture[max(0, top) : top + part.shape[0], left : left + part.shape[1]] = part[
            max(0, -top) : HEIGHT - top, : WIDTH - left
        ]
    return picture


def noise(count: int, seed: int = 0):
    """A camera's noise for so many pictures."""
    random = np.random.default_rng(seed)
    bank = np.clip(random.normal(3, 2.5, (7, HEIGHT, WIDTH, 3)), 0, 20).astype(np.uint8)
    return (bank[t % 7] for t in range(count))


def takes(count: int, left: int = 100, eyes: float = 64, tint: int = 0, seed: int = 0):
    """Pictures of a face that sways and speaks a little, with a camera's noise."""
    for t, grain in enumerate(noise(count, seed)):
        part = face(eyes, round(0.1 * abs(np.sin(0.6 * t)), 2))
        yield cv2.add(scene([(part, left + round(4 * np.sin(t / 5)), 10)], tint), grain)


def speaking(count: int, late: int = 0, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Pictures of speech, and sound as loud as the mouth is open, the picture `late` frames behind it."""
    random = np.random.default_rng(seed)
    rough = np.convolve(random.random(count + 40), np.hanning(7) / np.hanning(7).sum(), "same")
    opening = np.clip((rough - 0.35) * 0.9, 0, 0.3)
    level = np.repeat(opening[20 + late : 20 + late + count], SAMPLES_PER_FRAME)
    sound = (level * random.uniform(-1, 1, len(level)) * 2).astype(np.float32)
    pictures = [scene([(face(64, round(float(value), 2)), 100, 10)]) for value in opening[20 : 20 + count]]
    return [cv2.add(picture, grain) for picture, grain in zip(pictures, noise(count))], sound


def write(path: Path, pictures, sound: np.ndarray | None = None, fps: float = 25.0) -> Path:
    """A video of pictures, with sound if it is given."""
    pictures = list(pictures)
    height, width = pictures[0].shape[:2]
    with VideoWriter(
        path, width, height, fps, sample_rate=None if sound is None else 16_000, coding=H264(crf=12)
    ) as writer:
        for picture in pictures:
            writer.write(picture)
        if sound is not None:
            writer.write_audio(sound)
    return path


def numbered(count: int, height: int = 120, width: int = 160):
    """Pictures that all differ: a moving pattern, and the picture's number in stripes, lowest bit first."""
    y, x = np.mgrid[:height, :width]
    for number in range(count):
        picture = np.stack([2 * x + 3 * number, 2 * y + 5 * number, x + y + 7 * number], -1).astype(np.uint8)
        for bit in range(8):
            picture[height // 2 :, bit * 20 : bit * 20 + 16] = 255 * (number >> bit & 1)
        yield picture


def number_of(picture: np.ndarray) -> int:
    """The number that a picture of `numbered` shows."""
    half = picture.shape[0] // 2
    return sum(int(picture[half + 8 : -8, bit * 20 + 4 : bit * 20 + 12].mean() > 128) << bit for bit in range(8))


def encode(path: Path, codec: str, pictures, kind: str | None = None, fps: int = 25, **options: str) -> Path:
    """A video without sound in any container that libav writes; options are the encoder's."""
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        for number, picture in enumerate(pictures):
            if not number:
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, height: int) -> None:
    """Write into an mp4's header that its pictures, of that height, are to be shown turned by 90 degrees."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    matrix = (0, 1 << 16, 0, -(1 << 16), 0, 0, height << 16, 0, 1 << 30)
    data[at : at + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(data)
