"""The compact face-vid2vid generator: real time on two CPU cores, skin as sharp as the portrait."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.core.arrays import Array
from speechhead.core.stages import stage, staged
from speechhead.engines.onnx import load_session
from speechhead.face.landmarks import Pose, from_mesh, remove_pose, to_normalised, to_pixels
from speechhead.motion.rest import rest_face

from .corners import smiling, without_creases
from .eyes import Lid, Lids, closures, held_open, steadied
from .far_edge import PersonFields, edged
from .head import HeadModel
from .latents import CompactLatents, deepened, mouth_width
from .lips import LipSheets
from .matte import Layers, Matte
from .meshwarp import NEIGHBOURS, OVAL, MeshWarp, border_taper, grown, silhouette
from .mouth_light import softness
from .plate import how_parted
from .relief import Raise, Relief, cut_above, surface
from .rest_plate import RestPlate, RestPlates
from .room_light import RoomLight, room_light
from .shown import PRIOR_RESOLUTION, frame_inputs, portrait_inputs, shut, with_lips, with_lips_shut, without_smile
from .spectacles import worn
from .teeth import LUMA, Inside, Teeth
from .windows import SOURCE_NAMES, WINDOWS, lay, painter_file, painter_names


@dataclass(frozen=True)
class Source:
    """A portrait, prepared once.

    crop: uint8 [S, S, 3], without creases beside a smile; canonical: float32 [478, 3], its mesh in normalised space
    (canonical keypoints with the portrait's own expression); pose arrays as in `Pose`, in crop pixels; layers: person
    and background; features: the networks' appearance features by name; inside: of the mouth; lips: its two sheets;
    lids: of the two eyes; seen: float32 [70, 3], the landmarks that the window networks are shown as the portrait's;
    warper: its landmark warp; relief: of what is round the face; smile: what takes its smile's folds out, None of one
    that rests; room: the light that stays where it is when the head turns, None where it turns along.
    """

    crop: NDArray[np.uint8]
    layers: Layers
    canonical: Array
    rotation: Array
    translation: Array
    scale: float
    features: dict[str, Array]
    inside: Inside
    lips: LipSheets
    seen: Array
    warper: MeshWarp
    relief: Relief
    lids: tuple[Lid | None, ...] = (None, None)
    smile: RestPlate | None = None
    room: RoomLight | None = None

    @property
    def pose(self) -> Pose:
        """Head pose of the portrait in crop pixels."""
        return Pose(self.rotation, self.translation, self.scale)

    @property
    def landmarks(self) -> Array:
        """Normalised landmarks of the portrait, float32 [70, 3]."""
        return from_mesh(self.canonical)

    @cached_property
    def rest_width(self) -> float:
        """Width of the portrait's mouth at rest, outer eye distances."""
        return float(mouth_width(rest_face(self.landmarks)))


class CompactGenerator:
    """Portrait and driving landmarks to pictures (face-vid2vid: x = s (R (x_c + delta)) + t).

    Per frame: Landmarks2Latents gives the keypoints; the landmark warp of the face is drawn from them, before its
    surroundings, which turn as a head fitted to the face says; the full-resolution layer of the person is warped once
    and laid before the background, which stays; the window networks paint the mouth and the eyes over it, as much as
    they see fit; teeth and tongue are laid between open lips; and the head is lit by the room, in which it turns.
    """

    family = "compact"

    def __init__(self, size: int = 512, threads: int | None = None) -> None:
        self.size = size
        self._latents = CompactLatents()
        self._matte = Matte(threads)
        self._teeth = Teeth()
        self._heads = HeadModel()
        self._lids = Lids()
        self._rest_plates = RestPlates()
        self._source = load_session("compact_source.onnx", threads=threads, names=SOURCE_NAMES)
        self.painters = {
            name: load_session(painter_file(name), threads=threads, names=painter_names(name)) for name in WINDOWS
        }
        self._taper = border_taper(PRIOR_RESOLUTION)[..., None]

    @classmethod
    def load(cls, size: int = 512, threads: int | None = None) -> CompactGenerator:
        """The shipped weights, for square crops of `size` pixels."""
        return cls(size, threads)

    def sized(self, size: int) -> CompactGenerator:
        """The same networks, in memory once, for square crops of another size."""
        other = copy.copy(self)
        other.size = size
        return other

    def prepare(self, crop: NDArray[np.uint8], mesh: Array) -> Source:
        """Everything about a portrait that does not change from frame to frame.

        Parameters
        ----------
        crop : uint8 [S, S, 3], S = size
        mesh : float32 [478, 3]; the face mesh in crop pixels
        """
        _, poses = remove_pose(from_mesh(mesh)[None])
        pose = poses[0]
        canonical = to_normalised(mesh, pose)
        inside = self._teeth.prepare(crop, mesh, canonical, pose)
        unit = float(pose.scale)
        bare = without_creases(crop, mesh, unit, smiling(from_mesh(canonical), how_parted(mesh, unit)))
        lips = LipSheets.prepare(bare, mesh, pose, inside.soft)
        raising = Raise.of(mesh, pose, worn(crop, canonical, pose))
        layers = self._matte(bare, mesh)
        solid = surface(self._heads.fit(mesh), pose, self.size)
        relief = Relief(solid, raising, mesh, pose, self.size, cut_above(layers.alpha, mesh))
        warper = MeshWarp(relief.raised(canonical, pose), pose, self.size)
        seen = shut(self._latents, canonical, lips.plate.parted)
        smile = self._rest_plates.prepare(crop, mesh, canonical, pose)
        own = portrait_inputs(with_lips_shut(bare, seen, lips, warper, smile), seen, canonical, pose)
        feeds = {name: value[None] for name, value in own.items()}
        names = [output.name for output in self._source.get_outputs()]
        features = dict(zip(names, self._source.run(None, feeds))) | feeds
        turned = pose.rotation, pose.translation, float(pose.scale)
        lids = self._lids.prepare(crop, mesh, pose, softness(crop, mesh, pose.scale))
        shut70 = from_mesh(seen)
        room = room_light(crop, layers.alpha, mesh, relief.depth, pose)
        return Source(
            bare, layers, canonical, *turned, features, inside, lips, shut70, warper, relief, lids, smile, room
        )

    def render(self, source: Source, normalised: Array, pose: Pose) -> NDArray[np.uint8]:
        """One frame.

        Parameters
        ----------
        source : from `prepare`
        normalised : float32 [70, 3]; driving landmarks in normalised space, of the portrait's proportions
        pose : driving head pose in crop pixels

        Returns
        -------
        uint8 [S, S, 3]; equal to the portrait at the crop's border
        """
        return self.render_with_flow(source, normalised, pose)[0]

    def render_with_matte(
        self, source: Source, normalised: Array, pose: Pose
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """One frame as `render` gives it, and how much of each pixel is the person: uint8 [S, S], 255 for all."""
        frame, flow = self.render_with_flow(source, normalised, pose)
        return frame, source.layers.matte(flow)

    def render_with_flow(self, source: Source, normalised: Array, pose: Pose) -> tuple[NDArray[np.uint8], Array]:
        """One frame, and the backward flow [h, w, 2] that its person was read through, in [-1, 1] units."""
        normalised = steadied(source.landmarks, normalised, source.lids)
        closure = closures(source.landmarks, normalised, source.lids)
        keypoints = self.keypoints(source, held_open(source.landmarks, normalised, closure))
        fields = self._fields(source, keypoints, pose)
        flow = fields.flow
        frame = edged(source.layers.moved(flow), source.layers, fields)
        frame = with_lips(frame, source.lips, keypoints, pose)
        frame = self._paint(without_smile(frame, source.smile, flow, keypoints, pose), source, keypoints, pose)
        frame = self._lids.close(frame, source.lids, closure, keypoints, pose)
        return frame if source.room is None else source.room.draw(frame, flow, pose), flow

    def keypoints(self, source: Source, normalised: Array) -> Array:
        """Driving keypoints [478, 3] in normalised space for driving landmarks [70, 3]."""
        deep = deepened(normalised, source.landmarks, source.rest_width, source.inside.overgrown)
        return self._latents.keypoints(deep[None], source.canonical)[0]

    def _flow(self, source: Source, keypoints: Array, pose: Pose) -> Array:
        return self._fields(source, keypoints, pose).flow

    @staged("warps")
    def _fields(self, source: Source, keypoints: Array, pose: Pose) -> PersonFields:
        """What the person is read through: the face by its mesh, before all that is around it."""
        solid = source.relief.raised(keypoints, pose)
        face, coverage = source.warper.flow(solid, pose, PRIOR_RESOLUTION)
        posed = to_pixels(solid, pose)[:, :2]
        around = source.relief.flow(posed[OVAL], pose)
        around = np.asarray(cv2.resize(around, coverage.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        inside = silhouette(posed * np.float32(PRIOR_RESOLUTION / self.size), PRIOR_RESOLUTION)
        # Beside a rim the median may have taken what is drawn around it; so it is not known there.
        known = cv2.boxFilter((coverage >= 1).astype(np.uint8), -1, (3, 3), normalize=False) >= NEIGHBOURS
        return PersonFields(grown(face, known, around) * self._taper, around * self._taper, inside, posed)

    def _paint(self, frame: NDArray[np.uint8], source: Source, keypoints: Array, pose: Pose) -> NDArray[np.uint8]:
        """Generate the windows and lay them over the warped portrait with its lips."""
        driving = from_mesh(keypoints)
        inputs, matrices = frame_inputs(frame, source.canonical, keypoints, pose)
        for name, window in WINDOWS.items():
            feeds = {f"{name}_{part}": inputs[f"{name}_{part}"][None] for part in ("warped", "shapes")}
            feeds[f"{name}_motion"] = window.motion(source.seen, driving, source.pose, pose)[None]
            for part in ("source", "source_shapes", "quarter", "eighth"):
                feeds[f"{name}_{part}"] = source.features[f"{name}_{part}"]
            with stage("networks"):
                (painted,) = self.painters[name].run(None, feeds)
            patch = painted[0].transpose(1, 2, 0)
            if name == "mouth":
                if source.inside.grey > 0:
                    tone = source.inside.white / max(float(source.inside.white.mean()), 1.0)
                    toned = (patch[..., :3] @ LUMA)[..., None] * tone
                    patch[..., :3] += source.inside.grey * (toned - patch[..., :3])
                patch = patch * WINDOWS[name].reach(inputs[f"{name}_shapes"])[..., None]
            elif source.inside.grey > 0.5:  # a grey picture gets no hue
                patch = patch.copy()
                patch[..., :3] = (patch[..., :3] @ LUMA)[..., None]
            frame = lay(frame, patch, matrices[name])
        return self._teeth.draw(frame, source.inside, keypoints, pose)
