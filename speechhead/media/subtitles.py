"""Subtitles as text on the way from one container into another."""

from __future__ import annotations

import re

HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
"""What libav's encoders of text want to know of a style before they write: its own default."""

TEXT = ("subrip", "srt", "text", "webvtt", "ass", "ssa", "mov_text")
"""Codecs of subtitles that are text."""

TEXT_OF = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}
"""What text becomes in a container that does not hold it as it is."""


def subtitle_text(data: bytes, codec: str) -> str:
    """The words of a packet, without marks of style."""
    if codec == "mov_text":
        return data[2 : 2 + int.from_bytes(data[:2], "big")].decode("utf-8", "replace")
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if codec in ("ass", "ssa"):
        text = text.split(",", 8)[-1]
        return re.sub(r"\{[^}]*\}", "", text).replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ").strip()
    return re.sub(r"</?[a-zA-Z][^>]*>", "", text).strip()


def subtitle_packet(text: str, codec: str) -> bytes:
    """A packet of `mov_text` or `subrip` with these words."""
    data = text.encode("utf-8")[:65_535]
    return len(data).to_bytes(2, "big") + data if codec == "mov_text" else data
