"""Still portraits to clips for the trainers: a head model textured with the photo."""

from __future__ import annotations

import csv
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import cv2
import typer
from rich.progress import track as progress

from pipelines.command import command
from speechhead.core.errors import FaceError
from speechhead.face.mesh import FaceMesh
from speechhead.face.tracker import FaceTracker

from .dataset import PortraitRow, read_catalogue, read_image, seed_of, write_clip
from .portrait import Rig, prepare
from .render import HeadRenderer


@lru_cache(maxsize=1)
def _tools(face3d: Path) -> tuple[Rig, FaceTracker, HeadRenderer, FaceMesh]:
    cv2.setNumThreads(1)
    return Rig.load(face3d), FaceTracker(threads=1), HeadRenderer(), FaceMesh(threads=1)


def make_clip(
    face3d: Path, portraits: Path, source: PortraitRow, output: Path, frames: int, seed: int, tracked: bool
) -> str:
    """Write one portrait's clip; returns why not, or an empty string."""
    rig, tracker, renderer, network = _tools(face3d)
    random = seed_of(source.file, seed)
    try:
        image = read_image(portraits / source.file)
        face = tracker.locate(image, name=source.file)
        portrait = prepare(rig, image, face.mesh, random, source.file)
    except FaceError as error:
        return str(error)
    stem = output / Path(source.file).stem
    write_clip(portrait, renderer, stem, frames, random, network if tracked else None)
    return ""


def main(
    portraits: Annotated[Path, typer.Option(help="Folder of portraits, with a catalog.csv if there is one.")],
    output: Annotated[Path, typer.Option(help="Folder for the clips.")],
    per_portrait: Annotated[int, typer.Option(help="Drawn frames for each portrait, beside the photo itself.")] = 24,
    licences: Annotated[str, typer.Option(help="Only portraits whose licence has this text: public-domain.")] = "",
    face3d: Annotated[Path, typer.Option(help="Folder of the head model.")] = Path("../shared/face3d"),
    tracked: Annotated[bool, typer.Option(help="Meshes as the face tracker sees them, not the exact ones.")] = False,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed, other faces.")] = 0,
) -> None:
    """Draw every portrait of a folder in random poses and expressions."""
    output.mkdir(parents=True, exist_ok=True)
    sources = read_catalogue(portraits, licences)
    todo = [(face3d, portraits, source, output, per_portrait, seed, tracked) for source in sources]
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            jobs = [pool.submit(make_clip, *arguments) for arguments in todo]
            refusals = [job.result() for job in progress(jobs, "Drawing")]
    else:
        refusals = [make_clip(*arguments) for arguments in progress(todo, "Drawing")]
    made = [source for source, refusal in zip(sources, refusals) if not refusal]
    with (output / "sources.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "source", "licence"])
        writer.writerows([source.file, source.source, source.licence] for source in made)
    for refusal in filter(None, refusals):
        print(f"left out: {refusal}")
    frames = len(made) * (per_portrait + 1)
    print(f"{output}: {len(made)} portraits, {frames} frames; {len(sources) - len(made)} left out")


app = command(main)


if __name__ == "__main__":
    app()
