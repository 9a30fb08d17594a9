"""Source and driver pairs of one person, with flow, windows and colours as the generator meets them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from pipelines.footage.shards import prepared_clips
from speechhead.face.landmarks import (
    MESH_REFERENCE,
    Pose,
    from_mesh,
    mouth_opening,
    remove_pose,
    to_normalised,
    to_pixels,
)
from speechhead.generators.meshwarp import MeshWarp, pixel_grid, sample
from speechhead.generators.windows import WINDOWS, near
from speechhead.landmarks2latents import CompactLatents

Array = NDArray[np.float32]

_MIRRORED = MESH_REFERENCE * np.float32([-1, 1, 1])
MIRROR = np.linalg.norm(_MIRRORED[:, None] - MESH_REFERENCE[None], axis=-1).argmin(1)
"""[478] the vertex on the other side of the face."""


@dataclass
class Clip:
    """One prepared clip: frames [T, S, S, 3] and its landmark arrays (see `pipelines.prepare`)."""

    frames: NDArray[np.uint8]
    mesh: Array
    index: NDArray[np.int64]
    open_first: NDArray[np.int64]
    """Rows in the order of falling mouth opening, so that open mouths can be drawn more often."""


def load_clips(folder: Path) -> list[Clip]:
    """All prepared clips of a folder, frames memory-mapped."""
    clips = []
    for frames, mesh, index, normalised in prepared_clips(folder):
        opening = mouth_opening(from_mesh(normalised))
        clips.append(Clip(frames, mesh, index, np.argsort(-opening)))
    return clips


def resize(image: NDArray, resolution: int) -> NDArray:
    """Square picture at another resolution, by area averaging when it shrinks."""
    return cv2.resize(image, (resolution, resolution), interpolation=cv2.INTER_AREA)


def chw(image: NDArray) -> Array:
    """[H, W, C] in 0..255 or flow to [C, H, W] float32; uint8 becomes 0..1."""
    scaled = image.astype(np.float32) / 255 if image.dtype == np.uint8 else image.astype(np.float32)
    return np.ascontiguousarray(scaled if scaled.ndim == 3 and scaled.shape[0] < 4 else scaled.transpose(2, 0, 1))


def recolour(random: np.random.Generator) -> NDArray[np.float32]:
    """A random colour change as (gain [3], gamma, saturation): light, film, black and white, paintings."""
    saturation = 0.0 if random.random() < 0.12 else random.uniform(0.6, 1.3)
    gain = random.uniform(0.75, 1.15) * random.uniform(0.9, 1.1, 3)
    return np.float32([*gain, np.exp(random.uniform(-0.3, 0.3)), saturation])


def apply_colour(image: NDArray[np.uint8], colour: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colour change on an RGB picture."""
    x = image.astype(np.float32) / 255
    grey = x @ np.float32([0.299, 0.587, 0.114])
    x = grey[..., None] + (x - grey[..., None]) * colour[4]
    x = np.clip(x, 0, 1) ** colour[3] * colour[:3]
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


