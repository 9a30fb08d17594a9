"""Train the small network that tells a covered mouth, from faces with and without covers.

    python -m pipelines.train.mouth_cover ../shared/portraits --clips ../shared/media -o weights/mouth_cover.npz

Deterministic; numpy alone; a few minutes on one core, most of them for the face mesh of the made pictures.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from pipelines.command import command
from pipelines.data.covers import COVERS, beard, hidden
from pipelines.data.held_out import held_out
from speechhead.core.arrays import Array
from speechhead.core.errors import SpeechheadError
from speechhead.core.threads import WORKERS
from speechhead.face.mesh import FaceMesh, roi_from_mesh
from speechhead.face.mirror import mirrored
from speechhead.face.mouth_view import mouth_features
from speechhead.face.tracker import PRESENT, FaceTracker
from speechhead.media.image import Picture, load_image
from speechhead.media.reader import VideoReader

HIDDEN, BARE = 0.6, 0.1
"""Parts of the lips: a mouth is covered above, bare below, and left out between."""


KINDS = ("bare", "beard", *COVERS)
"""Of made pictures, in turn."""


@dataclass(frozen=True)
class Fit:
    """How the network is trained."""

    hidden: int = 16
    """Units of the inner layer."""
    epochs: int = 40
    batch: int = 128
    rate: float = 3e-3
    """Of Adam, falling to 0 by a half cosine."""
    decay: float = 3e-4
    """Pull of the weights towards 0."""
    noise: float = 0.35
    """Spread of the noise laid on the features, in their own spread."""
    dropped: float = 0.2
    """Part of the inner units that is left out in a step."""


@dataclass
class Examples:
    """Features of mouths, which are covered, how much each counts, and whose they are."""

    features: list[Array] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    person: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)

    def add(self, features: Array, covered: bool, weight: float, person: int, kind: str) -> None:
        """One more example."""
        self.features.append(features)
        self.covered.append(covered)
        self.weight.append(weight)
        self.person.append(person)
        self.kind.append(kind)


def toned(picture: Picture, random: np.random.Generator) -> Picture:
    """A picture [H, W, 3] as another camera or print shows it: grey, sepia, tinted, dark, blurred, grainy, JPEG."""
    out = picture.astype(np.float32) / 255
    kind = random.integers(8)
    if kind < 3:
        out = np.repeat((out @ np.array([0.3, 0.59, 0.11], np.float32))[..., None], 3, axis=2)
    if kind in (1, 2):
        out = out * np.array([1, random.uniform(0.8, 0.95), random.uniform(0.55, 0.85)])
    elif kind >= 4:
        out = out * random.uniform(0.8, 1.2, 3)
    out = (np.clip(out, 0, 1) ** random.uniform(0.6, 1.7)).astype(np.float32)
    if random.random() < 0.3:
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), random.uniform(0.5, 2.5)), np.float32)
    if random.random() < 0.3:
        out = out + random.normal(0, random.uniform(0.01, 0.06), out.shape).astype(np.float32)
    result = (np.clip(out, 0, 1) * 255).astype(np.uint8)
    if random.random() < 0.3:
        coded = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 80))])[1]
        result = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return result


def close(picture: Picture, mesh: Array, largest: int = 320) -> tuple[Picture, Array]:
    """A picture cut to its face, its sides at most `largest`, and the mesh [478, 3] in it."""
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    reach = 0.35 * (high - low).max()
    left, top = np.maximum(0, (low - reach).astype(int))
    right, bottom = np.minimum(picture.shape[1::-1], (high + reach).astype(int))
    part = picture[top:bottom, left:right]
    factor = min(1.0, largest / max(part.shape[:2]))
    part = np.asarray(cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    return part, ((mesh - [left, top, 0]) * factor).astype(np.float32)


def variants(
    picture: Picture, mesh: Array, others: list[Picture], count: int, random: np.random.Generator
) -> Iterator[tuple[Picture, Array, str, float]]:
    """Made pictures of one face: the picture, the true mesh, the cover's kind, and the part of the lips it hides."""
    for number in range(count):
        factor = random.uniform(0.35, 1.0) if random.random() < 0.5 else 1.0
        scaled = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
        here = mesh * np.float32(factor)
        if random.random() < 0.5:
            scaled, here = np.ascontiguousarray(scaled[:, ::-1]), mirrored(here, scaled.shape[1])
        kind = KINDS[number % len(KINDS)]
        if kind == "bare":
            yield toned(scaled, random), here, kind, 0.0
            continue
        if kind == "beard":
            yield toned(beard(scaled, here, others, random)[0], random), here, kind, 0.0
            continue
        made, opacity = COVERS[kind](scaled, here, others, random)
        if random.random() < 0.25:
            made, opacity = _beside(scaled, made, opacity, here, random)
        yield toned(made, random) if random.random() < 0.6 else made, here, kind, hidden(opacity, here)


