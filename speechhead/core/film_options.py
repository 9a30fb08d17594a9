"""Options of a film that gets new words: how it is written, how long it is, and which part of it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import ControlError, MediaError
from .records import check, option

CODECS = ("h264", "hevc", "prores", "ffv1")
"""Codecs of films that are written."""

LENGTHS = ("bounce", "loop", "hold", "cut", "keep")
"""What a film does that is not as long as its new sound."""


@dataclass(frozen=True)
class FilmOptions:
    """How a video that gets new words is written; every field is checked on construction.

    length : where sound and film differ: bounce plays the film to and fro, loop from its beginning again, hold keeps
        its last picture, each to the end of the sound; cut ends with the shorter one; keep ends with the film
    since, until : the passage that is replaced; the film keeps its length, its sound and its picture elsewhere

    Raises
    ------
    MediaError or ControlError naming the field, the value and the remedy, and where two contradict each other.
    """

    codec: str | None = option(
        None, help="Codec of a film", choices=CODECS, metavar="NAME", unset="the source's, or h264,", error=MediaError
    )
    crf: float | None = option(
        None,
        help="Quality of h264 and hevc, lower is better",
        low=0,
        high=51,
        unset="16",
        error=MediaError,
    )
    lossless: bool = option(False, help="Write a film without loss: what is not changed keeps its bits")
    length: str | None = option(
        None,
        help="A film shorter or longer than its sound",
        choices=LENGTHS,
        metavar="WAY",
        unset="bounce, with --from and --to keep,",
        error=MediaError,
    )
    since: float | None = option(
        None, help="Replace a passage of a film, from here", flag="--from", unit="seconds", low=0, metavar="SECONDS"
    )
    until: float | None = option(None, help="To here", flag="--to", unit="seconds", positive=True, metavar="SECONDS")
    report: Path | None = option(
        None,
        help="JSON file to write: who speaks in a film, and which pictures are left alone and why",
        metavar="FILE",
        http=False,
        error=MediaError,
    )
    keep_audio: bool = option(False, help="Keep a film's own sound as a second track")

    def __post_init__(self) -> None:
        check(self)
        if self.lossless and self.codec == "prores":
            raise MediaError("--lossless: prores always loses a little. Use --codec ffv1, h264 or hevc.")
        if self.lossless and self.crf is not None:
            raise MediaError(f"--lossless: crf {self.crf:g} is for lossy films. Leave one of them out.")
        if self.crf is not None and self.codec in ("prores", "ffv1"):
            raise MediaError(
                f"crf {self.crf:g}: {self.codec} has no such quality. Leave --crf out, or use h264 or hevc."
            )
        if self.passage and self.length not in (None, "keep"):
            raise ControlError(
                f"length {self.length}: with --from or --to a film keeps its length. Leave --length out."
            )
        if self.until is not None and self.until <= (self.since or 0):
            raise ControlError(f"--to {self.until:g}: is not after --from {self.since or 0:g}. Give a later time.")

    @property
    def passage(self) -> bool:
        """Whether only a part of the film gets new words."""
        return self.since is not None or self.until is not None

    @property
    def way(self) -> str:
        """What the film does that is not as long as its sound."""
        return self.length or ("keep" if self.passage else "bounce")
