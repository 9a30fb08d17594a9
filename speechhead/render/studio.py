"""A portrait's frames for editors: cut out, before another background, and their motion kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.controls import Controls
from speechhead.core.options import PORTRAIT_SIZE, RenderOptions
from speechhead.core.results import ResultOptions
from speechhead.face.landmarks import Pose
from speechhead.generators.open import chosen_generator
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.rest import rest_face

from .motion_log import MotionLog
from .stream import Renderer

if TYPE_CHECKING:
    from .cutout import Cutout


class StudioRenderer(Renderer):
    """Renders as `Renderer` does, and finishes the frames: what it gives out is what is written.

    Parameters
    ----------
    options : size and crop say what is shown
    results : what is behind the person, and which motion is kept
    """

    def __init__(
        self, avatar: Avatar, controls: Controls, options: RenderOptions, results: ResultOptions, fps: float
    ) -> None:
        self._crop = (options.size or PORTRAIT_SIZE) if options.crop else None
        generator: Generator = chosen_generator(options, avatar.size)
        super().__init__(avatar, controls, generator, options.speech2landmarks, paste=self._crop is None, fps=fps)
        self._cutout: Cutout | None = None
        if results.cut_out:
            from .cutout import Cutout

            self._cutout = Cutout(avatar, generator, self._crop, results.background)
        keeps = results.export_motion is not None or results.blendshapes is not None
        self.log = MotionLog(rest_face(avatar.neutral), avatar.pose.angles, fps, self._shown) if keeps else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames."""
        return (self._crop, self._crop) if self._crop else (self.avatar.picture.shape[1], self.avatar.picture.shape[0])

    def draw(self, face: Array, pose: Pose) -> NDArray[np.uint8]:
        """The finished picture of landmarks [70, 3] in a pose: [H, W, 3], or [H, W, 4] where it is transparent."""
        if self._cutout is not None:
            return self._cutout.cut(*self.generator.render_with_matte(self.source, face, pose))  # type: ignore[attr-defined]
        return super().draw(face, pose)

    @property
    def batched(self) -> bool:
        return self._cutout is None and super().batched

    def laid(self, frame: Picture) -> Picture:
        """A drawn crop as it is written: in its portrait, or the face alone at the video's size."""
        shown = super().laid(frame)
        return self.avatar.face(shown, self._crop) if self._crop else shown

    def _pictures(self, faces: Array, poses: Sequence[Pose]) -> Iterator[NDArray[np.uint8]]:
        if self.log is not None:
            self.log.add(faces[:, :70], poses)
        return super()._pictures(faces, poses)

    def _shown(self, points: Array) -> Array:
        """Points [70, 3] of the face crop in pixels of the frames."""
        left, top, side = self.avatar.box
        scale = side / self.avatar.size
        whole = points * scale + np.array([left, top, 0], np.float32)
        if not self._crop:
            return np.asarray(whole, np.float32)
        height, width = self.avatar.picture.shape[:2]
        inner = min(side, height, width)
        corner = [min(max(at + (side - inner) // 2, 0), most - inner) for at, most in ((left, width), (top, height))]
        return np.asarray((whole - np.array([*corner, 0])) * (self._crop / inner), np.float32)
