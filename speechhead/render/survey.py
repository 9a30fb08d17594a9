"""The first look at a film: its shots, the people in them, where each face is and what hinders its mouth."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from speechhead.avatar.face import outside
from speechhead.core.arrays import Array
from speechhead.face.covered import covered
from speechhead.face.crop import crop_square, cut_square
from speechhead.face.crowd import Crowd, Glance
from speechhead.face.cuts import HEIGHT, WIDTH, Shots, find_shots
from speechhead.face.landmarks import (
    INNER_LIPS,
    Pose,
    from_mesh,
    mouth_opening,
    remove_pose,
    to_normalised,
)
from speechhead.face.people import Appearance, Signature, colours, proportions, same_people
from speechhead.face.tracker import Face, FaceTracker
from speechhead.media.image import Picture

from .scratch import Scratch

LOOK_SIDE = 768
"""Largest side in pixels of the pictures of a face that are kept of a shot."""

LOOK_SECONDS = 2.0
"""Of every so many seconds one picture with teeth and one with shut lips is kept."""

SIGN_SECONDS = 0.4
"""Seconds between the pictures whose colours are looked at."""

FACTS = ("opening", "yaw", "scale", "x", "y", "cover", "side", "cut")
"""What is kept of each face in each picture: lips' opening, outer eye distances; yaw, degrees; pixels of an outer eye
distance; the eyes' middle, pixels; log odds of a covered mouth; longer side, pixels; 1 where the edge cuts the lips."""

JOIN_SECONDS, JOIN_SIDES, JOIN_GROWTH = 1.5, 0.8, 1.5
"""A face that is lost and found within a shot is the same one if it comes back so soon, so near and so large."""

SHORTEST = 0.2
"""Seconds of a face that count: what is shorter is often none."""

LEAP = 10.0
"""Eye distances per second that no head reaches: there a cut was too small to be seen as one."""


@dataclass
class Look:
    """A picture of a face that is kept: its frame, how good it is, and where its JPEG, of so many bytes, and the mesh
    in its pixels lie in the survey's file."""

    frame: int
    score: float
    jpeg: int
    size: int
    mesh: int

    def open(self, scratch: Scratch) -> tuple[Picture, Array]:
        """uint8 [S, S, 3], and its mesh float32 [478, 3]."""
        data = np.frombuffer(scratch.read(self.jpeg, self.size), np.uint8)
        found = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
        return np.asarray(found, np.uint8), scratch.meshes(np.array([self.mesh]))[0]


@dataclass
class Strand:
    """One face for as long as it is followed: pictures, meshes' numbers and facts of each, and looks of it."""

    frames: array[int] = field(default_factory=lambda: array("q"))
    meshes: array[int] = field(default_factory=lambda: array("q"))
    facts: array[float] = field(default_factory=lambda: array("f"))
    teeth: dict[int, Look] = field(default_factory=dict)
    shut: dict[int, Look] = field(default_factory=dict)
    shapes: list[tuple[int, float, Array, Array]] = field(default_factory=list)


@dataclass(frozen=True)
class Take:
    """One person in one shot.

    first, last: pictures, both included; meshes: int [n], numbers in the survey's file, -1 where the face is lost
    facts: float32 [n, len(FACTS)], NaN where it is lost; person: from 0, the one of whom most is seen; sure: 0..1
    starts, ends: whether a cut is why it begins and ends; mixed: bool [n], pictures of a dissolve
    teeth, shut: looks at it, best first
    """

    first: int
    last: int
    shot: int
    meshes: NDArray[np.int64]
    facts: Array
    person: int
    sure: float
    starts: bool
    ends: bool
    mixed: NDArray[np.bool_]
    teeth: tuple[Look, ...]
    shut: tuple[Look, ...]

    def __len__(self) -> int:
        return len(self.meshes)

    def fact(self, name: str) -> Array:
        """One of FACTS, float32 [n]."""
        return self.facts[:, FACTS.index(name)]

    @property
    def weight(self) -> float:
        """How much is seen of it: sides of the face, summed over its pictures."""
        return float(np.nansum(self.fact("side")))