class Pairs(IterableDataset):
    """Endless random (source, driver) pairs as dictionaries of arrays.

    source, driver [3, S, S]; small [3, M, M]; prior and rigid flow and coverage at M; prior_half [2, 128, 128] for
    the full picture; and per window: source_patch, source_shapes, target, shapes, grid (positions in the crop),
    prior (flow at those positions), motion.
    """

    def __init__(self, clips: list[Clip], latents: str | Path, resolution: int, seed: int) -> None:
        self.clips, self.latents, self.resolution, self.seed = clips, latents, resolution, seed

    def __iter__(self):
        import torch

        cv2.setNumThreads(0)
        worker = torch.utils.data.get_worker_info()
        random = np.random.default_rng((self.seed, worker.id if worker else 0))
        network = CompactLatents(Path(self.latents))
        lengths = np.sqrt([len(clip.mesh) for clip in self.clips])
        weights = lengths / lengths.sum()
        while True:
            clip = self.clips[random.choice(len(self.clips), p=weights)]
            count = len(clip.mesh)
            # Half of the drivers come from the third of frames with the widest mouth.
            driver = (
                clip.open_first[random.integers(count // 3 + 1)] if random.random() < 0.5 else random.integers(count)
            )
            # A third of the sources have a nearly closed mouth, as portraits have.
            source = (
                clip.open_first[-1 - random.integers(count // 3 + 1)]
                if random.random() < 0.4
                else random.integers(count)
            )
            yield make_pair(clip, int(source), int(driver), network, self.resolution, random)


def make_pair(
    clip: Clip, source: int, driver: int, network: CompactLatents, resolution: int, random: np.random.Generator | None
) -> dict[str, Array]:
    """One sample; without `random`, neither mirrored nor recoloured."""
    images = [np.asarray(clip.frames[clip.index[row]]) for row in (source, driver)]
    meshes = [clip.mesh[source], clip.mesh[driver]]
    size = images[0].shape[0]
    if random is not None:
        if random.random() < 0.5:
            images = [image[:, ::-1] for image in images]
            meshes = [(mesh * np.float32([-1, 1, 1]) + np.float32([size, 0, 0]))[MIRROR] for mesh in meshes]
        colour = recolour(random)
        images = [apply_colour(image, colour) for image in images]
    source_image, target = (np.ascontiguousarray(image) for image in images)
    landmarks, poses = remove_pose(from_mesh(np.stack(meshes)))
    canonical = to_normalised(meshes[0], poses[0])
    # The driver is met as at run time: 70 landmarks on this portrait's proportions, through Landmarks2Latents.
    keypoints = network.keypoints(landmarks[1:2], canonical)[0]
    return render_inputs(source_image, target, canonical, keypoints, poses[0], poses[1], resolution)


def render_inputs(
    source: NDArray[np.uint8],
    target: NDArray[np.uint8],
    canonical: Array,
    keypoints: Array,
    source_pose: Pose,
    pose: Pose,
    resolution: int,
) -> dict[str, Array]:
    """Everything the networks and losses need for one driven frame."""
    size = source.shape[0]
    warper = MeshWarp(canonical, source_pose, size)
    fine, coverage = warper.flow(keypoints, pose, 128)
    prior = cv2.resize(fine, (resolution, resolution), interpolation=cv2.INTER_AREA)
    matrix, offset = warper.rigid(pose)
    rigid = pixel_grid(resolution, resolution) @ matrix.T + offset
    item = {
        "source": chw(source),
        "driver": chw(resize(target, 128)),
        "small": chw(resize(source, resolution)),
        "prior": chw(prior),
        "rigid": chw(rigid),
        "coverage": resize(coverage, resolution)[None].astype(np.float32),
        "prior_half": chw(fine),
        "rigid_matrix": np.concatenate([matrix, offset[:, None]], 1).astype(np.float32),
    }
    posed, at_rest = to_pixels(keypoints, pose), to_pixels(canonical, source_pose)
    for name, window in WINDOWS.items():
        centre = window.centre(canonical)
        there = window.matrix(centre, pose, size)
        here = window.matrix(centre, source_pose, size)
        grid = window.grid(there)
        item[f"{name}_grid"] = chw(grid)
        item[f"{name}_prior"] = chw(sample(fine, grid - pixel_grid(window.height, window.width)))
        item[f"{name}_target"] = chw(patch(target, grid))
        shapes = item[f"{name}_shapes"] = window.shapes(posed, there, pose, size)
        item[f"{name}_edge"] = (window.edge() * (near(shapes[1]) if name == "mouth" else 1))[None]
        item[f"{name}_source"] = chw(patch(source, window.grid(here)))
        item[f"{name}_source_shapes"] = window.shapes(at_rest, here, source_pose, size)
        item[f"{name}_motion"] = window.motion(from_mesh(canonical), from_mesh(keypoints), source_pose, pose)
    return item


def patch(image: NDArray, grid: Array) -> NDArray:
    """Read `image` [H, W, C] at positions [h, w, 2] in [-1, 1]."""
    return sample(image, grid - pixel_grid(*grid.shape[:2]))
