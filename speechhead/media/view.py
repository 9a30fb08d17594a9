"""A frame of a film as an upright picture, and a change of that picture in the frame's own planes."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from speechhead.core.arrays import Array

from .film import BT709, BT2020, FULL_RANGE, UNTOLD, FilmLook
from .image import Picture
from .tone import screen_curve, shown_on_screen, signals

LUMA = {BT709: (0.2126, 0.0722), BT2020: (0.2627, 0.0593), 10: (0.2627, 0.0593), 4: (0.30, 0.11), 7: (0.212, 0.087)}
"""Weights of red and blue in luma by the matrix's number (ITU-T H.273); BT.601's for others."""

PLANAR = {
    "yuv420p": (2, 2, 8), "yuvj420p": (2, 2, 8), "yuv420p10le": (2, 2, 10), "yuv420p12le": (2, 2, 12),
    "yuv422p": (2, 1, 8), "yuvj422p": (2, 1, 8), "yuv422p10le": (2, 1, 10), "yuv422p12le": (2, 1, 12),
    "yuv444p": (1, 1, 8), "yuvj444p": (1, 1, 8), "yuv444p10le": (1, 1, 10), "yuv444p12le": (1, 1, 12),
}  # fmt: skip
"""Pixel formats that are changed as they are: luma samples across and down for a chroma sample, and bits."""

PLAIN = "yuv420p"
"""What frames of other formats (palettes, RGB, interleaved planes) are turned into first."""

MARGIN = 4
"""Pixels round a change that filters of chroma reach."""


def as_picture_of(frame: Any, look: FilmLook) -> Picture:
    """A frame as upright RGB with square pixels, of an ordinary screen: uint8 [H, W, 3].

    The matrix is the one of the look, so a film of HD without tags is not taken for BT.601; HLG and PQ are put on
    the screen by `screen_curve`.
    """
    curve = screen_curve(look.transfer)
    wanted: dict[str, Any] = {"format": "rgb24" if curve is None else "rgb48le"}
    if look.matrix not in (0, UNTOLD):
        wanted["src_colorspace"] = look.matrix
    if (frame.width, frame.height) != (look.width, look.height):  # a film may change its size
        wanted |= {"width": look.width, "height": look.height}
    if look.full_range:
        wanted["src_color_range"] = FULL_RANGE
    picture = reformatted(frame, **wanted).to_ndarray()
    if curve is not None:
        picture = shown_on_screen(picture, curve)
    if look.sar != 1:
        height, width = square_size(look)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.rot90(picture, look.turns)) if look.turns else np.ascontiguousarray(picture)


_reformatters = threading.local()


def reformatted(frame: Any, *size_and_format: Any, **wanted: Any) -> Any:
    """`VideoFrame.reformat` by one converter for each thread: a frame's own keeps megabytes as long as it lives."""
    if not hasattr(_reformatters, "own"):
        _reformatters.own = VideoReformatter()
    return _reformatters.own.reformat(frame, *size_and_format, **wanted)


def square_size(look: FilmLook) -> tuple[int, int]:
    """Height and width of a frame, not turned, once its pixels are square."""
    return look.height, max(1, round(look.width * look.sar))


def upright_size(look: FilmLook) -> tuple[int, int]:
    """Height and width of the pictures of a film."""
    height, width = square_size(look)
    return (width, height) if look.turns % 2 else (height, width)


def plain_look(look: FilmLook) -> FilmLook:
    """The look of frames once they are in one of the formats of `PLANAR`."""
    if look.layout in PLANAR:
        return look
    matrix = BT709 if look.matrix in (0, UNTOLD) else look.matrix  # 0: the numbers are RGB
    tags = (1, matrix, look.tags[2], look.tags[3])
    return replace(look, layout=PLAIN, matrix=matrix, full_range=False, tags=tags)


def plain_frame(frame: Any, look: FilmLook) -> tuple[Any, FilmLook]:
    """A frame in one of the formats of `PLANAR`, and its look; the same ones where it is already."""
    plain = plain_look(look)
    if plain is look and (frame.format.name, frame.width, frame.height) == (look.layout, look.width, look.height):
        return frame, look
    told: dict[str, Any] = {"src_colorspace": look.matrix} if look.matrix not in (0, UNTOLD) else {}
    made = reformatted(
        frame,
        plain.width,
        plain.height,
        plain.layout,
        dst_colorspace=plain.matrix,
        dst_color_range=1 + plain.full_range,
        **told,
    )
    made.color_range, made.colorspace, made.color_primaries, made.color_trc = plain.tags
    return made, plain


