"""Two films side by side, as tables of what their files say: what a dub keeps of its source.

python -m pipelines.judge.film_table BEFORE AFTER

Beside the streams it counts the packets of the picture that are the same bytes, and the pictures at the same times.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import av
import typer

from pipelines.command import command
from speechhead.core.errors import MediaError
from speechhead.media.film import Film

TAGS = {
    "range": {0: "not told", 1: "16-235", 2: "0-255"},
    "colour": {1: "BT.709", 2: "not told", 5: "BT.601", 6: "BT.601", 9: "BT.2020", 16: "PQ", 18: "HLG"},
}
"""What the tags of colours say (ITU-T H.273)."""

MADE = (
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "ENCODER",
    "handler_name",
    "vendor_id",
    "DURATION",
)
"""Metadata that the muxer makes itself."""


def described(path: Path) -> dict[str, str]:
    """What a film's file says, a line each.

    Raises
    ------
    MediaError if it can not be read.
    """
    film = Film(path)
    look = film.look
    range_, matrix, primaries, transfer = look.tags
    lines = {"container": film.container}
    with film.open() as container:
        lines["length"] = f"{(container.duration or 0) / av.time_base:.2f} s"
        lines |= {name.lower(): text for name, text in container.metadata.items() if name not in MADE}
        named = [(float(each["start"] * (each["time_base"] or 1)), each["metadata"]) for each in container.chapters()]
        lines["chapters"] = ", ".join(f"{at:.2f} s {tags.get('title', '')}".strip() for at, tags in named)
        video = container.streams.video[0]
        colour = "/".join(TAGS["colour"].get(tag, str(tag)) for tag in (matrix, primaries, transfer))
        lines["picture"] = f"{film.codec}, {look.layout}, {look.width}x{look.height}"
        lines["shape of pixels"] = f"{look.sar.numerator}:{look.sar.denominator}"
        lines["colour"] = f"{colour}, {TAGS['range'].get(range_, str(range_))}"
        lines["chroma at"] = {(0.0, 0.5): "left", (0.5, 0.5): "centre", (0.0, 0.0): "top left"}.get(look.siting, "top")
        lines["pictures per second"] = f"{float(video.average_rate or 0):.3f}"
        for kind, streams in (("sound", container.streams.audio), ("words", container.streams.subtitles)):
            for number, stream in enumerate(streams, 1):
                lines[f"{kind} {number}"] = _track(stream)
    return lines


def _track(stream: Any) -> str:
    context = stream.codec_context
    told = [context.name]
    if stream.type == "audio":
        told += [f"{context.rate} Hz", context.layout.name]
    title = stream.metadata.get("title") or stream.metadata.get("name") or ""
    told += [stream.language or "und", title, (stream.disposition.name or "").lower()]
    return ", ".join(part for part in told if part and part != "und")


def same_packets(before: Path, after: Path) -> tuple[int, int, int]:
    """Pictures of the second film; those at a time of the first; and those that are its very bytes at that time."""
    old, new = (_packets(path) for path in (before, after))
    both = old.keys() & new.keys()
    return len(new), len(both), sum(old[at] == new[at] for at in both)


def _packets(path: Path) -> dict[int, bytes]:
    """Bytes of the picture's packets by their time in milliseconds, from the beginning."""
    film = Film(path)
    found = {}
    with film.open() as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.size and packet.pts is not None:
                found[round(1000 * float((packet.pts - film.start) * packet.time_base))] = bytes(packet)
    return found


def main(
    before: Annotated[Path, typer.Argument(help="The source.")],
    after: Annotated[Path, typer.Argument(help="What became of it.")],
) -> None:
    """Print both as a table in Markdown."""
    for path in (before, after):
        if not path.is_file():
            raise MediaError(f"{path}: no such film. Check the path.")
    old, new = described(before), described(after)
    print(f"| | {before.name} | {after.name} |\n|---|---|---|")
    for name in Counter([*old, *new]):
        print(f"| {name} | {old.get(name, '') or '-'} | {new.get(name, '') or '-'} |")
    pictures, timed, equal = same_packets(before, after)
    print(f"| pictures at the source's times | | {timed} of {pictures} |")
    print(f"| packets that are the source's bytes | | {equal} of {pictures} |")


app = command(main)


if __name__ == "__main__":
    app()
