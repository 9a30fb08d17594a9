"""Real heads and brows in motion, cut into stretches for the bank that faces are moved by.

    python -m pipelines.make.life_bank --media ../shared/media --media ../shared/media2 --meshes runs/meshes \
        -o weights/life.npz

MEDIA holds clips and their catalog.csv. MESHES keeps NAME.npz with what the tracker sees of each, as it sees it; clips
that are not there yet are tracked. Training people only. Cuts, jumps, people who are told to keep still or to act, and
heads that turn far away are left out; what is left is calmed as little as the tracker's trembling asks for, laid about
each clip's own middle, and brought to the liveliness that people have in talk.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.audio.io import load_audio
from speechhead.audio.prosody import prosody
from speechhead.core.arrays import Array, Array64
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.errors import AudioError
from speechhead.face.landmarks import from_mesh, mouth_opening, remove_pose, rotation_matrix
from speechhead.face.tracker import FaceTracker
from speechhead.media.reader import VideoReader
from speechhead.motion.bank import CHANNELS, pack
from speechhead.motion.cues import Cues
from speechhead.motion.life import MATCHING
from speechhead.motion.pose import NECK, drawn

from .motion_statistics import POSED, smooth

ACTED = ("LivePortrait", "styletalk_", "EAT_code", "EAMM", "MEAD")
"""Sources, and people, of acted expressions, in part of the name."""

LAGS = 10
"""Frames either way in which sound and lips are laid upon each other."""


@dataclass(frozen=True)
class Choice:
    """What of the footage is kept, and how it is evened."""

    shortest: float = 1.6
    """Seconds of a stretch at least."""

    longest: int = 750
    """Frames that are taken of one person at most."""

    jump: tuple[float, float] = (6.0, 0.12)
    """Degrees and outer eye distances per frame from which a step is a cut or an error."""

    turned: float = 22.0
    """Degrees of yaw of a clip's middle beyond which its person looks away from the camera."""

    speed: tuple[float, float] = (3.0, 50.0)
    """Degrees per second, mean over the axes: of a talking person who is neither posing nor acting wildly."""

    idle_speed: tuple[float, float] = (0.8, 12.0)
    """The same of a person who does not talk."""

    usual_speeds: tuple[float, float, float] = (22.5, 20.0, 14.0)
    """Degrees per second of yaw, pitch and roll, root of the mean square, to which talking people are brought, as far
    as `gains` allows. With them motion, as it is chosen, has the spread of people in talk."""

    idle: float = 0.5
    """Part of those speeds to which people are brought who do not talk."""

    gains: tuple[float, float] = (0.4, 2.5)

    quickest: float = 4.5
    """Degrees per frame that no stretch passes after that."""

    sway: tuple[float, float, float] = (0.8, 0.8, 0.8)
    """Factors of the way of the neck across and along the picture and of growth, over the mean gain of the turns."""

    usual_brows: float = 0.0047
    """Change per frame, outer eye distances, root of the mean square, to which brows are brought, as far as
    `brow_gains` allows."""

    brow_gains: tuple[float, float] = (0.5, 2.5)

    calm_seconds: float = 0.03
    """Standard deviation of the Gaussian that takes out the tracker's jitter: half of what moves 4 to 8 times a second
    in talk is jitter, of what moves more slowly hardly anything."""

    middle_seconds: float = 3.0
    wander: tuple[float, ...] = (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0)
    """A person's middle pose wanders as slowly as `middle_seconds`; this part of it is taken out, by channel: places
    lie about one middle, and one can follow another."""

    talking: float = 0.012
    """Standard deviation of the lip opening over a second, outer eye distances, from which a mute person talks."""


CHOICE = Choice()


