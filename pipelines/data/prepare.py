"""Ready face-centred clips to samples for the trainers: tracked, smoothed, pose removed.

Raw footage, and clips whose sound or quality is to be judged, go through `pipelines.data.footage`.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.lib.format import open_memmap
from rich.progress import track

from pipelines.command import command
from pipelines.data.footage.landmarks import landmark_arrays
from speechhead.core.options import check_landmarks

CLIP_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")


def read_frames(path: Path) -> np.ndarray:
    """All frames of a clip, uint8 [T, H, W, 3]."""
    import av

    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def prepare_clip(path: Path, output: Path, meshes: Path | None = None, landmarks: str = "mesh") -> int:
    """Write `<stem>.npy` (frames, uint8 [T, H, W, 3]) and `<stem>.npz` (landmarks) for one clip.

    The npz holds what `landmark_arrays` gives, and index [T] (the frame each row belongs to). Frames without a face
    are left out.

    Parameters
    ----------
    meshes : folder of `<stem>.npz` with raw `mesh` [T, 478, 3] from an earlier tracking run, or None to track
    landmarks : what finds them, 'mesh' or 'face-alignment'

    Returns
    -------
    int : frames with a face
    """
    from speechhead.face.open import open_tracker

    frames = read_frames(path)
    if meshes is not None and (meshes / f"{path.stem}.npz").is_file():
        mesh = np.load(meshes / f"{path.stem}.npz")["mesh"]
    else:
        lost = np.full((478, 3), np.nan, np.float32)
        mesh = np.stack([lost if face is None else face.mesh for face in open_tracker(landmarks).track(iter(frames))])
    index = np.flatnonzero(np.isfinite(mesh).all((1, 2)))
    if len(index) < 8:
        return 0
    arrays: dict[str, Any] = {**landmark_arrays(mesh[index]), "index": index}
    np.savez(output / f"{path.stem}.npz", **arrays)
    store = open_memmap(output / f"{path.stem}.npy", "w+", np.uint8, frames.shape)
    store[:] = frames
    store.flush()
    return len(index)


def describe(rows: Sequence[dict[str, str]], path: Path) -> None:
    """The catalogue of the samples: who is in them, and which split they are of, beside rows of earlier runs."""
    known: dict[str, dict[str, str]] = {}
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            known = {row["file"]: row for row in csv.DictReader(stream)}
    known |= {row["file"]: row for row in rows}
    columns = list(dict.fromkeys(name for row in known.values() for name in row if name is not None))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(known.values())


def main(
    clips: Annotated[Path, typer.Option(help="Folder of talking-face clips, with a catalog.csv if there is one.")],
    output: Annotated[Path, typer.Option(help="Folder for the samples.")],
    split: Annotated[str, typer.Option(help="Which split of the catalogue; 'all' takes every clip.")] = "train",
    meshes: Annotated[Path | None, typer.Option(help="Landmarks of an earlier tracking run.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    landmarks: Annotated[str, typer.Option(help="What finds landmarks: mesh or face-alignment.")] = "mesh",
) -> None:
    """Prepare the clips of a folder for the trainers."""
    check_landmarks(landmarks)
    output.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in clips.iterdir() if path.suffix in CLIP_SUFFIXES)
    catalogue = clips / "catalog.csv"
    if catalogue.is_file():
        with catalogue.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if split in ("all", row.get("split"))]
        chosen = {row["file"] for row in rows}
        paths = [path for path in paths if split == "all" or path.name in chosen]
        describe(rows, output / "catalog.csv")
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(prepare_clip, path, output, meshes, landmarks) for path in paths]
        total = sum(job.result() for job in track(jobs, "Preparing"))
    print(f"{output}: {len(paths)} clips, {total} frames")


app = command(main)


if __name__ == "__main__":
    app()
