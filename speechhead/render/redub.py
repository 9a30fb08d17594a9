"""A video made to say something else: its own head motion and eyes, mouth and jaw from new sound."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.face import LIMITS
from speechhead.avatar.named import named_portraits
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.core.controls import Controls
from speechhead.core.errors import FaceError
from speechhead.core.film_options import FilmOptions
from speechhead.core.options import SIZES, Progress, RenderOptions
from speechhead.core.smoothstep import eased
from speechhead.face.covered import covered
from speechhead.face.crop import crop_square
from speechhead.face.landmarks import Pose, from_mesh, remove_pose, to_pixels
from speechhead.generators.open import chosen_generator
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture, is_picture
from speechhead.motion.compose import Motion
from speechhead.motion.mouth import gain_mask
from speechhead.motion.rest import rest_face
from speechhead.speech.protocol import SpeechModel

from .job import FilmJob, told_of, told_of_options
from .reel import Reel

if TYPE_CHECKING:
    from speechhead.face.tracker import Face, FaceTracker
    from speechhead.speech.model import Speech2Landmarks

log = logging.getLogger("speechhead")

REST_SECONDS = 0.4
"""Spread of the window in which a frame's closed mouth is estimated: longer than a syllable, shorter than a turn."""

COVER_SECONDS = 0.4
"""A mouth counts as hidden where it is for most of this time: a single blurred frame is none."""

REACH = 0.3
"""Width of the soft edge of the replaced region, outer eye distances."""

_EDITED = np.flatnonzero(gain_mask()[:, 0] > 0)


def is_video(source: str | Path) -> bool:
    """Whether a source is a video, rather than a picture, an avatar or the name of one."""
    path = Path(source)
    if not path.is_file() or path.suffix == ".avatar" or str(source) in named_portraits():
        return False
    return not is_picture(path)  # VideoReader names what is wrong with a video


def redub(
    source: str | Path,
    audio: str | Path,
    output: Path,
    options: RenderOptions,
    controls: Controls,
    progress: Progress | None = None,
    film_options: FilmOptions | None = None,
) -> Path:
    """Re-lip-sync a video to the sound of `audio`; see `speechhead.api.render`.

    Two passes: the first finds the face, so that its track is smoothed without delay; the second draws. The picture is
    changed in its own planes, under the mouth alone, and all else of the file goes over as it is.

    Raises
    ------
    FaceError if no frame has a usable face; otherwise as `speechhead.api.render`.
    """
    wanted = film_options or FilmOptions()
    reel = Reel(source, audio, options, wanted)
    told = {"inputs": [told_of(source), told_of(audio)], "options": told_of_options(options, wanted, controls)}
    with FilmJob(output, told) as job:
        fps = reel.fps
        meshes = _track(reel.pictures(), fps, str(source))
        speech = np.concatenate(list(reel.speech.pieces()))
        length = len(meshes)
        present: NDArray[np.bool_] = np.isfinite(meshes).all(axis=(1, 2))  # type: ignore[assignment]
        normalised = np.zeros((length, 70, 3), np.float32)
        poses: list[Pose | None] = [None] * length
        faces, found = remove_pose(from_mesh(meshes[present]))
        normalised[present] = faces
        for frame, pose in zip(np.flatnonzero(present), found):
            poses[frame] = pose
        side = round(float(np.median([crop_square(pose)[2] for pose in found])) / 2) * 2
        side = options.size or min(SIZES[1], max(SIZES[0], side))
        rests = _rests(normalised, present, fps)
        motion = _speech_motion(speech, rests[present].mean(0), found[0], controls, options.speech2landmarks)
        generator = chosen_generator(options, side)

        def draw(picture: Picture, index: int, seconds: float) -> Picture:
            here = poses[index]
            if here is None:
                return picture
            mouth, mask = rests[index] + _at(motion, seconds * FPS), gain_mask()
            driven = normalised[index] * (1 - mask) + mouth * mask
            return edit_mouth(picture, meshes[index], driven, here, generator)

        reel.write(job, present, draw, progress)
    return output


def edit_mouth(picture: Picture, mesh: Array, driven: Array, pose: Pose, generator: Generator) -> Picture:
    """A picture [H, W, 3] whose mouth and jaw are moved to `driven`, the rest untouched.

    Parameters
    ----------
    mesh : float32 [478, 3]; the face in picture pixels
    driven : float32 [70, 3]; normalised landmarks to show, which differ from the face's own at mouth and jaw only
    pose : of the face in the picture
    """
    size = generator.size
    left, top, side = crop_square(pose)
    # Where the face keeps about its size, the crop is cut pixel by pixel and never resampled.
    whole = size if 0.8 < side / size < 1.25 else round(side)
    box = (round(left + (side - whole) / 2), round(top + (side - whole) / 2), whole)
    avatar = Avatar.cut(picture, box, mesh, size)
    frame = generator.render(generator.prepare(avatar.crop, avatar.mesh), driven, avatar.pose)
    before = to_pixels(remove_pose(from_mesh(avatar.mesh)[None])[0][0], avatar.pose)
    mask = _mouth_mask(before, to_pixels(driven, avatar.pose), avatar.pose.scale, size)[..., None]
    mixed = frame * mask + avatar.crop * (1 - mask)
    return avatar.paste(np.round(mixed).astype(np.uint8))