def changed_frame(frame: Any, look: FilmLook, before: Picture, after: Picture) -> Any:
    """A frame with the change from one picture to the other in its planes; itself where both are equal.

    The difference of the pictures is added to the frame's own numbers. So what did not change keeps its bits, and
    what did keeps its matrix, range, depth and grain.

    Parameters
    ----------
    frame : in a format of `PLANAR`
    before, after : uint8 [H, W, 3]; of `as_picture_of`, and what became of it
    """
    if after is before:
        return frame
    box = _changed_box(before, after)
    if box is None:
        return frame
    moved, (top, left) = _difference(before, after, box, look)
    across, down, depth = PLANAR[look.layout]
    made = copied_frame(frame, look.tags)
    red, blue = LUMA.get(look.matrix, (0.299, 0.114))
    light = moved @ np.array([red, 1 - red - blue, blue], np.float32)
    top_code = (1 << depth) - 1
    steps = (top_code, top_code) if look.full_range else (219 << (depth - 8), 224 << (depth - 8))
    _add(_plane(made, 0, depth), light * np.float32(steps[0]), top, left, top_code)
    for index, primary, weight in ((1, 2, blue), (2, 0, red)):
        colour = (moved[..., primary] - light) * np.float32(steps[1] / (2 * (1 - weight)))
        _add(
            _plane(made, index, depth), _fewer(colour, across, down, look.siting), top // down, left // across, top_code
        )
    return made


def _changed_box(before: Picture, after: Picture) -> tuple[int, int, int, int] | None:
    """Top, left, bottom, right of what differs."""
    rows = np.flatnonzero((before != after).reshape(len(before), -1).any(1))
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero((before[top:bottom] != after[top:bottom]).any((0, 2)))
    return top, int(columns[0]), bottom, int(columns[-1]) + 1


def _difference(
    before: Picture, after: Picture, box: tuple[int, int, int, int], look: FilmLook
) -> tuple[Array, tuple[int, int]]:
    """The change in the film's own signals 0..1, float32 [h, w, 3], laid as its frames lie, and its top and left."""
    top, left, bottom, right = box
    height, width = before.shape[:2]
    if look.turns or look.sar != 1:
        top, left, bottom, right = 0, 0, height, width
    else:
        top, left = max(0, top - MARGIN) // 2 * 2, max(0, left - MARGIN) // 2 * 2
        bottom, right = min(height, bottom + MARGIN), min(width, right + MARGIN)
    old, new = before[top:bottom, left:right], after[top:bottom, left:right]
    curve = screen_curve(look.transfer)
    if curve is None:
        moved = (new.astype(np.float32) - old) / np.float32(255)
    else:
        moved = signals(new, curve) - signals(old, curve)
    if look.turns:
        moved = np.rot90(moved, -look.turns)
    if look.sar != 1:
        moved = cv2.resize(moved, (look.width, look.height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(moved), (top, left)


def _fewer(colour: Array, across: int, down: int, siting: tuple[float, float]) -> Array:
    """A colour difference [h, w] at the places of chroma samples."""
    for axis, step, place in ((1, across, siting[0]), (0, down, siting[1])):
        if step == 1:
            continue
        lines = np.swapaxes(colour, 0, axis)
        near = np.pad(lines, [(1, 1 + len(lines) % 2)] + [(0, 0)] * (lines.ndim - 1), mode="edge")
        before, on, after = near[:-2:2], near[1:-1:2], near[2::2]
        share = np.float32(0.25 if place < 0.25 else 0)  # on the first of two, or between both
        lines = share * before + 0.5 * on + (np.float32(0.5) - share) * after
        colour = np.swapaxes(lines, 0, axis)
    return colour


def copied_frame(frame: Any, tags: tuple[int, int, int, int], width: int = 0, height: int = 0) -> Any:
    """A frame of its own with the same numbers; cut to a size where one is given."""
    width, height = width or frame.width, height or frame.height
    made = av.VideoFrame(width, height, frame.format.name)
    for source, target in zip(frame.planes, made.planes):
        lines = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)
        room = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        used = min(source.line_size, target.line_size)
        room[:, :used] = lines[: len(room), :used]
    made.color_range, made.colorspace, made.color_primaries, made.color_trc = tags
    return made


def _plane(frame: Any, index: int, depth: int) -> NDArray[Any]:
    """A plane's samples [h, w], to be written to."""
    plane = frame.planes[index]
    kind = np.dtype(np.uint8 if depth == 8 else "<u2")
    lines = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
    return lines[: plane.height, : plane.width]


def _add(plane: NDArray[Any], change: Array, top: int, left: int, most: int) -> None:
    """Add a change [h, w] to a plane, rounded, within its codes."""
    part = plane[top : top + change.shape[0], left : left + change.shape[1]]
    change = change[: part.shape[0], : part.shape[1]]
    part[:] = np.clip(np.rint(change).astype(np.int32) + part, 0, most)
