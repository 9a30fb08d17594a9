"""What is evaluated: the generator driven by a clip's own landmarks, and by its sound."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.controls import Controls
from speechhead.face.crop import CROP_EYES
from speechhead.face.landmarks import Pose
from speechhead.face.smoothing import with_calm_poses
from speechhead.generators.compact.matte import Matte
from speechhead.generators.protocol import Generator, ListeningGenerator
from speechhead.motion.compose import Motion
from speechhead.motion.surroundings import Surroundings

from .clips import JudgedClip
from .performers import WholeSpeech
from .picture import Frames

LIPS_ONLY = Controls(mouth_amplitude=1.0, head="retained", temperament=0.0, idle=False, blink_rate=0.0, look_away=0.0)
"""Controls under which the lips are compared with the truth: its amplitude, and nothing but speech moving."""


BESIDE = 0.06
"""Parts of the picture's side that the background keeps away from the person of the first frame."""


def background(clip: JudgedClip) -> NDArray[np.bool_]:
    """Where the first frame shows nothing of the person, [H, W]."""
    height, width = clip.frames.shape[1:3]
    side = max(height, width)
    square = cv2.copyMakeBorder(clip.frames[0], 0, side - height, 0, side - width, cv2.BORDER_REPLICATE)
    person = (Matte(threads=1).alpha(np.asarray(square, np.uint8), clip.truth.mesh[0]) > 0.02).astype(np.uint8)
    reach = 2 * round(BESIDE * side) + 1
    near = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return np.asarray(near[:height, :width] == 0, bool)


def crop_pose(pose: Pose, x0: float, y0: float, factor: float) -> Pose:
    """A pose in picture pixels as one in the pixels of a crop with corner (x0, y0), scaled by `factor`."""
    translation = (pose.translation - np.array([x0, y0, 0], np.float32)) * np.float32(factor)
    return Pose(pose.rotation, translation, pose.scale * factor)


def native_size(clip: JudgedClip) -> int:
    """Side in pixels, even, at which a clip's face crop is neither enlarged nor reduced."""
    return max(64, round(clip.truth.poses[0].scale * CROP_EYES / 2) * 2)


class Rendered:
    """The first frame of a clip as an avatar, rendered at clip resolution.

    Parameters
    ----------
    clip : the person
    generator : see `speechhead.generators.protocol.Generator`
    size : side of the face crop in pixels
    """

    def __init__(self, clip: JudgedClip, generator: Generator, size: int) -> None:
        self.generator = generator
        self.avatar = Avatar.from_face(clip.frames[0], clip.truth.mesh[0], size, shrink=False)
        self.source = self.avatar.source(generator)
        self.surroundings = generator.surroundings if isinstance(generator, ListeningGenerator) else None

    def frames(self, normalised: Array, poses: Sequence[Pose]) -> Frames:
        """Full pictures [T, H, W, 3] for normalised faces [T, 70, 3] under poses in pixels of the clip."""
        left, top, side = self.avatar.box
        factor = self.avatar.size / side
        pictures = []
        for face, pose in zip(normalised, poses):
            frame = self.generator.render(self.source, face, crop_pose(pose, left, top, factor))
            pictures.append(self.avatar.paste(frame))
        return np.stack(pictures)


def reenacted(clip: JudgedClip, rendered: Rendered) -> Frames:
    """The clip remade from its first frame by its own landmarks, under calm poses: uint8 [T, H, W, 3]."""
    faces, poses = with_calm_poses(clip.truth.normalised, clip.truth.poses)
    if rendered.surroundings is not None:
        silence = np.zeros(0, np.float32)
        faces = rendered.surroundings.around(faces, silence if clip.audio is None else clip.audio)
    return rendered.frames(faces, poses)


def spoken(
    clip: JudgedClip, speech: WholeSpeech, controls: Controls, surroundings: Surroundings | None = None
) -> tuple[Array, list[Pose]]:
    """Landmarks [T, 70, 3] and poses (pixels of the clip) that the clip's sound gives the person of its first frame.

    With `surroundings` faces have its rows too.
    """
    assert clip.audio is not None
    motion = Motion(clip.truth.normalised[0], clip.truth.poses[0], controls, surroundings)
    displacement = speech.whole(clip.audio, neutral=motion.rest)
    return motion.step(displacement, clip.audio)
