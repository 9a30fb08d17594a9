"""Portraits at full size from small networks: sharpness, likeness and seams.

    python -m pipelines.judge.full_resolution PORTRAITS [--names FILE] [--network 64] [--json OUT] [--sheet OUT]
    python -m pipelines.judge.full_resolution CLIPS --generator NAME_OR_FILE
    python -m pipelines.judge.full_resolution grace_hopper.jpg --network 128 --picture docs/full_size.jpg

With portraits, a perfect network stands in for a family's: the compact generator's own pictures made small, and its
flow on a grid as coarse as FOMM's. Its pictures at full size are the truth, so that what is measured is the joining
alone. With clips and a family's weights, the first frame is driven by later ones, which are the truth.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image

from pipelines.command import command
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError, SpeechheadError
from speechhead.engines.torch import to_pictures, to_tensor
from speechhead.face.landmarks import Pose
from speechhead.face.tracker import FaceTracker
from speechhead.generators.checkpoints.open import open_model
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.families.crops import resized
from speechhead.generators.families.family import Drawn, Family
from speechhead.generators.families.full_resolution import FullLayers, Rest, enlarged, full_size, layers
from speechhead.generators.families.registry import spec
from speechhead.generators.nets.layers import coordinate_grid
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader
from speechhead.motion.pose import drawn as asked_pose
from speechhead.motion.pose import turned

from .detail import regions, sharpness

CPU = torch.device("cpu")

CELLS = 4
"""Pixels of a network's picture in a cell of its motion field, as in FOMM: 64 cells for 256 pixels."""

COMPARED = 256
"""Side at which likeness is measured, pixels."""

GAPE = 0.2
"""How far the lower lip goes down in an opened mouth, outer eye distances."""

MOVES: dict[str, tuple[tuple[float, float, float], bool]] = {
    "rest": ((0.0, 0.0, 0.0), False),
    "right 5": ((5.0, 0.0, 0.0), False),
    "left 10": ((-10.0, 0.0, 0.0), False),
    "down 6": ((0.0, 6.0, 0.0), False),
    "open": ((0.0, 0.0, 0.0), True),
    "open, right 7": ((7.0, 0.0, 0.0), True),
}
"""By name, (yaw, pitch, roll) in degrees away from the portrait's pose, and whether the mouth is opened."""

FRAMES = (0.25, 0.5, 0.75)
"""Which frames of a clip drive its first one, in parts of its length."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class FullSizeRow:
    """One picture: which, its side and the network's; of ours, of plain enlarging, of the truth: sharpness of skin and
    hair over the photo's, mean absolute error at COMPARED px in levels; and of ours the seam, see `seam`."""

    name: str
    move: str
    size: int
    network: int
    skin: dict[str, float] = field(default_factory=dict)
    hair: dict[str, float] = field(default_factory=dict)
    error: dict[str, float] = field(default_factory=dict)
    seam: float = 0.0


@dataclass(frozen=True)
class FullSizeShot:
    """Pictures uint8 [S, S, 3] of one move, and what ours was joined from."""

    name: str
    move: str
    photo: Picture
    truth: Picture
    plain: Picture
    ours: Picture
    parts: FullLayers
    network: int


def opened(landmarks: Array) -> Array:
    """Landmarks [70, 3] with the lower lip and the chin down."""
    moved = np.array(landmarks, np.float32)
    moved[[55, 56, 57, 58, 59, 65, 66, 67], 1] += GAPE
    moved[6:11, 1] += 0.6 * GAPE
    return moved