def _mouth_mask(before: Array, after: Array, unit: float, size: int) -> Array:
    """Weight [size, size]: 1 over mouth and jaw of both faces [70, 3] in crop pixels, 0 from REACH eye distances on."""
    points = np.concatenate([before[_EDITED, :2], after[_EDITED, :2], before[[31, 35], :2]])
    hull = cv2.convexHull(points.astype(np.float32))
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(canvas, np.round(hull * 16).astype(np.int32), 1, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(1 - canvas, cv2.DIST_L2, 3) if canvas.any() else np.full((size, size), 1e9)
    ramp = np.clip(1 - distance / max(1.0, REACH * unit), 0, 1).astype(np.float32)
    return eased(ramp)


def _track(pictures: Iterable[Picture], fps: float, name: str) -> Array:
    """Smoothed meshes [T, 478, 3] of pictures in their pixels, NaN where there is no face."""
    from speechhead.face.smoothing import smooth_track
    from speechhead.face.tracker import SMALLEST_FACE, FaceTracker

    lost = np.full((478, 3), np.nan, np.float32)
    faces, odds = [], []
    for picture, face in _followed(pictures, FaceTracker()):
        faces.append(face)
        odds.append(0.0 if face is None else covered(picture, face.mesh))
    sides = [face.side for face in faces if face is not None]
    if not sides:
        raise FaceError(f"{name}: no face found in {len(faces)} frames. Use a video of one frontal face.")
    if max(sides) < SMALLEST_FACE:
        raise FaceError(f"{name}: the face is too small ({max(sides):.0f} px, need {SMALLEST_FACE}). Crop closer.")
    meshes = smooth_track(np.stack([lost if face is None else face.mesh for face in faces]), fps)
    hidden = covered_frames(np.array(odds), fps)
    if hidden.any():
        if not np.isfinite(meshes[~hidden]).all(axis=(1, 2)).any():
            raise FaceError(f"{name}: something covers the mouth in every frame. Use a video that shows the lips.")
        count = int(hidden.sum())
        log.warning("%s: something covers the mouth in %d of %d frames. They stay.", name, count, len(hidden))
        meshes[hidden] = np.nan
    return meshes


def _followed(pictures: Iterable[Picture], tracker: FaceTracker) -> Iterator[tuple[Picture, Face | None]]:
    """Each picture with its face, or None where it is lost."""
    shown: list[Picture] = []

    def passed() -> Iterator[Picture]:
        for picture in pictures:
            shown.append(picture)
            yield picture

    for face in tracker.track(passed()):
        yield shown.pop(), face


def covered_frames(odds: Array, fps: float) -> NDArray[np.bool_]:
    """Frames [T] whose mouth is hidden, from log odds [T]: certain ones in most of COVER_SECONDS round a frame."""
    if not (odds >= LIMITS.cover).any():
        return np.zeros(len(odds), bool)
    reach = max(1, round(COVER_SECONDS * fps / 2))
    votes = np.convolve(np.pad(odds >= LIMITS.cover, reach, "edge"), np.ones(2 * reach + 1), "valid")
    return np.asarray(votes > reach, np.bool_)


def _rests(normalised: Array, present: NDArray[np.bool_], fps: float) -> Array:
    """Closed, relaxed mouths [T, 70, 3] for every frame: each frame's own, averaged over its neighbours in time.

    A mouth looks a little different under every pose of the head, so one rest face for the whole video would slide
    over the face as it turns.
    """
    rests = np.zeros_like(normalised)
    for frame in np.flatnonzero(present):
        rests[frame] = rest_face(normalised[frame])
    sigma = REST_SECONDS * fps
    reach = min(len(rests), int(3 * sigma) + 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    out = np.zeros_like(rests)
    padded = np.pad(rests.reshape(len(rests), -1) * present[:, None], ((reach, reach), (0, 0)))
    weights = np.pad(present.astype(np.float64), reach)
    for index in range(len(rests)):
        around = slice(index, index + 2 * reach + 1)
        total = float(kernel @ weights[around])
        if total > 0:
            out[index] = (kernel @ padded[around] / total).reshape(70, 3)
    return out.astype(np.float32)


def _speech_motion(
    speech: Array,
    rest: Array,
    pose: Pose,
    controls: Controls,
    speech2landmarks: SpeechModel | Speech2Landmarks | None,
) -> Array:
    """Motion [T, 70, 3] of the mouth away from rest at 25 Hz, with amplitude, closures, silence and emotion."""
    if speech2landmarks is None:
        from speechhead.speech.model import Speech2Landmarks

        speech2landmarks = Speech2Landmarks.load()
    still = replace(controls, head="retained", idle=False, blink_rate=0.0, look_away=0.0)
    motion = Motion(rest, pose, still)
    stream = speech2landmarks.stream(motion.rest, dict(controls.emotion))
    spoken = np.concatenate([stream.push(speech), stream.flush()])
    return motion.step(spoken, speech)[0] - motion.rest


def _at(track: Array, frame: float) -> Array:
    """A track [T, ...] at a fractional frame, held at its end."""
    first = min(int(frame), len(track) - 1)
    share = np.float32(min(frame - int(frame), 1.0))
    between: Array = track[first] + share * (track[min(first + 1, len(track) - 1)] - track[first])
    return between
