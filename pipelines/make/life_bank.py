"""Real heads and brows in motion, cut into stretches for the bank that faces are moved by.

    python -m pipelines.make.life_bank --landmarks runs/data/train --media ../shared/media -o weights/life.npz

LANDMARKS holds NAME.npz of each clip (pipelines.data.prepare), MEDIA the clips and their catalog.csv; both options may
be given again for further footage. Training people only. Cuts, jumps, people who are told to keep still, and heads that
turn far away are left out; what is left is calmed, laid about each clip's own middle, and brought to a like liveliness.
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
from speechhead.face.landmarks import from_mesh, rotation_angles
from speechhead.motion.bank import CHANNELS, pack
from speechhead.motion.cues import Cues
from speechhead.motion.pose import NECK

from .motion_statistics import POSED, smooth

ACTED = ("LivePortrait", "styletalk", "EAT_code", "eamm")
"""Sources whose people act an expression, in part of the name."""

LAGS = 10
"""Frames either way in which sound and lips are laid upon each other."""


@dataclass(frozen=True)
class Choice:
    """What of the footage is kept, and how it is evened."""

    shortest: float = 1.6
    """Seconds of a stretch at least."""

    jump: tuple[float, float] = (5.0, 0.12)
    """Degrees and outer eye distances per frame from which a step is a cut or an error."""

    turned: float = 22.0
    """Degrees of yaw of a clip's middle beyond which its person looks away from the camera."""

    speed: tuple[float, float] = (3.0, 17.0)
    """Degrees per second, mean over the axes: of a talking person who is neither posing nor acting wildly."""

    idle_speed: tuple[float, float] = (0.8, 8.0)
    """The same of a person who does not talk."""

    usual_speeds: tuple[float, float, float] = (8.1, 7.9, 5.8)
    """Degrees per second of yaw, pitch and roll to which talking people are brought, as far as `gains` allows."""

    idle: float = 0.5
    """Part of those speeds to which people are brought who do not talk."""

    gains: tuple[float, float] = (0.5, 1.6)

    usual_brows: float = 0.0019
    """Change per frame, outer eye distances, to which brows are brought, as far as `brow_gains` allows."""

    brow_gains: tuple[float, float] = (0.5, 1.5)

    calm_seconds: float = 0.035
    """Standard deviation of the Gaussian that takes out what is left of the tracker's jitter."""

    middle_seconds: float = 3.0
    wander: float = 0.7
    """A person's middle pose wanders as slowly as `middle_seconds`; this part of it is taken out: the bank's places lie
    about one middle, and one can follow another."""

    quick_seconds: float = 0.5
    quick: tuple[float, ...] = (1.4, 1.3, 1.15, 1.0, 1.0, 1.0, 1.3, 1.3)
    """Factors of what moves faster than `quick_seconds`, by channel: trackers that calm faces calm gestures, too."""

    talking: float = 0.012
    """Standard deviation of the lip opening over a second, outer eye distances, from which a mute person talks."""


CHOICE = Choice()


