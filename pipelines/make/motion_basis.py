"""Fit the basis in which motion is sent to browsers that draw by themselves.

    python -m pipelines.make.motion_basis ../shared/media

The sound of training clips and some spoken texts, in several emotions, moves shipped portraits; the main directions of
that motion are written to speechhead/motion/wire_basis.json, with the orders of the code that
suit it. What it loses, and how many bits it takes, is measured on a portrait and a text that were not used.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.audio.io import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError
from speechhead.face.landmarks import Pose
from speechhead.motion.compose import EyesMoved, Motion
from speechhead.motion.wire import BASIS, SCALARS, MotionBasis, cost, pack
from speechhead.speech.model import Speech2Landmarks
from speechhead.tts import synthesize

COUNT = 24
"""Directions kept."""

STEP = 0.002
"""Of a code, outer eye distances: a third of a pixel at 512 px."""

UNIT = 1e-4
"""Of the whole numbers in the file."""

PORTRAITS = ("eileen_collins", "mara", "reuben_robie", "tomas", "benjamin_hilliard")
JUDGE = "grace_hopper"
"""Portraits that the basis is fitted on, and the one that it is judged by."""

EMOTIONS: tuple[dict[str, float], ...] = (
    {}, {"happy": 0.8}, {"sad": 0.8}, {"surprised": 0.8}, {"afraid": 0.6}, {"angry": 0.7}, {"disgusted": 0.6},
)  # fmt: skip

TEXTS = (
    "Would you believe that five very brave wolves chewed through the fence, and swam away before we could shout?",
    "Papa bought a big brown map of Bavaria; the judge measured every edge of it, and you should too.",
)
JUDGED = "Good morning. I was asked today whether machines could ever really think, and I said: maybe they do."

ORDERS = range(8)


class Moved(NamedTuple):
    """Motion of a portrait: its face at rest and its pose, and of every frame the eyes and the pose."""

    rest: Array
    base: Pose
    eyes: list[EyesMoved]
    poses: list[Pose]


def moved(avatar: Avatar, speech: Speech2Landmarks, sound: NDArray[np.float32], controls: Controls) -> Moved:
    """What a sound [n] at 16 kHz makes of a portrait."""
    motion = Motion(avatar.neutral, avatar.pose, controls)
    stream = speech.stream(motion.rest, dict(controls.emotion))
    articulation = np.concatenate([stream.push(sound), stream.flush()])
    padded = np.pad(sound, (0, max(0, len(articulation) * SAMPLES_PER_FRAME - len(sound))))
    eyes, poses = [], []
    for number, frame in enumerate(articulation):
        block = padded[number * SAMPLES_PER_FRAME : (number + 1) * SAMPLES_PER_FRAME]
        poses += motion.step(frame[None], block)[1]
        eyes.append(motion.eyes)
    return Moved(motion.rest, motion.base_pose, eyes, poses)


def sounds(media: Path, clips: int) -> Iterator[NDArray[np.float32]]:
    """Spoken texts, and the sound of training clips, one of a person."""
    yield from (synthesize(text).samples for text in TEXTS)
    people: set[str] = set()
    with (media / "catalog.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            path = media / row["file"]
            if len(people) < clips and row["split"] == "train" and row["identity"] not in people and path.is_file():
                people.add(row["identity"])
                with contextlib.suppress(AudioError):  # a clip without sound
                    yield load_audio(path)[: 20 * FPS * SAMPLES_PER_FRAME]


def fitted(takes: list[Moved]) -> MotionBasis:
    """The basis of takes: rounded as in its file, codes of the orders that take the fewest bits."""
    faces = np.concatenate([[eyes.before - take.rest for eyes in take.eyes] for take in takes]).reshape(-1, 210)
    mean = np.rint(faces.mean(0) / UNIT) * UNIT
    rows = np.rint(np.linalg.svd(faces - mean, full_matrices=False)[2][:COUNT] / UNIT) * UNIT
    plain = (0,) * (COUNT + len(SCALARS))
    basis = MotionBasis("", STEP, mean.astype(np.float64), rows.astype(np.float64), plain, plain)
    told = [codes(basis, take) for take in takes]
    whole = best_orders(np.concatenate(told))
    change = best_orders(np.concatenate([np.diff(each, axis=0) for each in told]))
    name = hashlib.sha256(rows.tobytes() + mean.tobytes() + bytes((*whole, *change))).hexdigest()[:12]
    return MotionBasis(name, STEP, basis.mean, basis.rows, whole, change)


def codes(basis: MotionBasis, take: Moved) -> NDArray[np.int64]:
    """A take's frames as whole numbers [T, K + 10]."""
    pairs = zip(take.eyes, take.poses, strict=True)
    return np.stack([basis.codes(take.rest, take.base, eyes, pose) for eyes, pose in pairs])


