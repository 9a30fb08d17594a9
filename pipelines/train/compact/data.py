"""Source and driver pairs of one person, with flow, windows and colours as the generator meets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from pipelines.data.footage.shards import prepared_clips
from speechhead.core.arrays import Array
from speechhead.face.landmarks import (
    Pose,
    from_mesh,
    mouth_opening,
    remove_pose,
    to_normalised,
    to_pixels,
)
from speechhead.face.mesh import SIDE, crop, crop_matrix, roi_from_mesh
from speechhead.face.mirror import mirrored
from speechhead.generators.compact.latents import CompactLatents
from speechhead.generators.compact.matte import Matte
from speechhead.generators.compact.meshwarp import MeshWarp, on_face, pixel_grid, sample
from speechhead.generators.compact.windows import WINDOWS, near

AJAR = (0.012, 0.07)
"""Lip openings, in outer eye distances, that are drawn more often: a dark line or a tooth, which L1 hardly sees."""

SOURCES = 8
"""Frames of a clip that serve as sources of whole pictures, as cutting them out takes longer than all the rest."""


@dataclass
class PreparedClip:
    """One prepared clip: frames [T, S, S, 3] and its landmark arrays (see `pipelines.data.prepare`)."""

    frames: NDArray[np.uint8]
    mesh: Array
    index: NDArray[np.int64]
    open_first: NDArray[np.int64]
    """Rows in the order of falling mouth opening, so that open mouths can be drawn more often."""
    ajar: NDArray[np.int64]
    """Rows in which the lips are a little apart (`AJAR`)."""
    mattes: dict[int, tuple[Array, NDArray[np.uint8]]] = field(default_factory=dict)
    """Matte and background of the rows that were sources."""


def load_prepared_clips(folder: Path) -> list[PreparedClip]:
    """All prepared clips of a folder, frames memory-mapped."""
    clips = []
    for frames, mesh, index, normalised in prepared_clips(folder):
        opening = mouth_opening(from_mesh(normalised))
        ajar = np.flatnonzero((opening > AJAR[0]) & (opening < AJAR[1]))
        clips.append(PreparedClip(frames, mesh, index, np.argsort(-opening), ajar))
    return clips


def resize(image: NDArray[Any], resolution: int) -> NDArray[Any]:
    """Square picture at another resolution, by area averaging when it shrinks."""
    return cv2.resize(image, (resolution, resolution), interpolation=cv2.INTER_AREA)


def chw(image: NDArray[Any]) -> Array:
    """[H, W, C] in 0..255 or flow to [C, H, W] float32; uint8 becomes 0..1."""
    scaled = image.astype(np.float32) / 255 if image.dtype == np.uint8 else image.astype(np.float32)
    return np.ascontiguousarray(scaled if scaled.ndim == 3 and scaled.shape[0] < 4 else scaled.transpose(2, 0, 1))


def recolour(random: np.random.Generator) -> NDArray[np.float32]:
    """A random colour change as (gain [3], gamma, saturation): light, film, black and white, paintings."""
    saturation = 0.0 if random.random() < 0.12 else random.uniform(0.6, 1.3)
    gain = random.uniform(0.75, 1.15) * random.uniform(0.9, 1.1, 3)
    return np.array([*gain, np.exp(random.uniform(-0.3, 0.3)), saturation], np.float32)


def apply_colour(image: NDArray[np.uint8], colour: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colour change on an RGB picture: saturation, then gamma and gain by a table."""
    grey = np.array([0.299, 0.587, 0.114], np.float32)
    mixed = cv2.transform(image, (1 - colour[4]) * np.tile(grey, (3, 1)) + colour[4] * np.eye(3, dtype=np.float32))
    levels = (np.arange(256, dtype=np.float32) / 255)[:, None] ** colour[3] * colour[:3]
    table = (np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return np.asarray(cv2.LUT(mixed, table[None]), np.uint8)


class CompactPairs(IterableDataset[dict[str, Array]]):
    """Endless random (source, driver) pairs as dictionaries of arrays: see `window_inputs` and `motion_inputs`.

    Parameters
    ----------
    clips : of `load_prepared_clips`; weights : how often each is drawn
    latents : Landmarks2Latents' ONNX file; resolution : of the dense motion field
    part : "windows" or "motion"
    """

    def __init__(
        self,
        clips: list[PreparedClip],
        weights: list[float],
        latents: str | Path,
        resolution: int,
        seed: int,
        part: str,
    ) -> None:
        self.clips, self.weights = clips, np.array(weights) / np.sum(weights)
        self.latents, self.resolution, self.seed, self.part = latents, resolution, seed, part

    def __iter__(self) -> Iterator[dict[str, Array]]:
        import torch

        cv2.setNumThreads(0)
        worker = torch.utils.data.get_worker_info()
        random = np.random.default_rng((self.seed, worker.id if worker else 0))
        maker = PairMaker(self.latents, self.resolution, self.part)
        while True:
            clip = self.clips[random.choice(len(self.clips), p=self.weights)]
            yield maker(clip, *choose(clip, random, self.part), random)


def choose(clip: PreparedClip, random: np.random.Generator, part: str) -> tuple[int, int]:
    """Rows of a source and of a driver."""
    count = len(clip.mesh)
    if part == "motion":
        return int(np.linspace(0, count - 1, SOURCES)[random.integers(SOURCES)]), int(random.integers(count))
    # The widest mouths, which are rare, and those slightly open make up most of the drivers.
    kind = random.random()
    if kind < 0.2:
        driver = clip.open_first[random.integers(count // 16 + 1)]
    elif kind < 0.45:
        driver = clip.open_first[random.integers(count // 3 + 1)]
    elif kind < 0.7 and len(clip.ajar):
        driver = random.choice(clip.ajar)
    else:
        driver = random.integers(count)
    # Many of the sources have a nearly closed mouth, as portraits have.
    nearly_closed = random.random() < 0.4
    source = clip.open_first[-1 - random.integers(count // 3 + 1)] if nearly_closed else random.integers(count)
    return int(source), int(driver)


class PairMaker:
    """Makes samples of one part of the generator."""

    def __init__(self, latents: str | Path, resolution: int, part: str) -> None:
        self.network, self.resolution, self.part = CompactLatents(Path(latents)), resolution, part
        self._matte = Matte(threads=1) if part == "motion" else None

    def __call__(
        self, clip: PreparedClip, source: int, driver: int, random: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """One sample; without `random`, neither mirrored nor recoloured."""
        images = [np.asarray(clip.frames[clip.index[row]]) for row in (source, driver)]
        meshes = [clip.mesh[source], clip.mesh[driver]]
        alpha: Array | None = None
        if self._matte is not None:
            if source not in clip.mattes:
                layers = self._matte(np.ascontiguousarray(images[0]), meshes[0])
                clip.mattes[source] = layers.alpha.astype(np.float16), layers.background.astype(np.uint8)
            alpha = clip.mattes[source][0].astype(np.float32)
            images.append(clip.mattes[source][1])
        size = images[0].shape[0]
        if random is not None:
            if random.random() < 0.5:
                images = [image[:, ::-1] for image in images]
                meshes = [mirrored(mesh, size) for mesh in meshes]
                alpha = None if alpha is None else alpha[:, ::-1]
            colour = recolour(random)
            images = [apply_colour(image, colour) for image in images]
        images = [np.ascontiguousarray(image) for image in images]
        landmarks, poses = remove_pose(from_mesh(np.stack(meshes)))
        canonical = to_normalised(meshes[0], poses[0])
        # The driver is met as at run time: 70 landmarks on this portrait's proportions, through Landmarks2Latents.
        keypoints = self.network.keypoints(landmarks[1:2], canonical)[0]
        driven = Driven(images[0], images[1], canonical, keypoints, poses[0], poses[1])
        if alpha is None:
            return window_inputs(driven, meshes[1])
        return motion_inputs(driven, np.ascontiguousarray(alpha), images[2], self.resolution)


@dataclass
class Driven:
    """A portrait and what it is to become: pictures uint8 [S, S, 3], keypoints [478, 3] in normalised space."""

    source: NDArray[np.uint8]
    target: NDArray[np.uint8]
    canonical: Array
    keypoints: Array
    source_pose: Pose
    pose: Pose

    @property
    def warper(self) -> MeshWarp:
        """The landmark warp of the portrait."""
        return MeshWarp(self.canonical, self.source_pose, self.source.shape[0])


def motion_inputs(driven: Driven, alpha: Array, background: NDArray[np.uint8], resolution: int) -> dict[str, Array]:
    """What dense motion and its losses need for one driven frame.

    At the motion's resolution M: prior and rigid flow, coverage, source and warped [4, M, M] (picture and matte); for
    the picture at 128: prior_half, inside (where the landmark warp stands as it is), background, driver; and layers
    [4, S, S]: the person's premultiplied colours and matte.
    """
    m = (resolution, resolution)
    fine, coverage = driven.warper.flow(driven.keypoints, driven.pose, 128)
    matrix, offset = driven.warper.rigid(driven.pose)
    prior = np.asarray(cv2.resize(fine, m, interpolation=cv2.INTER_AREA), np.float32)
    small = resize(np.dstack([driven.source.astype(np.float32) / 255, alpha]), resolution)
    person = driven.source.astype(np.float32) - (1 - alpha[..., None]) * background
    return {
        "prior": chw(prior),
        "rigid": chw(np.asarray(pixel_grid(*m) @ matrix.T + offset, np.float32)),
        "coverage": resize(coverage, resolution)[None].astype(np.float32),
        "small": planar(small),
        "warped": planar(sample(small, prior)),
        "prior_half": chw(fine),
        "inside": on_face(coverage)[None],
        "rigid_matrix": np.concatenate([matrix, offset[:, None]], 1).astype(np.float32),
        "layers": planar(np.dstack([person / 255, alpha])),
        "background": chw(resize(background, 128)),
        "driver": chw(resize(driven.target, 128)),
    }


def window_inputs(driven: Driven, mesh: Array) -> dict[str, Array]:
    """What the window networks and their losses need for one driven frame.

    Per window: warped [3, h, w] (the portrait through the landmark warp), shapes, motion, target, edge, and the
    portrait's own source and source_shapes; face [3, 192, 192], the true picture as the face mesh network sees it,
    and per window the affine map [2, 3] from pixels of that to the window's [-1, 1].
    """
    size, pose = driven.source.shape[0], driven.pose
    fine, _ = driven.warper.flow(driven.keypoints, pose, 128)
    posed, at_rest = to_pixels(driven.keypoints, pose), to_pixels(driven.canonical, driven.source_pose)
    roi = roi_from_mesh(mesh)
    item = {"face": chw(crop(driven.target, roi))}
    seen = np.concatenate([crop_matrix(roi, SIDE), [[0, 0, 1]]])  # to pixels of the picture
    for name, window in WINDOWS.items():
        centre = window.centre(driven.canonical)
        there = window.matrix(centre, pose, size)
        here = window.matrix(centre, driven.source_pose, size)
        grid = window.grid(there)
        item[f"{name}_warped"] = chw(patch(driven.source, grid + sample(fine, grid - pixel_grid(*grid.shape[:2]))))
        item[f"{name}_target"] = chw(patch(driven.target, grid))
        shapes = item[f"{name}_shapes"] = window.shapes(posed, there, pose, size)
        item[f"{name}_edge"] = (window.edge() * (near(shapes[1]) if name == "mouth" else 1))[None]
        item[f"{name}_source"] = chw(patch(driven.source, window.grid(here)))
        item[f"{name}_source_shapes"] = window.shapes(at_rest, here, driven.source_pose, size)
        item[f"{name}_motion"] = window.motion(
            from_mesh(driven.canonical), from_mesh(driven.keypoints), driven.source_pose, pose
        )
        # pixel p of the picture lies at (p + 0.5) * 2 / size - 1 of the crop
        inverse = np.linalg.inv(there[:, :2])
        from_centre = np.column_stack([np.eye(2) * (2 / size), 1 / size - 1 - there[:, 2]])
        item[f"{name}_seen"] = (inverse @ from_centre @ seen).astype(np.float32)
    return item


def planar(image: Array) -> Array:
    """[H, W, C] to [C, H, W]."""
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)


def patch(image: NDArray[Any], grid: Array) -> NDArray[Any]:
    """Read `image` [H, W, C] at positions [h, w, 2] in [-1, 1]."""
    return sample(image, np.asarray(grid - pixel_grid(*grid.shape[:2]), np.float32))