def runs(kept: NDArray[np.bool_], shortest: int) -> Iterator[slice]:
    """Stretches of True [T] of at least `shortest` frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], kept.astype(np.int8), [0]])))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
        if end - start >= shortest:
            yield slice(start, end)


def raw_motion(arrays: dict[str, Array]) -> Array64:
    """Head and brows of a tracked clip, [T, 8] in the order of CHANNELS, not yet about its middle."""
    rotation, scale = arrays["rotation"].astype(np.float64), arrays["scale"].astype(np.float64)
    usual = float(np.median(scale))
    angles = np.unwrap(rotation_angles(rotation).astype(np.float64), period=360, axis=0)
    neck = (scale[:, None] * (rotation @ NECK) + arrays["translation"])[:, :2] / usual
    y = from_mesh(arrays["normalised"])[..., 1].astype(np.float64)
    brows = [
        y[:, eye].mean(1) - y[:, brow].mean(1) for eye, brow in (([36, 39], slice(17, 22)), ([42, 45], slice(22, 27)))
    ]
    return np.column_stack([angles, neck, np.log(scale / usual), *brows])


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


def stretches(arrays: dict[str, Array], path: Path, audio: bool) -> list[tuple[Array64, Array64]]:
    """Motion [T, 8] and cues [T, 6] of the parts of a clip that are of use."""
    motion = raw_motion(arrays)
    if abs(float(np.median(motion[:, 0]))) > CHOICE.turned or len(motion) < CHOICE.shortest * FPS:
        return []
    sound = sound_of(path, int(arrays["index"][-1]) + 1, _spread(arrays)) if audio else None
    if sound is None:
        cues, known = mute_cues(arrays["opening"])
    else:
        cues = cues_of(sound)[arrays["index"]]
        known = np.ones(len(cues), bool)
    steps = np.abs(np.diff(motion, axis=0, prepend=motion[:1]))
    cut = (steps[:, :3].max(1) > CHOICE.jump[0]) | (steps[:, 3:5].max(1) > CHOICE.jump[1])
    cut |= np.diff(arrays["index"], prepend=arrays["index"][0] - 1) > 1
    whole = np.convolve(cut, np.ones(5), "same") == 0
    motion = without_pose(smooth(motion, CHOICE.calm_seconds))
    motion -= np.median(motion, axis=0)
    motion -= CHOICE.wander * smooth(motion, CHOICE.middle_seconds)
    motion += (np.array(CHOICE.quick) - 1) * (motion - smooth(motion, CHOICE.quick_seconds))
    found = []
    for part in runs(whole & known, round(CHOICE.shortest * FPS)):
        spoken = float(cues[part, 0].mean()) > 0.3
        steps = np.abs(np.diff(motion[part], axis=0)).mean(0)
        low, high = CHOICE.speed if spoken else CHOICE.idle_speed
        if low <= float(steps[:3].mean() * FPS) <= high:
            found.append((motion[part] * gains(steps, spoken), cues[part]))
    return found


def gains(steps: Array64, spoken: bool) -> Array64:
    """Factors [8] that bring a stretch of these mean changes per frame [8] to a usual liveliness."""
    part = 1.0 if spoken else CHOICE.idle
    gain = np.ones(len(CHANNELS))
    gain[:3] = np.clip(part * np.array(CHOICE.usual_speeds) / np.maximum(steps[:3] * FPS, 1e-3), *CHOICE.gains)
    gain[3:6] = gain[:3].mean()
    gain[6:] = np.clip(part * CHOICE.usual_brows / max(float(steps[6:].mean()), 1e-6), *CHOICE.brow_gains)
    return gain


def _spread(arrays: dict[str, Array]) -> Array:
    """Opening of the lips at every frame of the clip, those without a face between their neighbours."""
    frames = np.arange(int(arrays["index"][-1]) + 1)
    return np.interp(frames, arrays["index"], arrays["opening"]).astype(np.float32)


def main(
    landmarks: Annotated[list[Path], typer.Option(help="Folder of NAME.npz of each clip.")],
    media: Annotated[list[Path], typer.Option(help="Folder of the clips, with catalog.csv, in the same order.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the bank goes.")],
) -> None:
    """Write the bank and print what is in it."""
    if len(landmarks) != len(media):
        raise typer.BadParameter("give as many --media as --landmarks.")
    found: list[tuple[Array64, Array64]] = []
    people: set[str] = set()
    for folder, clips in zip(landmarks, media):
        with (clips / "catalog.csv").open(encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
        for row in rows:
            cached = folder / f"{Path(row['file']).stem}.npz"
            if not cached.is_file() or any(part in row["source"] for part in POSED + ACTED):
                continue
            with np.load(cached) as arrays:
                own = stretches(dict(arrays), clips / row["file"], row["audio"] == "True")
            found += own
            people |= {row["identity"]} if own else set()
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