class StandIn:
    """A family with perfect networks: it draws what the compact generator draws, in few pixels."""

    def __init__(self, avatar: Avatar, network: int) -> None:
        self._generator = CompactGenerator.load(avatar.size, threads=1)
        self._source, self.network = avatar.source(self._generator), network

    def draw(self, normalised: Array, pose: Pose) -> tuple[Picture, Drawn]:
        """A picture at full size, and what a family would tell of it."""
        frame, flow = self._generator.render_with_flow(self._source, normalised, pose)
        cells = max(self.network // CELLS, 8)
        coarse = cv2.resize(flow, (cells, cells), interpolation=cv2.INTER_AREA)
        way = torch.from_numpy(np.asarray(coarse, np.float32))[None] * (cells / (cells - 1))
        places = way + coordinate_grid((cells, cells), way)
        return frame, Drawn(to_tensor([resized(frame, self.network)], CPU), places[:, None])


def portrait_shots(name: str, avatar: Avatar, network: int) -> Iterator[FullSizeShot]:
    """A portrait in all MOVES."""
    stand_in = StandIn(avatar, network)
    rest = Rest.drawn(stand_in.draw(avatar.neutral, avatar.pose)[1], to_tensor([avatar.crop], CPU))
    for move, (angles, gape) in MOVES.items():
        face = opened(avatar.neutral) if gape else avatar.neutral
        truth, drawn = stand_in.draw(face, turned(avatar.pose, asked_pose(angles)))
        yield _shot((name, move), avatar.crop, truth, drawn, rest)


def clip_shots(path: Path, model: Family, size: int, tracker: FaceTracker) -> Iterator[FullSizeShot]:
    """The first frame of a clip driven by later ones, through a family; faces crops of at most `size` pixels."""
    frames = list(VideoReader(path).frames())
    face = tracker.locate(frames[0], None, path.name)
    crop = spec(model.name).crop(face.mesh, False)
    side = min(size, crop.side)
    seen = [crop.cut(frames[int(part * (len(frames) - 1))], side) for part in (0.0, *FRAMES)]
    small = to_tensor([resized(picture, model.image_size) for picture in seen], CPU)
    with torch.inference_mode():
        appearance, motion = model.appearance(small[:1]), model.motion(small)
        source = {key: value[:1] for key, value in motion.items()}
        rest = Rest.of(model, appearance, source, to_tensor(seen[:1], CPU))
        for i, part in enumerate(FRAMES, 1):
            driver = {key: value[i : i + 1] for key, value in motion.items()}
            drawn = model.draw(appearance, source, model.transfer(source, driver))
            yield _shot((path.stem, f"at {part:g}"), seen[0], seen[i], drawn, rest)


def _shot(named: tuple[str, str], photo: Picture, truth: Picture, drawn: Drawn, rest: Rest) -> FullSizeShot:
    ours = to_pictures(full_size(drawn, rest))[0]
    plain = to_pictures(enlarged(drawn.picture, rest.size))[0]
    return FullSizeShot(*named, photo, truth, plain, ours, layers(drawn, rest), drawn.picture.shape[3])


def measured(
    shot: FullSizeShot, masks: tuple[dict[str, NDArray[np.bool_]], dict[str, NDArray[np.bool_]]]
) -> FullSizeRow:
    """The row of a shot; masks of skin and hair in the photo and in the truth."""
    pictures = {"ours": shot.ours, "plain": shot.plain, "truth": shot.truth}
    own = {name: max(sharpness(shot.photo, mask), 1e-6) for name, mask in masks[0].items()}
    sharp = {
        name: {key: sharpness(picture, mask) / own[name] for key, picture in pictures.items()}
        for name, mask in masks[1].items()
    }

    def small(picture: Picture) -> Array:
        return np.asarray(cv2.resize(picture, (COMPARED, COMPARED), interpolation=cv2.INTER_AREA), np.float32)

    error = {key: float(np.abs(small(pictures[key]) - small(shot.truth)).mean()) for key in ("ours", "plain")}
    size = shot.ours.shape[0]
    return FullSizeRow(shot.name, shot.move, size, shot.network, sharp["skin"], sharp["hair"], error, seam(shot))


def slopes(picture: Array) -> Array:
    """Down and across, [2, h, w]."""
    return np.stack([np.gradient(picture, axis=axis) for axis in (0, 1)])


def seam(shot: FullSizeShot) -> float:
    """What the joint adds to the picture's edges, in parts of the edges that are there anyway.

    Along the way from what is the portrait's own to what is generated, the slope of ours beyond the steeper one of both
    layers, over the mean slope of the steeper: 0 where nobody can tell where the joint is.
    """
    own = shot.parts.own[0, 0].numpy()
    across = slopes(own)
    length = np.linalg.norm(across, axis=0)
    joint = (own > 0.1) & (own < 0.9) & (length > 1e-4)
    if not joint.any():
        return 0.0
    across = across / np.maximum(length, 1e-9)

    def slope(picture: Array) -> Array:
        return np.asarray(np.abs((slopes(picture) * across).sum(0))[joint], np.float32)

    detailed, made = ((layer[0].permute(1, 2, 0).numpy() * 255) @ LUMA for layer in shot.parts[:2])
    steeper = np.maximum(slope(detailed), slope(made))
    beyond = np.maximum(slope(shot.ours.astype(np.float32) @ LUMA) - steeper, 0)
    return float(beyond.mean() / max(float(steeper.mean()), 1e-6))


def summary(rows: Sequence[FullSizeRow]) -> dict[str, float]:
    """Medians over pictures, by move, and the largest seam."""
    found: dict[str, float] = {"pictures": float(len(rows))}
    for move in dict.fromkeys(row.move for row in rows):
        those = [row for row in rows if row.move == move]
        for what in ("skin", "hair", "error"):
            for key in getattr(those[0], what):
                found[f"{move}: {what} {key}"] = float(np.median([getattr(row, what)[key] for row in those]))
        found[f"{move}: seam"] = float(np.median([row.seam for row in those]))
    return found | {"seam, largest": max(row.seam for row in rows)}


def rows_of_shots(shots: Iterator[FullSizeShot], tracker: FaceTracker) -> Iterator[tuple[FullSizeShot, FullSizeRow]]:
    """Shots with their rows; the masks of the photo are looked for once."""
    before = None
    for shot in shots:
        size = shot.photo.shape[0]
        before = before or regions(tracker.locate(shot.photo, None, shot.name).mesh, size)
        yield shot, measured(shot, (before, regions(tracker.locate(shot.truth, None, shot.name).mesh, size)))


def strip(shot: FullSizeShot, side: int) -> Picture:
    """Photo, plain, ours and truth of one move beside each other, `side` pixels each."""
    shown = (shot.photo, shot.plain, shot.ours, shot.truth)
    return np.hstack([np.asarray(cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA)) for p in shown])


