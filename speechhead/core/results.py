"""What comes out of a rendering besides, or in place of, a plain video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import MediaError
from .records import check, option

SUBTITLES = (".vtt", ".srt")
"""Endings of subtitles: WebVTT and SubRip."""

MOTIONS = (".npz", ".csv")
"""Endings of exported motion."""


@dataclass(frozen=True)
class ResultOptions:
    """What is written besides the video, and what is behind the person; every field is checked on construction.

    Raises
    ------
    MediaError naming the field, the value and the remedy, and where two options contradict each other.
    """

    alpha: bool = option(
        False,
        help="Keep the person alone, or of a film its new mouth, all else transparent",
        note="into mov, webm, apng or frames/%05d.png",
    )
    background: str | None = option(
        None, help="What is behind the person: a colour (#rrggbb or its name) or a picture", metavar="COLOUR|IMG"
    )
    subtitles: Path | None = option(
        None, help="Write the spoken text with its times there: .vtt or .srt", metavar="FILE", kind=Path
    )
    export_motion: Path | None = option(
        None, help="Write landmarks and head pose of every frame there: .npz or .csv", metavar="FILE", kind=Path
    )
    blendshapes: Path | None = option(
        None, help="Write the 52 ARKit blendshapes of every frame there: .csv", metavar="FILE", kind=Path
    )

    def __post_init__(self) -> None:
        for name, endings in (("subtitles", SUBTITLES), ("export_motion", MOTIONS), ("blendshapes", (".csv",))):
            value = getattr(self, name)
            if value is None:
                continue
            path = Path(value)
            if path.suffix.lower() not in endings:
                said = name.replace("_", "-")
                raise MediaError(f"{path}: {said} are not written as '{path.suffix}'. Use {' or '.join(endings)}.")
            object.__setattr__(self, name, path)
        check(self)
        if self.alpha and self.background is not None:
            raise MediaError(f"background {self.background!r}: with alpha nothing is behind. Leave one of them out.")

    @property
    def files(self) -> tuple[Path, ...]:
        """Files besides the video, in a fixed order."""
        return tuple(path for path in (self.subtitles, self.export_motion, self.blendshapes) if path is not None)

    @property
    def cut_out(self) -> bool:
        """Whether the person has to be told from what is behind."""
        return self.alpha or self.background is not None
