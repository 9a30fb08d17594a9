"""Source and driver pairs of one person, with flow, windows and colours as the generator meets them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from pipelines.data.footage.shards import prepared_clips
from speechhead.core.arrays import Array
from speechhead.core.smoothstep import smoothstep
from speechhead.face.landmarks import (
    Pose,
    from_mesh,
    mouth_opening,
    remove_pose,
    to_normalised,
)
from speechhead.face.mesh import SIDE, crop, crop_matrix, roi_from_mesh
from speechhead.face.mirror import mirrored
from speechhead.generators.compact.latents import CompactLatents
from speechhead.generators.compact.lips import MARGIN, LipSheets
from speechhead.generators.compact.meshwarp import MeshWarp, places
from speechhead.generators.compact.mouth_light import softness
from speechhead.generators.compact.plate import dense
from speechhead.generators.compact.rest_plate import RestPlate, RestPlates
from speechhead.generators.compact.shown import (
    PRIOR_RESOLUTION,
    frame_inputs,
    portrait_inputs,
    read,
    shut,
    with_lips,
    with_lips_shut,
    without_smile,
)
from speechhead.generators.compact.teeth import ARCHES
from speechhead.generators.compact.windows import WINDOWS
from speechhead.motion.blink import LID_PAIRS

from .colours import apply_colour, light_from, other_iris, recolour, side_light, with_iris

AJAR = (0.012, 0.07)
"""Lip openings, in outer eye distances, that are drawn more often: a dark line or a tooth, which L1 hardly sees."""

BLINKING = (0.12, 0.2)
"""Closures of an eye beside the source's between which it is no longer the networks that draw it but a lid."""


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


class CompactPairs(Dataset[dict[str, Array]]):
    """Random (source, driver) pairs as dictionaries of arrays, see `window_inputs`.

    Pair number n is the same whenever and in whichever process it is drawn: training can stop and go on at any step.

    Parameters
    ----------
    clips : of `load_prepared_clips`; weights : how often each is drawn
    latents : Landmarks2Latents' ONNX file
    """

    def __init__(
        self,
        clips: list[PreparedClip],
        weights: list[float],
        latents: str | Path,
        seed: int,
    ) -> None:
        self.clips, self.weights = clips, np.array(weights) / np.sum(weights)
        self.latents, self.seed = latents, seed
        self._maker: PairMaker | None = None  # of this process

    def __getitem__(self, number: int) -> dict[str, Array]:
        if self._maker is None:
            cv2.setNumThreads(0)
            self._maker = PairMaker(self.latents)
        random = np.random.default_rng((self.seed, number))
        clip = self.clips[random.choice(len(self.clips), p=self.weights)]
        return self._maker(clip, *choose(clip, random), random)


