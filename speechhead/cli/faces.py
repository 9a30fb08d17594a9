"""The command that lists the people of a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .terminal import table


def faces(
    video: Annotated[Path, typer.Argument(help="A video.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for a picture of each person.", metavar="DIR")
    ] = None,
) -> None:
    """List the people of a video: which --face each is, when they are seen, and how much of it can be dubbed."""
    from PIL import Image

    from speechhead.render.listing import people_of

    people = people_of(video)
    rows = []
    for one in people:
        spans = ", ".join(f"{start:.1f}-{end:.1f}" for start, end in one.spans[:6])
        more = f" and {len(one.spans) - 6} more" if len(one.spans) > 6 else ""
        figures = f"{one.seconds:.1f} s", f"{one.usable:.1f} s", f"{one.size:.0f} px", f"{one.sure:.0%}"
        rows.append((str(one.number), *figures, spans + more))
    table(("face", "seen", "can speak", "size", "sure", "seconds"), rows)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for one in people:
            if one.picture is not None:
                print(output / f"face_{one.number}.jpg")
                Image.fromarray(one.picture).save(output / f"face_{one.number}.jpg", quality=92)