def best_orders(values: NDArray[np.int64]) -> tuple[int, ...]:
    """The order of each column of whole numbers [T, V] that takes the fewest bits."""
    return tuple(int(np.argmin([cost(column, order).sum() for order in ORDERS])) for column in values.T)


def judged(basis: MotionBasis, take: Moved, faces: Array) -> dict[str, Any]:
    """What the wire does to a take whose faces are known [T, 70, 3]: pixels at the portrait's scale, and bits."""
    told = codes(basis, take)
    shown = [basis.face(take.rest, take.base, frame) for frame in told]
    off = np.abs(np.stack([face for face, _ in shown]) - faces)[..., :2] * take.base.scale
    turned = [np.abs(np.subtract(a.angles, b.angles)).max() for (_, a), b in zip(shown, take.poses)]
    packets = [len(pack(basis, 0, at, list(told[at : at + 4]))) for at in range(0, len(told) - 4, 2)]
    packet = float(np.mean(packets))
    return {
        "scale": round(take.base.scale, 1), "landmarks_px_mean": round(float(off.mean()), 4),
        "landmarks_px_most": round(float(off.max()), 3), "degrees_most": round(float(max(turned)), 4),
        "bytes_of_a_packet": round(packet, 1), "kbit_s_with_headers": round((packet + 93) * 8 * FPS / 2 / 1000, 2),
    }  # fmt: skip


def write(basis: MotionBasis, path: Path) -> None:
    """The file of a basis."""
    told = {
        "format": "speechhead-motion-basis", "version": 1, "name": basis.name, "step": basis.step, "unit": UNIT,
        "scalars": SCALARS, "whole": basis.whole, "change": basis.change,
        "mean": np.rint(basis.mean / UNIT).astype(int).tolist(),
        "rows": np.rint(basis.rows / UNIT).astype(int).tolist(),
    }  # fmt: skip
    path.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")


def main(
    media: Annotated[Path, typer.Argument(help="Folder of clips, with catalog.csv.")],
    output: Annotated[Path, typer.Option("-o", help="File to write.")] = BASIS,
    clips: Annotated[int, typer.Option(help="Clips whose sound is used, of as many people.")] = 24,
) -> None:
    """Fit the basis and say what it loses."""
    speech = Speech2Landmarks.load(threads=1)
    faces = [Avatar.open(name, 512) for name in PORTRAITS]
    takes = []
    for number, sound in enumerate(sounds(media, clips)):
        controls = Controls(seed=number, emotion=EMOTIONS[number % len(EMOTIONS)])
        takes.append(moved(faces[number % len(faces)], speech, sound, controls))
    basis = fitted(takes)
    write(basis, output)
    stranger = Avatar.open(JUDGE, 512)
    for emotion in ({}, {"happy": 0.7}):
        sound, controls = synthesize(JUDGED).samples, Controls(seed=99, emotion=emotion)
        take = moved(stranger, speech, sound, controls)
        motion = Motion(stranger.neutral, stranger.pose, controls)
        stream = speech.stream(motion.rest, dict(controls.emotion))
        articulation = np.concatenate([stream.push(sound), stream.flush()])
        whole, _ = motion.step(articulation, sound[: len(articulation) * SAMPLES_PER_FRAME])
        print(json.dumps({"emotion": emotion, **judged(basis, take, whole)}))
    print(json.dumps({"frames": sum(len(t.poses) for t in takes), "bytes": output.stat().st_size, "name": basis.name}))


app = command(main)
if __name__ == "__main__":
    app()