def _beside(
    picture: Picture, made: Picture, opacity: Array, mesh: Array, random: np.random.Generator
) -> tuple[Picture, Array]:
    """A cover moved off the mouth, to cheek, chin or background."""
    width, height = np.ptp(mesh[:, 0]), np.ptp(mesh[:, 1])
    shift = random.uniform(0.5, 1.0) * width * random.choice([-1, 1]), random.uniform(0, 0.5) * height
    matrix = np.array([[1, 0, int(shift[0])], [0, 1, int(shift[1])]], np.float32)
    size = picture.shape[1::-1]
    moved = cv2.warpAffine(opacity, matrix, size)
    cloth = cv2.warpAffine(made, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    mixed = picture * (1 - moved[..., None]) + cloth * moved[..., None]
    return mixed.astype(np.uint8), np.asarray(moved, np.float32)


def from_portraits(files: list[Path], count: int) -> Examples:
    """Examples from portraits, each as it is and `count` times made over; the mesh is found anew on every picture."""
    tracker, network, found = FaceTracker(threads=1), FaceMesh(threads=1), Examples()
    pictures = [load_image(file) for file in files]

    def examples(person: int) -> list[tuple[Array, bool, float, int, str]]:
        random, picture = np.random.default_rng(person), pictures[person]
        mesh = tracker.locate(picture, name=files[person].name).mesh
        rows = [(mouth_features(picture, mesh), False, 3.0, person, "plain")]
        others = [pictures[i] for i in random.integers(len(pictures), size=6) if i != person]
        for made, true, kind, part in variants(*close(picture, mesh), others, count, random):
            seen, score = network(made, roi_from_mesh(true))
            seen, score = network(made, roi_from_mesh(seen))
            if score >= PRESENT and not BARE <= part <= HIDDEN:
                rows.append((mouth_features(made, seen), part > HIDDEN, 1.0, person, kind))
        return rows

    with ThreadPoolExecutor(WORKERS) as pool:
        for rows in pool.map(examples, range(len(pictures))):
            for row in rows:
                found.add(*row)
    return found


def add_clips(found: Examples, folder: Path, each: int = 4, frames: int = 15) -> None:
    """Bare mouths in speech: every fourth frame of up to `each` clips of a person of the catalogue's train split."""
    with (folder / "catalog.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
    people: dict[str, int] = {}
    tracker = FaceTracker(threads=1)
    for row in rows:
        number = people[row["identity"]] = people.get(row["identity"], 0) + 1
        if number > each:
            continue
        try:
            pictures = list(itertools.islice(VideoReader(folder / row["file"]).frames(0, 4 * frames), 0, None, 4))
        except SpeechheadError:
            continue
        for picture, face in zip(pictures, tracker.track(pictures)):
            if face is not None and face.score > 0.99:
                found.add(mouth_features(picture, face.mesh), False, 0.7, -len(people), "clip")


def fit(features: Array, covered: Array, weight: Array, settings: Fit | None = None, seed: int = 0) -> dict[str, Array]:
    """The network of `speechhead.face.covered`: one inner layer, trained by Adam on the weighted log loss.

    Parameters
    ----------
    features : float32 [N, F]; covered : float32 [N], 0 or 1; weight : float32 [N]
    """
    how = settings or Fit()
    random = np.random.default_rng(seed)
    mean, scale = features.mean(axis=0), features.std(axis=0) + np.float32(1e-3)
    known = np.clip((features - mean) / scale, -4, 4).astype(np.float32)
    count, width = known.shape
    values: list[Array] = [
        random.normal(0, width**-0.5, (width, how.hidden)).astype(np.float32),
        np.zeros(how.hidden, np.float32),
        random.normal(0, how.hidden**-0.5, how.hidden).astype(np.float32),
        np.zeros(1, np.float32),
    ]
    moments = [(np.zeros_like(v), np.zeros_like(v)) for v in values]
    batch = min(how.batch, count)
    steps = how.epochs * (count // batch)
    order = np.concatenate([random.permutation(count)[: count // batch * batch] for _ in range(how.epochs)])
    for step in range(steps):
        rows = order[step * batch : (step + 1) * batch]
        seen = known[rows] + random.normal(0, how.noise, (batch, width)).astype(np.float32)
        inner = np.tanh(seen @ values[0] + values[1])
        kept = ((random.random(inner.shape) >= how.dropped) / (1 - how.dropped)).astype(np.float32)
        odds = (inner * kept) @ values[2] + values[3]
        wanted = covered[rows] * 0.98 + 0.01  # a label may be wrong
        slope = ((1 / (1 + np.exp(-odds)) - wanted) * weight[rows] / batch).astype(np.float32)
        back = np.outer(slope, values[2]) * kept * (1 - inner**2)
        slopes = [seen.T @ back + how.decay * values[0], back.sum(axis=0)]
        slopes += [(inner * kept).T @ slope + how.decay * values[2], slope.sum(keepdims=True)]
        rate = how.rate * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        for value, (first, second), gradient in zip(values, moments, slopes):
            first += 0.1 * (gradient - first)
            second += 0.01 * (gradient**2 - second)
            size = np.sqrt(second / (1 - 0.99 ** (step + 1))) + 1e-8
            value -= (rate * first / (1 - 0.9 ** (step + 1)) / size).astype(np.float32)
    names = ("mean", "scale", "inner", "inner_bias", "outer")
    stored = dict(zip(names, (mean, scale, *values[:3]), strict=True))
    return stored | {"outer_bias": values[3][0]}


def main(
    portraits: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="folder of pictures of bare faces")],
    clips: Annotated[Path, typer.Option(help="folder of clips with its catalog.csv")],
    output: Annotated[Path, typer.Option("-o", "--output", help="npz file to write")],
    names: Annotated[
        Path | None, typer.Option(help="file of the portraits' names, one a line; all but those held out if left out")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="made pictures of each portrait")] = 21,
) -> None:
    """Make the examples, train, and write the network as float16."""
    found = names.read_text(encoding="utf-8").split() if names else sorted(p.name for p in portraits.glob("*.jpg"))
    files = [portraits / name for name in found if not held_out(name)]
    examples = from_portraits(files, count)
    add_clips(examples, clips)
    features, covered = np.stack(examples.features), np.array(examples.covered, np.float32)
    network = fit(features, covered, np.array(examples.weight, np.float32))
    np.savez_compressed(output, **{name: np.float16(value) for name, value in network.items()})
    print(f"{output}: {len(covered)} examples, {int(covered.sum())} of them covered")


app = command(main)


if __name__ == "__main__":
    app()