def runs(kept: NDArray[np.bool_], shortest: int) -> Iterator[slice]:
    """Stretches of True [T] of at least `shortest` frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], kept.astype(np.int8), [0]])))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
        if end - start >= shortest:
            yield slice(start, end)


def raw_motion(mesh: Array) -> tuple[Array64, Array]:
    """Head and brows of a tracked clip, [T, 8] in the order of CHANNELS, not yet about its middle, and its lip opening.

    The neck is where it is for a head that is drawn turned so that a tracker tells these angles: with it the face goes
    where it was seen.
    """
    points = from_mesh(mesh)
    normalised, poses = remove_pose(points)
    angles = np.unwrap(np.array([pose.angles for pose in poses], np.float64), period=360, axis=0)
    scale = np.array([pose.scale for pose in poses], np.float64)
    usual, middle = float(np.median(scale)), np.median(angles, axis=0)
    turns = np.array([rotation_matrix(turn) for turn in middle + drawn(angles - middle)], np.float64)
    behind = scale[:, None] * np.einsum("tij,tj->ti", turns, NECK - normalised[:, :68].mean(1))
    neck = (points[:, :68].mean(1) + behind)[:, :2] / usual
    y = normalised[..., 1].astype(np.float64)
    brows = [
        y[:, eye].mean(1) - y[:, brow].mean(1) for eye, brow in (([36, 39], slice(17, 22)), ([42, 45], slice(22, 27)))
    ]
    return np.column_stack([angles, neck, np.log(scale / usual), *brows]), mouth_opening(normalised)


def without_pose(motion: Array64) -> Array64:
    """`motion` with brows that do not rise and fall with the head: trackers let them."""
    brows, angles = motion[:, 6:], motion[:, :3] - np.median(motion[:, :3], axis=0)
    system = np.column_stack([angles, np.ones(len(angles))])
    ridge = 1e-3 * len(angles) * np.diag([1.0, 1.0, 1.0, 0.0])
    fit = np.linalg.solve(system.T @ system + ridge, system.T @ brows)
    return np.column_stack([motion[:, :6], brows - angles @ fit[:3]])


def sound_of(path: Path, frames: int, opening: Array) -> Array | None:
    """Sound of a clip, moved to where its lips are: float32 [640 frames]; None without sound that can be believed."""
    try:
        sound = load_audio(path)
    except AudioError:
        return None
    padded = np.zeros(frames * SAMPLES_PER_FRAME, np.float32)
    padded[: min(len(sound), len(padded))] = sound[: len(padded)]
    loud = np.sqrt(np.square(padded.reshape(frames, -1), dtype=np.float64).mean(1)).astype(np.float32)
    return np.roll(padded, lag_of(opening, loud) * SAMPLES_PER_FRAME)


def lag_of(opening: Array, loud: Array) -> int:
    """Frames by which lips [T] come after the loudness [T] of their sound; 0 where that can not be told."""

    def likeness(lag: int) -> float:
        late, sound = opening[max(lag, 0) : len(opening) + min(lag, 0)], loud[max(-lag, 0) : len(loud) - max(lag, 0)]
        return float(np.corrcoef(late, sound)[0, 1]) if late.std() > 1e-5 and sound.std() > 1e-5 else 0.0

    found = {lag: likeness(lag) for lag in range(-LAGS, LAGS + 1)}
    best = max(found, key=lambda lag: found[lag])
    return best if found[best] > 0.2 else 0


def cues_of(sound: Array) -> Array64:
    """Cues [T, 6] of a sound."""
    heard, cues = prosody(sound), Cues()
    return np.array(
        [
            cues.step(float(e), float(p), bool(a))
            for e, p, a in zip(heard.energy, heard.pitch, heard.active, strict=True)
        ]
    )


def mute_cues(opening: Array) -> tuple[Array64, NDArray[np.bool_]]:
    """Cues [T, 6] of a mute clip, and where they are known: where the lips have been still for a while."""
    spread = np.sqrt(
        np.maximum(smooth(opening.astype(np.float64) ** 2, 0.4) - smooth(opening.astype(np.float64), 0.4) ** 2, 0)
    )
    still = spread < CHOICE.talking
    cues = np.zeros((len(opening), 6))
    cues[:, 5] = 1.0
    return cues, np.asarray(still, bool)


def stretches(mesh: Array, path: Path, audio: bool) -> list[tuple[Array64, Array64]]:
    """Motion [T, 8] and cues [T, 6] of the parts of a clip that are of use.

    mesh : [T, 478, 3] px, what the tracker sees, NaN in frames without a face
    """
    index = np.flatnonzero(np.isfinite(mesh).all((1, 2)))
    if len(index) < CHOICE.shortest * FPS:
        return []
    motion, opening = raw_motion(mesh[index])
    if abs(float(np.median(motion[:, 0]))) > CHOICE.turned:
        return []
    sound = sound_of(path, int(index[-1]) + 1, _spread(opening, index)) if audio else None
    if sound is None:
        cues, known = mute_cues(opening)
    else:
        cues = cues_of(sound)[index]
        known = np.ones(len(cues), bool)
    steps = np.abs(np.diff(motion, axis=0, prepend=motion[:1]))
    cut = (steps[:, :3].max(1) > CHOICE.jump[0]) | (steps[:, 3:5].max(1) > CHOICE.jump[1])
    cut |= np.diff(index, prepend=index[0] - 1) > 1
    whole = np.convolve(cut, np.ones(5), "same") == 0
    motion = without_pose(smooth(motion, CHOICE.calm_seconds))
    motion -= np.median(motion, axis=0)
    motion -= np.array(CHOICE.wander) * smooth(motion, CHOICE.middle_seconds)
    found = []
    for part in runs(whole & known, round(CHOICE.shortest * FPS)):
        spoken = float(cues[part, 0].mean()) > 0.3
        steps = np.diff(motion[part], axis=0)
        low, high = CHOICE.speed if spoken else CHOICE.idle_speed
        if low <= float(np.abs(steps[:, :3]).mean() * FPS) <= high:
            gain = gains(np.sqrt(np.square(steps).mean(0)), spoken)
            gain[:3] = np.minimum(gain[:3], CHOICE.quickest / np.abs(steps[:, :3]).max(0))
            found.append((motion[part] * gain, told_ahead(cues[part])))
    return found


def told_ahead(cues: Array64) -> Array64:
    """Cues [T, 6] of a stretch whose `speaking` is the mean over the frames for which a place is kept at least.

    A waiting face is not given a speaker's breath between two phrases, which the gestures of the next one follow.
    """
    sums = np.concatenate([[0.0], np.cumsum(cues[:, 0])])
    start = np.arange(len(cues))
    end = np.minimum(start + MATCHING.shortest, len(cues))
    told = cues.copy()
    told[:, 0] = (sums[end] - sums[start]) / (end - start)
    return told


def gains(steps: Array64, spoken: bool) -> Array64:
    """Factors [8] that bring a stretch of these changes per frame [8], root of the mean square, to usual liveliness."""
    part = 1.0 if spoken else CHOICE.idle
    gain = np.ones(len(CHANNELS))
    gain[:3] = np.clip(part * np.array(CHOICE.usual_speeds) / np.maximum(steps[:3] * FPS, 1e-3), *CHOICE.gains)
    gain[3:6] = gain[:3].mean() * np.array(CHOICE.sway)
    gain[6:] = np.clip(part * CHOICE.usual_brows / max(float(steps[6:].mean()), 1e-6), *CHOICE.brow_gains)
    return gain


def _spread(opening: Array, index: NDArray[np.int64]) -> Array:
    """Opening of the lips at every frame of the clip, those without a face between their neighbours."""
    return np.interp(np.arange(int(index[-1]) + 1), index, opening).astype(np.float32)


def mesh_of(path: Path, kept: Path) -> Array:
    """Meshes [T, 478, 3] of a clip as the tracker sees them, NaN without a face; kept in a file for the next time."""
    target = kept / f"{path.stem}.npz"
    if not target.is_file():
        lost = np.full((478, 3), np.nan, np.float32)
        faces = FaceTracker(threads=1).track(VideoReader(path, fps=FPS).frames(0, None))
        np.savez(target, mesh=np.stack([lost if face is None else face.mesh for face in faces]))
    with np.load(target) as arrays:
        mesh: Array = arrays["mesh"]
    return mesh


def capped(found: list[tuple[Array64, Array64]], frames: int) -> list[tuple[Array64, Array64]]:
    """The first stretches of one person, `frames` in all at most."""
    kept, shortest = [], round(CHOICE.shortest * FPS)
    for motion, cues in found:
        part = min(frames, len(motion))
        frames -= part
        if part >= shortest:
            kept.append((motion[:part], cues[:part]))
    return kept


def main(
    media: Annotated[list[Path], typer.Option(help="Folder of the clips, with catalog.csv; may be given again.")],
    meshes: Annotated[Path, typer.Option(help="Folder in which tracked meshes are kept.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the bank goes.")],
) -> None:
    """Write the bank and print what is in it."""
    meshes.mkdir(parents=True, exist_ok=True)
    people: dict[str, list[tuple[Array64, Array64]]] = {}
    for clips in media:
        with (clips / "catalog.csv").open(encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
        for row in rows:
            path, who = clips / row["file"], row["identity"]
            if path.is_file() and not any(part in f"{row['source']} {who}" for part in POSED + ACTED):
                people.setdefault(who, []).extend(stretches(mesh_of(path, meshes), path, row["audio"] == "True"))
    people = {who: own for who, all_own in people.items() if (own := capped(all_own, CHOICE.longest))}
    found = [stretch for own in people.values() for stretch in own]
    packed: dict[str, Any] = pack(found)
    np.savez_compressed(output, **packed)
    motion, cues = (np.concatenate([one[i] for one in found]) for i in range(2))
    idle = cues[:, 0] < 0.1
    steps = np.concatenate([np.abs(np.diff(m[:, :3], axis=0)) for m, _ in found]).mean(0) * FPS
    print(f"{output}: {len(found)} stretches of {len(people)} people, {len(motion) / FPS / 60:.1f} minutes")
    print(f"{output.stat().st_size} bytes; {idle.mean():.0%} of it not in speech")
    print(f"standard deviations {dict(zip(CHANNELS, motion.std(0).round(4).tolist()))}")
    print(f"speed of yaw, pitch, roll, degrees per second: {steps.round(1).tolist()}")


app = command(main)

if __name__ == "__main__":
    app()
