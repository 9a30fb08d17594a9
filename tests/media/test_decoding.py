"""A video gives the same picture for the same number, from whichever side it is read, in every container."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from support.films import encode, number_of, numbered

from speechhead.media.reader import VideoReader

COUNT = 75
X264 = {"g": "30", "bf": "3"}
CONTAINERS = {
    "a.ts": ("libx264", None, X264),
    "a.m2ts": ("libx264", "mpegts", X264),
    "open_groups.ts": ("libx264", None, X264 | {"x264-params": "open-gop=1"}),
    "one_group.ts": ("libx264", None, {"g": "250", "bf": "3"}),
    "no_key_frames.ts": ("libx264", None, {"g": "30", "x264-params": "intra-refresh=1"}),
    "a.mpg": ("mpeg2video", None, {"g": "30", "bf": "2"}),
    "h264.mpg": ("libx264", None, X264),
    "a.vob": ("mpeg2video", "vob", {"g": "15", "bf": "2"}),
    "a.avi": ("libx264", None, X264),
    "mpeg4.avi": ("mpeg4", None, {"g": "30", "bf": "2"}),
    "a.mp4": ("libx264", None, X264),
    "a.mov": ("libx264", None, X264),
    "a.mkv": ("libx264", None, X264),
    "a.webm": ("libvpx", None, {"g": "30"}),
    "a.flv": ("libx264", None, X264),
    "a.h264": ("libx264", "h264", X264),
    "a.m2v": ("mpeg2video", "mpeg2video", {"g": "30", "bf": "2"}),
}
"""Name to encoder, container and the encoder's options."""


def film(folder: Path, name: str, count: int = COUNT) -> Path:
    codec, kind, options = CONTAINERS[name]
    return encode(folder / name, codec, numbered(count), kind, **options)


@pytest.mark.parametrize("name", CONTAINERS)
def test_backward_is_forward_reversed(tmp_path, name):
    reader = VideoReader(film(tmp_path, name))
    forward = list(reader.frames())
    shown, count = [number_of(picture) for picture in forward], len(forward)
    # Small H.264 frames share a packet of a program stream; libav gives some of them another one's time.
    assert (sorted(set(shown)) if name == "h264.mpg" else shown) == list(range(COUNT))
    for chunk in (32, 9):
        pairs = zip(reader.ping_pong(2 * count, count, chunk), forward + forward[::-1], strict=True)
        assert [at for at, (a, b) in enumerate(pairs) if not np.array_equal(a, b)] == []


@pytest.mark.parametrize("name", ["a.ts", "a.vob", "a.avi", "a.mp4"])
def test_any_picture_of_a_reader_that_has_read_nothing_yet(tmp_path, name):
    path = film(tmp_path, name)
    for number in (1, 29, 30, 44, 59, 74):
        assert [number_of(picture) for picture in VideoReader(path).frames(number, number + 1)] == [number]


def test_a_film_whose_clock_starts_anew_is_read_on(tmp_path):
    """Two transport streams one after the other: each moment of the clock is there twice."""
    part = film(tmp_path, "a.ts").read_bytes()
    (tmp_path / "twice.ts").write_bytes(part + part)
    reader = VideoReader(tmp_path / "twice.ts")
    forward = [number_of(picture) for picture in reader.frames()]
    assert len(forward) >= 2 * COUNT - 1 and forward[:COUNT] == list(range(COUNT)) and forward[-1] == COUNT - 1
    back = list(reader.ping_pong(2 * len(forward), len(forward)))[len(forward) :]
    assert [number_of(picture) for picture in back] == forward[::-1]


def test_searches_find_their_way_and_memory_stays_flat(tmp_path):
    """Only a part is decoded again for each portion, and no more than a portion of pictures is held."""
    count, chunk = 240, 16
    reader = VideoReader(film(tmp_path, "a.ts", count))
    decoded = 0
    clock = reader._decoder._clock

    def counted(*arguments):
        nonlocal decoded
        for shown in clock(*arguments):
            decoded += 1
            yield shown

    reader._decoder._clock = counted
    tracemalloc.start()
    for _ in reader.ping_pong(2 * count, count, chunk):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (chunk + 8) * 120 * 160 * 3
    assert decoded < 8 * count