@dataclass(frozen=True)
class Survey:
    """A film as it was seen: pictures in all, per second, its shots and the takes of its people, by first picture."""

    count: int
    fps: float
    shots: Shots
    takes: tuple[Take, ...]
    scratch: Scratch

    @property
    def people(self) -> int:
        """How many people were seen."""
        return 1 + max((take.person for take in self.takes), default=-1)

    def close(self) -> None:
        """Let go of what lies on disk."""
        self.scratch.close()


class Surveyor:
    """Takes the pictures of a film one by one, and keeps of them what is said above."""

    def __init__(self, fps: float) -> None:
        self.fps = fps
        self.scratch = Scratch()
        self._strands: dict[int, Strand] = {}
        self._thumbnails = bytearray()
        self._count = 0
        self.largest = 0.0

    def watch(self, pictures: Iterable[Picture], tracker: FaceTracker) -> None:
        """Look at all pictures uint8 [H, W, 3]."""
        for picture, glance in Crowd(tracker, self.fps).watch(pictures):
            self.add(picture, glance)

    def add(self, picture: Picture, glance: Glance) -> None:
        """The next picture and its faces."""
        self._thumbnails += glance.thumbnail.tobytes()
        for number, face in glance.faces.items():
            self._note(self._strands.setdefault(number, Strand()), picture, face)
        self._count += 1

    def survey(self) -> Survey:
        """What was seen."""
        flat = np.frombuffer(bytes(self._thumbnails), np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
        shots = find_shots(flat)
        takes = _takes(list(self._strands.values()), shots, self.fps)
        return Survey(self._count, self.fps, shots, tuple(takes), self.scratch)

    def _note(self, strand: Strand, picture: Picture, face: Face) -> None:
        index = self._count
        pose = face.pose
        opening, yaw = float(mouth_opening(face.landmarks)), pose.angles[0]
        moved = _moved(strand, pose, self.fps)
        strand.frames.append(index)
        strand.meshes.append(self.scratch.keep_mesh(face.mesh))
        cut = float(outside(picture, face.mesh)[1])
        odds = covered(picture, face.mesh)
        strand.facts.extend((opening, yaw, pose.scale, *map(float, pose.translation[:2]), odds, face.side, cut))
        self.largest = max(self.largest, face.side)
        if len(strand.frames) % max(1, round(SIGN_SECONDS * self.fps)) == 1 and abs(yaw) < 40:
            crop = look_at(picture, face.mesh, pose, 48)[0]
            shape = proportions(to_normalised(face.landmarks, pose))
            strand.shapes.append((index, float(np.cos(np.deg2rad(yaw)) ** 4), shape, colours(crop)))
        if odds < 0 and not cut and abs(yaw) < 35:
            block = int(index / (LOOK_SECONDS * self.fps))
            blame = 4 * moved + abs(yaw) / 35
            bright = shown_teeth(picture, face, pose.scale) if opening > 0.04 else 0.0
            scores = [(strand.shut, -opening - 0.1 * blame)]
            scores += [(strand.teeth, bright * (1 - 0.4 * min(blame, 2)))] if bright > 0 else []
            for looks, score in scores:
                if block not in looks or looks[block].score < score:
                    looks[block] = self._kept(score, picture, face, pose)

    def _kept(self, score: float, picture: Picture, face: Face, pose: Pose) -> Look:
        crop, mesh = look_at(picture, face.mesh, pose)
        pixels = cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)
        jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        return Look(self._count, score, self.scratch.append(jpeg), len(jpeg), self.scratch.keep_mesh(mesh))


