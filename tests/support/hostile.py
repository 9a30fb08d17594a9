"""Files that a stranger sends, and an interpreter that tells when it is called."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

LOOP = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n{} loop\n"
"""Encapsulated PostScript that keeps its interpreter busy for ever."""


def fake_ghostscript(folder: Path) -> Path:
    """A program `gs` in a folder for PATH; returns the file that is there once it was called."""
    mark = folder / "called"
    program = folder / "gs"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{mark}"\nexit 1\n')
    program.chmod(0o755)
    return mark


def flac(seconds: float, stated: bool = True) -> bytes:
    """Silence as 16 kHz FLAC, a few hundred bytes a second; its header states no length where `stated` is false."""
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        block = np.zeros((1, 160_000), np.int16)
        for start in range(0, round(seconds * 16_000), block.shape[1]):
            count = min(block.shape[1], round(seconds * 16_000) - start)
            frame = av.AudioFrame.from_ndarray(block[:, :count], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, start, Fraction(1, 16_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = bytearray(out.getvalue())
    if not stated:  # STREAMINFO begins after "fLaC" and its own header; the last 36 bits before the MD5 are the length
        data[21] &= 0xF0
        data[22:26] = bytes(4)
    return bytes(data)
