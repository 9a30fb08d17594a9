"""Folders of portraits to clips for the trainers, and endless pairs with exact flow."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from pipelines.data.held_out import held_out
from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError
from speechhead.face.landmarks import from_mesh, remove_pose, to_normalised
from speechhead.face.mesh import FaceMesh, roi_from_mesh
from speechhead.face.tracker import FaceTracker

from .flow import backward_flow
from .motion import SyntheticMotion, sample_motion
from .portrait import Portrait, Rig, prepare
from .render import Frame, HeadRenderer

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class PortraitRow:
    """A line of a portrait catalogue."""

    file: str
    source: str = ""
    licence: str = ""


def read_catalogue(folder: Path, licences: str = "") -> list[PortraitRow]:
    """Portraits of a folder to train on; with `licences`, those whose licence in `catalog.csv` has that text.

    Spaces and hyphens are the same, capitals do not count: `public-domain` finds "US public domain by age".
    Those of `pipelines.data.held_out` are left out.
    """
    listed: dict[str, PortraitRow] = {}
    catalogue = folder / "catalog.csv"
    if catalogue.is_file():
        with catalogue.open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                listed[row["file"]] = PortraitRow(row["file"], row.get("source", ""), row.get("licence", ""))
    files = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and not held_out(path))
    sources = [listed.get(name, PortraitRow(name)) for name in files]
    wanted = licences.lower().replace("-", " ")
    return [s for s in sources if wanted in s.licence.lower().replace("-", " ")]


def read_image(path: Path) -> NDArray[np.uint8]:
    """A picture file as uint8 [H, W, 3] RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FaceError(f"{path.name}: not a picture that can be read. Give JPEG, PNG or WebP.")
    return np.ascontiguousarray(image[..., ::-1])


def read_portraits(
    folder: Path, tracker: FaceTracker, licences: str = ""
) -> Iterator[tuple[PortraitRow, NDArray[np.uint8], Array]]:
    """Catalogue line, picture and tracked mesh [478, 3] of every portrait with a face."""
    for source in read_catalogue(folder, licences):
        image = read_image(folder / source.file)
        try:
            yield source, image, tracker.locate(image, name=source.file).mesh
        except FaceError:
            continue


def seed_of(name: str, seed: int) -> np.random.Generator:
    """Random numbers that depend on a portrait's name and a seed alone, not on its place in a folder."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def portrait_motion(portrait: Portrait, random: np.random.Generator, frames: int) -> SyntheticMotion:
    """A random motion that goes with a portrait's own pose and expression."""
    still = tuple(float(angle) for angle in portrait.angles)
    return sample_motion(portrait.rig.head, random, frames, still=still, own=portrait.fit.expression)


def write_clip(
    portrait: Portrait,
    renderer: HeadRenderer,
    stem: Path,
    frames: int,
    random: np.random.Generator,
    network: FaceMesh | None = None,
) -> None:
    """Write `<stem>.npy` and `<stem>.npz` as `pipelines.data.prepare` does: the photo, then `frames` drawn ones.

    The npz has `landmarks` [T, 68, 3] beside the usual arrays, the head model's own iBUG points in pixels. With a
    `network`, `mesh` is what it sees in the pictures, where that differs from the exact one by a pixel or two.
    """
    motion = portrait_motion(portrait, random, frames)
    drawn = [renderer.draw(portrait, motion, t) for t in range(frames)]
    still = renderer.still(portrait)
    pictures = np.stack([portrait.photo, *(frame.image for frame in drawn)])
    mesh = np.stack([portrait.mesh, *(frame.mesh for frame in drawn)]).astype(np.float32)
    if network is not None:
        mesh = np.stack([network(picture, roi_from_mesh(points))[0] for picture, points in zip(pictures, mesh)])
    _, poses = remove_pose(from_mesh(mesh))
    normalised = np.stack([to_normalised(points, pose) for pose, points in zip(poses, mesh)])
    np.savez(
        stem.with_suffix(".npz"),
        mesh=mesh,
        normalised=normalised.astype(np.float32),
        rotation=np.stack([pose.rotation for pose in poses]).astype(np.float32),
        translation=np.stack([pose.translation for pose in poses]).astype(np.float32),
        scale=np.array([pose.scale for pose in poses], np.float32),
        index=np.arange(len(mesh)),
        landmarks=np.stack([still.landmarks, *(frame.landmarks for frame in drawn)]).astype(np.float32),
    )
    store = open_memmap(stem.with_suffix(".npy"), "w+", np.uint8, pictures.shape)
    store[:] = pictures
    store.flush()


@dataclass(frozen=True)
class Pair:
    """Two drawn pictures of one portrait.

    source, driver : uint8 [S, S, 3]; source_mesh, driver_mesh : float32 [478, 3] px
    flow : float32 [S, S, 2], pixels of the source where each driver pixel comes from
    visible : bool [S, S], where the source shows it
    """

    source: NDArray[np.uint8]
    driver: NDArray[np.uint8]
    source_mesh: Array
    driver_mesh: Array
    flow: Array
    visible: NDArray[np.bool_]


class SyntheticPairs:
    """Endless random pairs from a folder of portraits.

    Parameters
    ----------
    face3d : folder of the head model; portraits : folder of pictures; licences : as in `read_catalogue`
    change : pairs drawn from one portrait before the next is taken, since a portrait takes half a second to prepare
    """

    def __init__(self, face3d: Path, portraits: Path, licences: str = "", seed: int = 0, change: int = 32) -> None:
        self.rig, self.seed, self.change = Rig.load(face3d), seed, change
        self.faces = list(read_portraits(portraits, FaceTracker(threads=1), licences))

    def __iter__(self) -> Iterator[Pair]:
        random = np.random.default_rng(self.seed)
        renderer = HeadRenderer()
        while True:
            source, image, mesh = self.faces[random.integers(len(self.faces))]
            try:
                portrait = prepare(self.rig, image, mesh, random, source.file)
            except FaceError:
                continue
            motion = portrait_motion(portrait, random, 2 * self.change)
            for t in range(self.change):
                frames = [renderer.draw(portrait, motion, k) for k in (t, t + self.change)]
                yield make_pair(portrait, *frames)


def make_pair(portrait: Portrait, source: Frame, driver: Frame) -> Pair:
    """A pair with the exact flow from driver to source."""
    flow, visible = backward_flow(portrait.rig, source, driver)
    return Pair(source.image, driver.image, source.mesh, driver.mesh, flow, visible)