def choose(clip: PreparedClip, random: np.random.Generator) -> tuple[int, int]:
    """Rows of a source and of a driver."""
    count = len(clip.mesh)
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
    """Makes samples of the windows."""

    def __init__(self, latents: str | Path) -> None:
        self.network = CompactLatents(Path(latents))
        self._smiles = RestPlates()

    def __call__(
        self, clip: PreparedClip, source: int, driver: int, random: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """One sample; without `random`, neither mirrored nor recoloured."""
        images = [np.asarray(clip.frames[clip.index[row]]) for row in (source, driver)]
        meshes = [clip.mesh[source], clip.mesh[driver]]
        size = images[0].shape[0]
        if random is not None and random.random() < 0.5:
            images = [image[:, ::-1] for image in images]
            meshes = [mirrored(mesh, size) for mesh in meshes]
        images = [np.ascontiguousarray(image) for image in images]
        landmarks, poses = remove_pose(from_mesh(np.stack(meshes)))
        if random is not None:
            iris, side, colour = other_iris(random), side_light(random), recolour(random)
            if iris is not None:
                images = [with_iris(*seen, iris) for seen in zip(images, meshes, poses)]
            if side is not None:
                images = [light_from(image, side) for image in images]
            images = [apply_colour(image, colour) for image in images]
        canonical = to_normalised(meshes[0], poses[0])
        # The driver is met as at run time: 70 landmarks on this portrait's proportions, through Landmarks2Latents.
        keypoints = self.network.keypoints(landmarks[1:2], canonical)[0]
        driven = Driven(images[0], images[1], canonical, keypoints, poses[0], poses[1])
        smile = self._smiles.prepare(images[0], meshes[0], canonical, poses[0])
        return window_inputs(driven, self.network, meshes[0], meshes[1], smile)


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


def window_inputs(
    driven: Driven, latents: CompactLatents, own: Array, mesh: Array, smile: RestPlate | None = None
) -> dict[str, Array]:
    """What the window networks and their losses need for one driven frame.

    Per window what they are shown of the portrait and of the frame (`speechhead.generators.compact.shown`): source,
    source_shapes, warped, shapes, motion; target, the truth; edge, how much of what they paint is laid over the frame,
    and judged, where they are judged: the same but for the window's border. Eyes are judged where the networks draw
    them at run time, open. And face [3, 192, 192], the true picture as the face mesh network sees it, and per window
    the affine map [2, 3] from pixels of that to the window's [-1, 1].

    Parameters
    ----------
    own, mesh : float32 [478, 3] in pixels, of the source and of the target; smile : of the source
    """
    size, pose, warper = driven.source.shape[0], driven.pose, driven.warper
    soft = ARCHES.lens * softness(driven.source, own, driven.source_pose.scale) / driven.source_pose.scale
    lips = LipSheets.prepare(driven.source, own, driven.source_pose, soft)
    closed = shut(latents, driven.canonical, lips.plate.parted)
    shown = portrait_inputs(
        with_lips_shut(driven.source, closed, lips, warper, smile), closed, driven.canonical, driven.source_pose
    )
    flow, _ = warper.flow(driven.keypoints, pose, PRIOR_RESOLUTION)
    frame = with_lips(person(driven, own, flow), lips, driven.keypoints, pose)
    frame = without_smile(frame, smile, flow, driven.keypoints, pose)
    inputs, matrices = frame_inputs(frame, driven.canonical, driven.keypoints, pose)
    roi = roi_from_mesh(mesh)
    item = shown | inputs | {"face": chw(crop(driven.target, roi))}
    seen = np.concatenate([crop_matrix(roi, SIDE), [[0, 0, 1]]])  # to pixels of the picture
    before, driving = from_mesh(closed), from_mesh(driven.keypoints)
    for name, window in WINDOWS.items():
        there = matrices[name]
        judged = window.reach(inputs[f"{name}_shapes"])
        if name == "eyes":
            judged = judged * openness(before, driving)
        item[f"{name}_target"] = chw(read(driven.target, window.grid(there)))
        item[f"{name}_judged"], item[f"{name}_edge"] = judged[None], (judged * window.edge())[None]
        item[f"{name}_motion"] = window.motion(before, driving, driven.source_pose, pose)
        # pixel p of the picture lies at (p + 0.5) * 2 / size - 1 of the crop
        inverse = np.linalg.inv(there[:, :2])
        from_centre = np.column_stack([np.eye(2) * (2 / size), 1 / size - 1 - there[:, 2]])
        item[f"{name}_seen"] = (inverse @ from_centre @ seen).astype(np.float32)
    return item


def person(driven: Driven, own: Array, flow: Array) -> NDArray[np.uint8]:
    """The source [S, S, 3] through its landmark warp, as `Layers.moved` shows the person on the face."""
    size, margin = driven.source.shape[0], MARGIN * driven.source_pose.scale
    x0, y0 = np.maximum(np.floor(own[:, :2].min(0) - margin), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(own[:, :2].max(0) + margin), size).astype(int)
    face = dense(driven.source[y0:y1, x0:x1].astype(np.float32), size)
    density = face.shape[0] // int(y1 - y0)
    whole = np.asarray(
        cv2.warpAffine(
            driven.source,
            np.array([[1 / density, 0, 0], [0, 1 / density, 0]], np.float32),
            (density * size, density * size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
    whole[density * y0 : density * y1, density * x0 : density * x1] = face
    x, y = places(flow, size, size, density)
    return np.asarray(cv2.remap(whole, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def openness(source: Array, driving: Array) -> float:
    """1 where neither eye of the driving landmarks [70, 3] is further closed than the networks draw, to 0; both in
    normalised space."""
    openings = [np.array([face[low, 1] - face[up, 1] for up, low in LID_PAIRS]) for face in (source, driving)]
    before, now = (np.maximum(opening.reshape(2, 2).sum(1), 1e-3) for opening in openings)
    return float(1 - smoothstep(float((1 - now / before).max()), *BLINKING))


def planar(image: Array) -> Array:
    """[H, W, C] to [C, H, W]."""
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
