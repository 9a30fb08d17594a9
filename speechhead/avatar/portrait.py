"""Avatars: a portrait prepared once, saved and loaded, and frames of its face pasted back into it."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.errors import ControlError, ImageError
from speechhead.core.stages import staged
from speechhead.face.landmarks import Pose, from_mesh, remove_pose
from speechhead.face.unfold import unfolded
from speechhead.media.image import Picture, as_picture, read_picture, scaled_down

from .face import find_face
from .features import Features

if TYPE_CHECKING:
    from speechhead.face.tracker import FaceTracker
from speechhead.core.options import PORTRAIT_SIZE, SIZES, RenderOptions, check_size
from speechhead.face.crop import crop_square, cut_square
from speechhead.generators.protocol import Generator
from speechhead.media.image import border_ramp

from .named import faults, named_portraits

MAX_SIDE = 2048
"""Longest side of a full picture in pixels; browsers and phones play H.264 up to about this size."""

SLACK = 1.1
"""A crop may be larger than asked for by this much before the whole picture is scaled down to it."""

FEATHER = 0.03
"""Width of the paste-back border in parts of the crop, well inside the margin where a generator changes nothing."""

VERSION = 1
"""Of the file format; raised when older files can no longer be read."""


@dataclasses.dataclass(frozen=True, eq=False)
class Avatar:
    """A portrait ready to speak.

    picture: uint8 [H, W, 3], the full portrait, even sides
    box: left, top, side of the face crop in picture pixels; may reach over the picture's border
    crop: uint8 [S, S, 3], the face crop as the generator gets it
    mesh: float32 [478, 3], the face's mesh in crop pixels
    neutral: float32 [70, 3], the portrait's landmarks in normalised space
    pose: of the portrait, in crop pixels
    name, voice: of a shipped portrait, and the voices that suit it, best first
    notes: what a user should know, such as that the largest of several faces was taken
    """

    picture: Picture
    box: tuple[int, int, int]
    crop: Picture
    mesh: Array
    neutral: Array
    pose: Pose
    name: str = ""
    voice: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    _features: Features = dataclasses.field(default_factory=Features, init=False, repr=False)

    @classmethod
    def default(cls, size: int = PORTRAIT_SIZE) -> Avatar:
        """The portrait that speaks when none is given."""
        return cls.open(None, size)

    @classmethod
    def of(cls, portrait: str | Path | NDArray[Any] | Avatar | None, options: RenderOptions) -> Avatar:
        """The portrait as the options of a rendering ask for it: whatever `open` takes, a picture, or an avatar.

        Raises
        ------
        ControlError if an avatar is asked for another face, size or landmarks, which it has already; and as
        `from_image`.
        """
        # With crop, size is the side of the video, which any avatar can have.
        asked = None if options.crop else options.size
        saved = isinstance(portrait, Avatar) or (
            isinstance(portrait, (str, Path)) and bool(portrait) and cls.is_saved(portrait)
        )
        if saved and options.landmarks != RenderOptions.landmarks:
            raise ControlError(f"landmarks '{options.landmarks}': the avatar has its landmarks already. Leave it out.")
        if isinstance(portrait, Avatar):
            return portrait.as_prepared(asked, options.face_number)
        tracker = None if saved else _tracker(options)
        if isinstance(portrait, np.ndarray):
            return cls.from_image(portrait, options.size or PORTRAIT_SIZE, options.face_number, tracker=tracker)
        return cls.open(portrait, asked if saved else options.size, options.face_number, tracker)

    @classmethod
    def open(
        cls,
        portrait: str | Path | None,
        size: int | None = None,
        face: int | None = None,
        tracker: FaceTracker | None = None,
    ) -> Avatar:
        """An avatar from whatever names one: a shipped name, a saved `.avatar` file, or a picture.

        Other parameters as in `from_image`; the size is PORTRAIT_SIZE if None.

        Raises
        ------
        ControlError if a saved avatar is asked for another face or size, which it has already; and as `from_image`.
        """
        if portrait is not None and cls.is_saved(portrait):
            return cls.load(portrait).as_prepared(size, face)
        size = PORTRAIT_SIZE if size is None else size
        table = named_portraits()
        if portrait is None:
            portrait = next(iter(table))
        if str(portrait) in table and not Path(portrait).is_file():
            entry = table[str(portrait)]
            avatar = cls.from_image(entry.path, size, face, tracker=tracker)
            return dataclasses.replace(avatar, name=entry.name, voice=entry.voices)
        path = Path(portrait)
        if portrait == "":
            raise ImageError("portrait '': no picture is named. Give a file, or a name of `speechhead avatars`.")
        if not path.suffix and not path.exists():
            if fault := faults().get(str(portrait)):
                raise ImageError(fault)
            names = ", ".join(table)
            raise ImageError(f"{portrait}: no such picture, and no shipped avatar. Choose {names}, or a file.")
        return cls.from_image(path, size, face, tracker=tracker)

    @staticmethod
    def is_saved(portrait: str | Path) -> bool:
        """Whether a portrait's name is that of a saved `.avatar` file."""
        return Path(portrait).suffix == ".avatar" and Path(portrait).is_file()

    def as_prepared(self, size: int | None, face: int | None) -> Avatar:
        """This avatar, of which nothing else is asked; ControlError if it is to have another size or face."""
        if face is not None:
            raise ControlError(f"face {face}: the avatar has its face already. Leave face out.")
        if size is not None:
            raise ControlError(f"size {size}: the avatar is prepared at {self.size} already. Leave size out.")
        return self

    @classmethod
    def from_image(
        cls,
        image: str | Path | NDArray[Any],
        size: int = PORTRAIT_SIZE,
        face: int | None = None,
        generator: Generator | None = None,
        tracker: FaceTracker | None = None,
    ) -> Avatar:
        """Prepare a portrait: find the face, crop it, measure it, and extract its features.

        Parameters
        ----------
        image : path of a picture, or an array [H, W, 3] as `as_picture` takes it
        size : largest side of the face crop in pixels, even, 64..2048; a picture with a larger face is scaled down
        face : number of the face, from 1, largest first; the largest if None
        generator : extract its features now, from a crop of exactly its size
        tracker : finds the face; the default FaceTracker if None

        Raises
        ------
        ImageError if the picture can not be read; FaceError if it has no usable face (see `find_face`) or no face of
        that number.
        """
        size = check_size(size if generator is None else generator.size)
        name = "picture" if isinstance(image, np.ndarray) else str(image)
        picture, notes = (as_picture(image), ()) if isinstance(image, np.ndarray) else read_picture(image)
        if tracker is None:
            from speechhead.face.tracker import FaceTracker

            tracker = FaceTracker()
        found = find_face(picture, tracker, face, name)
        avatar = dataclasses.replace(cls.from_face(found.picture, found.face.mesh, size), notes=notes + found.notes)
        if generator is None:
            return avatar
        avatar = avatar.resampled(generator.size)
        avatar.source(generator)
        return avatar

    @classmethod
    def from_face(cls, picture: Picture, mesh: Array, size: int = PORTRAIT_SIZE, shrink: bool = True) -> Avatar:
        """Cut the crop of a face whose mesh [478, 3] in picture pixels is known.

        The crop keeps the picture's own pixels, so that frames are pasted back without resampling; a picture whose
        face is larger than `size` is scaled down as a whole. Without `shrink` the picture stays as it is, and the
        crop is resampled to exactly `size`.
        """
        mesh = unfolded(mesh)
        left, top, side = crop_square(_pose_of(mesh)[1])
        factor = min(size / side if side > size * SLACK else 1.0, MAX_SIDE / max(picture.shape[:2]), 1.0)
        if shrink and factor < 1:
            before = picture.shape
            picture = scaled_down(picture, factor)
            ratio = np.array([picture.shape[1] / before[1], picture.shape[0] / before[0], factor], np.float32)
            mesh = mesh * ratio
            left, top, side = crop_square(_pose_of(mesh)[1])
        # H.264 needs even sides; the last row or column is not missed.
        picture = np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])
        whole = max(SIZES[0], round(side / 2) * 2)
        box = (round(left), round(top), size if abs(whole - size) <= 2 else whole)
        return cls.cut(picture, box, mesh, box[2] if shrink else size)

    @classmethod
    def cut(cls, picture: Picture, box: tuple[int, int, int], mesh: Array, size: int) -> Avatar:
        """The avatar whose crop is the square `box` (left, top, side) of a picture, resampled to `size` pixels."""
        crop = _resized(cut_square(picture, *box), size, cv2.INTER_AREA)
        scale = np.float32(size / box[2])
        mesh = ((mesh - np.array([box[0], box[1], 0], np.float32)) * scale).astype(np.float32)
        neutral, pose = _pose_of(mesh)
        return cls(picture=picture, box=box, crop=crop, mesh=mesh, neutral=neutral, pose=pose)

    @property
    def size(self) -> int:
        """Side of the face crop in pixels."""
        return self.crop.shape[0]

    def resampled(self, size: int) -> Avatar:
        """This avatar with a crop of exactly `size` pixels a side, for a generator of that size."""
        scale = np.float32(self.box[2] / self.size)
        mesh = self.mesh * scale + np.array([*self.box[:2], 0], np.float32)
        fresh = Avatar.cut(self.picture, self.box, mesh, check_size(size))
        return dataclasses.replace(fresh, name=self.name, voice=self.voice, notes=self.notes)

    def source(self, generator: Generator) -> Any:
        """The appearance features of this portrait for a generator, made once for each.

        Raises
        ------
        ControlError for a generator of another size, whose pixels are not those of the crop.
        """
        if generator.size != self.size:
            raise ControlError(
                f"generator '{generator.family}': it draws {generator.size} px and the avatar's crop has {self.size}. "
                f"Use avatar.resampled({generator.size}), or open_generator(size={self.size})."
            )
        return self._features.of(generator, lambda: generator.prepare(self.crop, self.mesh))

    @staged("paste")
    def paste(self, frame: Picture) -> Picture:
        """The full portrait [H, W, 3] with a rendered face crop [S, S, 3] in its place, without a visible seam."""
        left, top, side = self.box
        face = _resized(frame, side)
        full = self.picture.copy()
        height, width = full.shape[:2]
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
        full[y0:y1, x0:x1] = face[y0 - top : y1 - top, x0 - left : x1 - left]
        for rows, columns, weight, rest in _border(side):  # only where the crop fades into the picture
            rows = slice(max(rows.start, y0 - top), min(rows.stop, y1 - top))
            columns = slice(max(columns.start, x0 - left), min(columns.stop, x1 - left))
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            there = slice(rows.start + top, rows.stop + top), slice(columns.start + left, columns.stop + left)
            inner, outer = np.ascontiguousarray(face[rows, columns]), np.ascontiguousarray(self.picture[there])
            full[there] = cv2.blendLinear(
                inner, outer, np.ascontiguousarray(weight[rows, columns]), np.ascontiguousarray(rest[rows, columns])
            )
        return full

    def face(self, frame: Picture, size: int) -> Picture:
        """The face crop of a frame [S, S, 3] as a picture [size, size, 3] without what lies outside the portrait."""
        height, width = self.picture.shape[:2]
        left, top, wanted = self.box
        side = min(wanted, height, width)
        left = min(max(left + (wanted - side) // 2, 0), width - side)
        top = min(max(top + (wanted - side) // 2, 0), height - side)
        return _resized(self.paste(frame)[top : top + side, left : left + side], size)

    def save(self, path: str | Path) -> Path:
        """Write the avatar to one file, replacing an older one in one step.

        Appearance features are not in it: they belong to one version of a generator's weights and are made from
        the crop and the mesh in less time than a picture is decoded.

        Raises
        ------
        ImageError if the file can not be written, or is something else than an avatar, such as the portrait.
        """
        path = Path(path)
        if path.is_file() and not zipfile.is_zipfile(path):
            raise ImageError(f"{path}: is there already and is no avatar. Choose another name.")
        meta = {"format": "speechhead avatar", "version": VERSION, "name": self.name}
        meta |= {"voice": list(self.voice), "notes": list(self.notes), "box": list(self.box)}
        arrays: dict[str, Any] = {"picture": self.picture, "crop": self.crop, "mesh": self.mesh}
        arrays |= {"meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)}
        part = None
        try:
            handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}.", suffix=".part")
            with os.fdopen(handle, "wb") as stream:
                np.savez_compressed(stream, **arrays)
            os.chmod(part, 0o644)
            os.replace(part, path)
        except OSError as error:
            raise ImageError(f"{path}: can not be written ({error.strerror}). Choose another place.") from error
        finally:
            if part is not None and os.path.exists(part):
                os.unlink(part)
        return path

    @staticmethod
    def title(path: str | Path) -> str:
        """The name in a saved avatar, without reading its pictures; ImageError as from `load`."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                return str(json.loads(stored["meta"].tobytes())["name"])
        except Exception as error:  # zip files and headers of arrays fail in many ways
            raise ImageError(f"{path}: is no avatar, or a damaged one. Make it again.") from error

    @classmethod
    def load(cls, path: str | Path) -> Avatar:
        """Read an avatar written by `save`.

        Raises
        ------
        ImageError if the file is missing, is not an avatar, is damaged, or is of a newer version.
        """
        path = Path(path)
        if not path.is_file():
            raise ImageError(f"{path}: no such avatar. Check the path.")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
            meta = json.loads(arrays["meta"].tobytes())
            if meta["format"] != "speechhead avatar":
                raise KeyError("format")
            if meta["version"] > VERSION:
                raise ImageError(f"{path}: made by a newer speechhead (format {meta['version']}). Update speechhead.")
            neutral, pose = _pose_of(arrays["mesh"])
            return cls(
                picture=arrays["picture"],
                box=(int(meta["box"][0]), int(meta["box"][1]), int(meta["box"][2])),
                crop=arrays["crop"],
                mesh=arrays["mesh"],
                neutral=neutral,
                pose=pose,
                name=meta["name"],
                voice=tuple(meta["voice"]),
                notes=tuple(meta["notes"]),
            )
        except ImageError:
            raise
        except Exception as error:  # as in `title`
            raise ImageError(f"{path}: not an avatar file, or damaged. Make it anew from the portrait.") from error


@lru_cache(maxsize=16)
def _border(side: int) -> tuple[tuple[slice, slice, Array, Array], ...]:
    """The four strips of a crop where it fades out: rows, columns, the whole crop's weight, and one minus it."""
    weight = border_ramp(side, side, FEATHER)
    reach = int(np.ceil(FEATHER * side)) + 1
    middle = slice(reach, side - reach)
    ends = slice(0, reach), slice(side - reach, side)
    strips = [(end, slice(0, side)) for end in ends] + [(middle, end) for end in ends]
    return tuple((rows, columns, weight, 1 - weight) for rows, columns in strips)


def _pose_of(mesh: Array) -> tuple[Array, Pose]:
    normalised, poses = remove_pose(from_mesh(mesh)[None])
    return normalised[0], poses[0]


def _resized(square: Picture, side: int, smaller: int = cv2.INTER_CUBIC) -> Picture:
    """A square picture at another resolution; up and back down again returns it within rounding (over 45 dB).

    Down from a crop that was enlarged, cubic interpolation keeps all there is; down from a photograph, averaging
    (INTER_AREA) is needed.
    """
    present = square.shape[0]
    if present == side:
        return square
    how = cv2.INTER_LANCZOS4 if present < side else smaller
    return np.asarray(cv2.resize(square, (side, side), interpolation=how), np.uint8)


def _tracker(options: RenderOptions) -> FaceTracker:
    from speechhead.face.open import open_tracker

    return open_tracker(options.landmarks, options.device)