def shown_teeth(picture: Picture, face: Face, scale: float) -> float:
    """How much of teeth a mouth shows, square outer eye distances: what is light and pale between its lips."""
    outline = face.landmarks[INNER_LIPS, :2]
    x0, y0 = np.maximum(np.floor(outline.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(outline.max(0)).astype(int) + 1, picture.shape[1::-1])
    if x1 - x0 < 3 or y1 - y0 < 3:
        return 0.0
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(mask, [np.round(outline - (x0, y0)).astype(np.int32)], 1)
    cheeks = np.round(face.mesh[[50, 280, 205, 425], :2]).astype(int)
    cheeks = np.clip(cheeks, 0, np.array(picture.shape[1::-1]) - 1)
    skin = float(np.median(picture[cheeks[:, 1], cheeks[:, 0]].min(-1)))
    part = picture[y0:y1, x0:x1]
    pale = part.min(-1) > np.maximum(0.75 * skin, 0.72 * part.max(-1).astype(np.float32))
    return float((pale & (mask > 0)).sum()) / scale**2


def look_at(picture: Picture, mesh: Array, pose: Pose, largest: int = LOOK_SIDE) -> tuple[Picture, Array]:
    """A face's square crop uint8 [S, S, 3], at most `largest` pixels a side, and its mesh [478, 3] in its pixels."""
    left, top, side = (round(value) for value in crop_square(pose))
    crop = cut_square(picture, left, top, side)
    shown = min(side, largest)
    if shown < side:
        crop = np.asarray(cv2.resize(crop, (shown, shown), interpolation=cv2.INTER_AREA), np.uint8)
    return crop, np.asarray((mesh - np.array([left, top, 0], np.float32)) * np.float32(shown / side), np.float32)


def _moved(strand: Strand, pose: Pose, fps: float) -> float:
    """Way of the head since the picture before, eye distances per frame at 25 a second."""
    if not strand.frames:
        return 0.1
    x, y = strand.facts[-len(FACTS) + 3], strand.facts[-len(FACTS) + 4]
    way = np.hypot(pose.translation[0] - x, pose.translation[1] - y) / pose.scale
    return float(way) * fps / 25


@dataclass
class _Piece:
    """A part of a strand without a cut: pictures int [n], meshes' numbers int [n], facts [n, F]; and whence it came."""

    frames: NDArray[np.int64]
    meshes: NDArray[np.int64]
    facts: Array
    strand: Strand
    starts: bool
    ends: bool

    @property
    def place(self) -> tuple[Array, Array]:
        """Facts of the first and of the last picture."""
        return self.facts[0], self.facts[-1]


def _takes(strands: list[Strand], shots: Shots, fps: float) -> list[Take]:
    pieces = [piece for strand in strands for piece in _pieces(strand, shots, fps)]
    pieces.sort(key=lambda piece: int(piece.frames[0]))
    chains: list[list[_Piece]] = []
    for piece in pieces:
        fits = [chain for chain in chains if _goes_on(chain[-1], piece, shots, fps)]
        if fits:
            min(fits, key=lambda chain: _gap(chain[-1], piece)).append(piece)
        else:
            chains.append([piece])
    chains = [chain for chain in chains if _clear(chain, shots) >= SHORTEST * fps]
    seen = [_appearance(chain) for chain in chains]
    people, sure = same_people(seen)
    takes = [_take(chain, shots, person, how) for chain, person, how in zip(chains, people, sure)]
    return sorted(takes, key=lambda take: (take.first, take.person))


def _pieces(strand: Strand, shots: Shots, fps: float) -> list[_Piece]:
    """A strand, parted at cuts and leaps."""
    frames, meshes = np.array(strand.frames, np.int64), np.array(strand.meshes, np.int64)
    facts = np.array(strand.facts, np.float32).reshape(len(frames), len(FACTS))
    scale, place = facts[:, 2], facts[:, 3:5]
    way = np.linalg.norm(np.diff(place, axis=0), axis=1) / scale[1:]
    leaps = np.maximum(way, np.abs(np.diff(np.log(scale)))) * fps > LEAP
    cut = np.diff(np.searchsorted(shots.starts, frames, "right")) > 0
    bounds = [0, *(np.flatnonzero(leaps | cut) + 1).tolist(), len(frames)]
    whole = (int(frames[0]) in shots.starts, bool(int(frames[-1]) + 1 in shots.starts))
    pieces = []
    for start, stop in zip(bounds, bounds[1:]):
        edges = start > 0 or whole[0], stop < len(frames) or whole[1]
        pieces.append(_Piece(frames[start:stop], meshes[start:stop], facts[start:stop], strand, *edges))
    return pieces


def _clear(chain: list[_Piece], shots: Shots) -> int:
    """Pictures of a face outside dissolves, in which faces are mixed and some are nobody's."""
    return sum(int((~shots.mixed[piece.frames]).sum()) for piece in chain)


def _gap(before: _Piece, after: _Piece) -> float:
    return float(np.linalg.norm(after.place[0][3:5] - before.place[1][3:5]) / after.place[0][2])


def _goes_on(before: _Piece, after: _Piece, shots: Shots, fps: float) -> bool:
    """Whether a face that was lost has come back."""
    last, first = int(before.frames[-1]), int(after.frames[0])
    if last >= first or shots.of(last) != shots.of(first) or (before.strand is after.strand):
        return False
    growth = abs(float(np.log(after.place[0][2] / before.place[1][2])))
    near = _gap(before, after) < JOIN_SIDES * max(1.0, (first - last) / fps)
    return (first - last) / fps < JOIN_SECONDS and near and growth < np.log(JOIN_GROWTH)


def _appearance(chain: list[_Piece]) -> Appearance:
    first, last = int(chain[0].frames[0]), int(chain[-1].frames[-1])
    weight = float(sum(piece.facts[:, FACTS.index("side")].sum() for piece in chain))
    within = [
        one
        for strand in {id(piece.strand): piece.strand for piece in chain}.values()
        for one in strand.shapes
        if first <= one[0] <= last
    ]
    if not within:  # seen from the side only: like nobody
        return Appearance(Signature(np.full(19, 9.0, np.float32), np.zeros(9, np.float32)), first, last, weight)
    share = np.array([one[1] for one in within], np.float32)
    share /= share.sum()
    shape = np.einsum("n,ni->i", share, np.stack([one[2] for one in within]))
    colour = np.mean([one[3] for one in within], axis=0)
    return Appearance(Signature(shape.astype(np.float32), colour.astype(np.float32)), first, last, weight)


def _take(chain: list[_Piece], shots: Shots, person: int, sure: float) -> Take:
    first, last = int(chain[0].frames[0]), int(chain[-1].frames[-1])
    meshes = np.full(last + 1 - first, -1, np.int64)
    facts = np.full((last + 1 - first, len(FACTS)), np.nan, np.float32)
    for piece in chain:
        meshes[piece.frames - first] = piece.meshes
        facts[piece.frames - first] = piece.facts
    strands = {id(piece.strand): piece.strand for piece in chain}.values()
    teeth, shut = (
        sorted(
            (look for strand in strands for look in getattr(strand, name).values() if first <= look.frame <= last),
            key=lambda look: -look.score,
        )
        for name in ("teeth", "shut")
    )
    edges = chain[0].starts or first == 0, chain[-1].ends or last == len(shots.mixed) - 1
    return Take(
        first, last, shots.of(first), meshes, facts, person, sure, *edges, shots.mixed[first : last + 1],
        tuple(teeth), tuple(shut),
    )  # fmt: skip


def usual_pose(take: Take, survey: Survey) -> tuple[Array, Pose]:
    """Normalised landmarks [70, 3] and pose of the frame of a take in which the face is seen best: most frontal."""
    yaw = np.where(take.meshes >= 0, np.abs(take.fact("yaw")), np.inf)
    mesh = survey.scratch.meshes(take.meshes[[int(np.argmin(yaw))]])
    faces, poses = remove_pose(from_mesh(mesh))
    return faces[0], poses[0]
