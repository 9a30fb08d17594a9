"""Finding the face of a portrait, and following it through a video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from speechhead.core.arrays import Array
from speechhead.core.errors import FaceError, NoFaceError
from speechhead.media.image import Picture

from .detector import Detection, FaceDetector
from .landmarks import Pose, from_mesh, remove_pose
from .mesh import FaceMesh, Roi, roi_from_box, roi_from_mesh

SMALLEST_FACE = 64
"""Longer side in pixels that a face needs."""
LARGEST_YAW = 50.0
"""Degrees; beyond it one eye and half the mouth are hidden."""
PRESENT = 0.5
"""Mesh confidence above which there is a face."""
_SETTLE = 3  # mesh passes on a still, each in the crop that the last one gives
_ROI_MEMORY = 0.5  # of the last crop: the mesh depends a little on its crop, so a calm crop gives calm points
_ROI_JUMP = 0.12  # of the crop's side; a larger move means that the crop was wrong for this frame


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    mesh : float32 [478, 3] px (468 vertices, irises at 468-472 for the eye at image left and 473-477);
    score : [0, 1]; box : [4] x0, y0, x1, y1 px round the mesh; candidates : faces in the picture.
    """

    mesh: Array
    score: float
    box: Array
    candidates: int = 1

    @property
    def landmarks(self) -> Array:
        """The 70 landmarks [70, 3] in pixels."""
        return from_mesh(self.mesh)

    @property
    def pose(self) -> Pose:
        """Rotation, translation and scale of the head in this picture."""
        return remove_pose(self.landmarks[None])[1][0]

    @property
    def side(self) -> float:
        """Longer side of the box in pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


class MeshFinder(Protocol):
    """What finds the mesh of a face in a square of a picture: `FaceMesh`, or the adapter of face-alignment."""

    def __call__(self, image: Picture, roi: Roi) -> tuple[Array, float]:
        """Mesh [478, 3] in pixels of an RGB picture [H, W, 3], and how sure it is that there is a face, 0..1."""
        ...


class FaceTracker:
    """Detector and mesh together.

    Parameters
    ----------
    smooth : calm the tracked points (see `smoothing`); the values stay causal
    threads : of each network call; all cores if None
    mesh : finds the mesh; the shipped network if None
    """

    def __init__(self, smooth: bool = False, threads: int | None = None, mesh: MeshFinder | None = None) -> None:
        self._detector = FaceDetector(threads)
        self._mesh: MeshFinder = mesh or FaceMesh(threads)
        self._smooth = smooth

    def faces(self, image: Picture, zoom: bool = True) -> list[Face]:
        """Every face of a picture whose mesh is confident, largest first (any size, any pose).

        zoom : look for small ones too
        """
        faces = self._meshes(image, self._detector.detect(image, zoom))
        return [Face(f.mesh, f.score, f.box, len(faces)) for f in faces]

    def landmarks(self, image: Picture) -> list[Array]:
        """Landmarks [70, 3] px of every face, largest first."""
        return [face.landmarks for face in self.faces(image)]

    def locate(self, image: Picture, face: int | None = None, name: str = "picture") -> Face:
        """The face of a portrait.

        Parameters
        ----------
        image : uint8 [H, W, 3] RGB
        face : which one, 1 for the largest, 2 for the next ...; the largest if None
        name : of the picture, for messages

        Returns
        -------
        Face; `candidates` says how many there were.

        Raises
        ------
        NoFaceError if there is none, or it is too small; FaceError if it is turned too far, or `face` does not exist.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise FaceError(f"{name}: array {image.dtype} {image.shape} is not a picture. Give uint8 [H, W, 3] RGB.")
        detections = self._detector.detect(image)
        faces = self._meshes(image, detections)
        large = [f for f in faces if f.side >= SMALLEST_FACE]
        if not large:
            sides = [f.side for f in faces] or [d.side for d in detections]
            found = f" (largest candidate {max(sides):.0f} px, need {SMALLEST_FACE})" if sides else ""
            raise NoFaceError(f"{name}: no face found{found}. Crop closer or use a larger, frontal picture.")
        number = 1 if face is None else face
        if not 1 <= number <= len(large):
            count = "1 face" if len(large) == 1 else f"{len(large)} faces"
            chosen_from = f"the picture has {count}. Use 1 to {len(large)}, largest first."
            raise FaceError(f"{name}: --face {number}, but {chosen_from}")
        chosen = large[number - 1]
        yaw = chosen.pose.angles[0]
        if abs(yaw) > LARGEST_YAW:
            side = "right" if yaw > 0 else "left"
            raise FaceError(
                f"{name}: the face is turned {abs(yaw):.0f} degrees to the {side} (at most {LARGEST_YAW:.0f})."
                " Use a picture that shows both eyes."
            )
        return Face(chosen.mesh, chosen.score, chosen.box, len(large))

    def track(self, frames: Iterable[Picture]) -> Iterator[Face | None]:
        """Follow one face through a video: the largest of the first frame that has one.

        Parameters
        ----------
        frames : uint8 [H, W, 3] RGB pictures of one size

        Yields
        ------
        Face per frame, or None where it is lost.
        """
        from .smoothing import LandmarkFilter

        roi: Roi | None = None
        calm = LandmarkFilter() if self._smooth else None
        for image in frames:
            face = self.follow(image, roi) if roi is not None else None
            if face is None:
                found = self._meshes(image, self._detector.detect(image, zoom=roi is None))
                face = found[0] if found else None
                roi = roi_from_mesh(face.mesh) if face else roi
                if calm:
                    calm.reset()
            else:
                assert roi is not None
                roi = next_roi(roi, roi_from_mesh(face.mesh))
            if face is None:
                roi = None
                yield None
                continue
            yield _face(calm(face.mesh), face.score) if calm else face

    def follow(self, image: Picture, roi: Roi) -> Face | None:
        """The face in the crop of the last frame, looked at again where it has moved far."""
        mesh, score = self._mesh(image, roi)
        if score >= PRESENT and _moved(roi, roi_from_mesh(mesh)):
            mesh, score = self._mesh(image, roi_from_mesh(mesh))
        return _face(mesh, score) if score >= PRESENT else None

    def _meshes(self, image: Picture, detections: list[Detection]) -> list[Face]:
        """Confident faces of the detections, largest first, each counted once."""
        faces: list[Face] = []
        for detection in detections:
            roi = roi_from_box(detection.box, detection.keypoints[0], detection.keypoints[1])
            for look in range(_SETTLE):
                mesh, score = self._mesh(image, roi)
                if look and score < PRESENT:  # the first crop comes from a coarse box, and earns a second look
                    break
                roi = roi_from_mesh(mesh)
            if score >= PRESENT:
                faces.append(_face(mesh, score))
        faces.sort(key=lambda f: -f.side)
        unique: list[Face] = []
        for face in faces:
            centres = [np.abs(f.mesh[4, :2] - face.mesh[4, :2]).max() < 0.25 * f.side for f in unique]
            if not any(centres):
                unique.append(face)
        return unique


def _face(mesh: Array, score: float) -> Face:
    """Face with its box."""
    box = np.concatenate([mesh[:468, :2].min(axis=0), mesh[:468, :2].max(axis=0)])
    return Face(mesh, score, box.astype(np.float32))


def _moved(old: Roi, new: Roi) -> bool:
    """Whether a crop is too far from where the face turned out to be."""
    shift = max(abs(old.x - new.x), abs(old.y - new.y))
    turn = abs(np.angle(np.exp(1j * (old.angle - new.angle))))
    return bool(shift > _ROI_JUMP * old.side or abs(np.log(new.side / old.side)) > _ROI_JUMP or turn > 2 * _ROI_JUMP)


def next_roi(old: Roi, new: Roi) -> Roi:
    """Crop for the next frame: half way to the newest one, or all the way after a jump."""
    if _moved(old, new):
        return new
    keep, take = _ROI_MEMORY, 1 - _ROI_MEMORY
    turn = float(np.angle(np.exp(1j * (new.angle - old.angle))))
    return Roi(
        keep * old.x + take * new.x,
        keep * old.y + take * new.y,
        keep * old.side + take * new.side,
        old.angle + take * turn,
    )