def illustration(shot: FullSizeShot) -> Picture:
    """Photo, plain and ours at full size, and below a close-up of an eye and the mouth of each, twice as large."""
    shown = (shot.photo, shot.plain, shot.ours)
    size, mesh = shot.ours.shape[0], FaceTracker(threads=1).locate(shot.truth).mesh
    half = size // 4
    closer = []
    for picture in shown:
        x, y = mesh[[33, 291], :2].mean(0).astype(int)
        x, y = (int(np.clip(v, half, size - half)) for v in (x, y))
        cut = picture[y - half : y + half, x - half : x + half]
        closer.append(np.asarray(cv2.resize(cut, (size, size), interpolation=cv2.INTER_CUBIC)))
    return np.vstack([np.hstack(shown), np.hstack(closer)])


def main(
    folder: Annotated[Path, typer.Argument(help="Portraits, or with --generator clips; or one of them.")],
    names: Annotated[Path | None, typer.Option(help="File with a file's name in each line.")] = None,
    generator: Annotated[str | None, typer.Option(help="Imported weights of a family, or a file of them.")] = None,
    network: Annotated[int, typer.Option(help="Side of the stand-in's pictures, pixels.")] = 64,
    size: Annotated[int, typer.Option(help="Largest side of the face crop, pixels.")] = 512,
    output: Annotated[Path | None, typer.Option("--json", help="File for the rows and their summary.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Picture of all moves to write.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="JPEG to write of the last move of the largest face, with a close-up.")
    ] = None,
) -> None:
    """Measure, and print the summary."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    tracker = FaceTracker(threads=1)
    model = open_model(generator, None, device="cpu").eval() if generator else None
    chosen = [folder.name] if folder.is_file() else sorted(path.name for path in folder.iterdir() if path.is_file())
    folder = folder.parent if folder.is_file() else folder
    chosen = names.read_text().split() if names else chosen
    rows: list[FullSizeRow] = []
    strips: list[Picture] = []
    best: FullSizeShot | None = None
    for name in chosen:
        try:
            if model is not None:
                shots = clip_shots(folder / name, model, size, tracker)
            else:
                shots = portrait_shots(name, Avatar.from_image(folder / name, size, tracker=tracker), network)
            for shot, row in rows_of_shots(shots, tracker):
                rows.append(row)
                if best is None or shot.ours.shape[0] >= best.ours.shape[0]:
                    best = shot
                strips += [strip(shot, min(size, 256))] if sheet else []
        except SpeechheadError as error:
            print(f"left out: {name}: {error}")
    if not rows:
        raise FaceError(f"{folder}: nothing could be measured; the reasons are above. Give others.")
    if sheet:
        Image.fromarray(np.vstack(strips)).save(sheet)
    if picture and best:
        Image.fromarray(illustration(best)).save(picture, quality=52, optimize=True)
    found = summary(rows)
    if output:
        output.write_text(json.dumps({"summary": found, "rows": [asdict(row) for row in rows]}, indent=1))
    for key, value in found.items():
        print(f"{key:28s} {value:.3f}")


app = command(main)


if __name__ == "__main__":
    app()
