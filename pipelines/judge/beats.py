"""How heads keep time with what is said: Beat Align, and how much of it is chance.

    python -m pipelines.judge.beats CLIPS [--split val]

Beat Align is of AIST++ (Li et al., 2021), and for heads SadTalker's (Zhang et al., 2023). Beats of the sound are peaks
of its onset strength, which librosa computes; beats of the head are moments in which it turns slowest: it arrives
there, or turns round.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines.command import command
from speechhead.audio.io import load_audio
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS, SAMPLE_RATE
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, SpeechheadError
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.compose import Motion
from speechhead.speech.model import Speech2Landmarks

from .clips import list_clips, read_frames, track

HOP = SAMPLE_RATE // 100
"""Samples from one value of the onset strength to the next."""

APART = 0.15
"""Seconds between two beats at least: shorter than a syllable."""

PROMINENT = 0.5
"""Standard deviations by which a peak of the onset strength stands out."""

SLOWER = 0.2
"""Part of the mean speed of turning by which a head is slower in a beat than around it."""

TOLERANCE = 0.12
"""Seconds: the width of Beat Align's bell, three video frames."""

SHIFTS = 12
"""By how many parts of its length a sound is shifted to tell what chance is."""


@cache
def librosa() -> Any | None:
    """The package, or None where it is not installed: then there are no beats."""
    try:
        return importlib.import_module("librosa")
    except ImportError:
        return None


def sound_beats(samples: Array) -> Array:
    """Seconds at which something is stressed in a sound, float32 [n] at 16 kHz.

    Raises
    ------
    AudioError without librosa.
    """
    package = librosa()
    if package is None:
        raise AudioError("beats of a sound need librosa, which is not installed. pip install librosa.")
    from scipy import signal

    strength = package.onset.onset_strength(y=np.asarray(samples, np.float32), sr=SAMPLE_RATE, hop_length=HOP)
    tall = PROMINENT * float(strength.std())
    peaks, _ = signal.find_peaks(strength, prominence=max(tall, 1e-6), distance=round(APART * SAMPLE_RATE / HOP))
    return np.asarray(peaks * HOP / SAMPLE_RATE, np.float32)


def head_beats(angles: Array) -> Array:
    """Seconds at which a head with yaw, pitch and roll [T, 3] in degrees, 25 a second, turns slowest."""
    from scipy import signal

    turning = np.unwrap(np.asarray(angles, np.float64), period=360, axis=0)
    if len(turning) < 7:
        return np.zeros(0, np.float32)
    speed = np.linalg.norm(np.gradient(signal.savgol_filter(turning, 7, 2, axis=0), axis=0), axis=1)
    least = SLOWER * float(speed.mean())
    peaks, _ = signal.find_peaks(-speed, prominence=max(least, 1e-6), distance=round(APART * FPS))
    return np.asarray(peaks / FPS, np.float32)


def beat_align(head: Array, sound: Array) -> float | None:
    """Mean over the head's beats of exp(-d^2 / 2 s^2), d being the way to the sound's nearest beat; 0..1, 1 is in time.

    None where either has no beat.
    """
    if not len(head) or not len(sound):
        return None
    away = np.abs(head[:, None] - sound[None]).min(1)
    return float(np.exp(-(away**2) / (2 * TOLERANCE**2)).mean())


def beat_measures(angles: Array, samples: Array) -> dict[str, float | None]:
    """`beat_align`, and `beat_gain`: by how much it is above that of the same sound at other times.

    Syllables are so many that a head which knows nothing of them is near one most of the time.
    """
    if librosa() is None:
        return {"beat_align": None, "beat_gain": None}
    head, sound, seconds = head_beats(angles), sound_beats(samples), len(angles) / FPS
    aligned = beat_align(head, sound)
    if aligned is None:
        return {"beat_align": None, "beat_gain": None}
    shifted = [beat_align(head, (sound + seconds * k / SHIFTS) % seconds) for k in range(1, SHIFTS)]
    return {"beat_align": aligned, "beat_gain": aligned - float(np.mean([one for one in shifted if one is not None]))}


def rows_of_beats(clips: Path, split: str | None) -> Iterator[dict[str, Any]]:
    """Measures of the real head of each clip with sound, and of the one that we move by the same sound."""
    speech = Speech2Landmarks.load(threads=1)
    for entry in list_clips(clips, split, None):
        try:
            samples, seen = load_audio(entry.path), track(read_frames(entry.path, None))
        except SpeechheadError as error:
            print(f"left out: {entry.path.name}: {error}")
            continue
        if seen is None or not len(samples):
            continue
        motion = Motion(REFERENCE, Pose.from_angles(translation=(128, 128, 0), scale=60), Controls())
        poses = motion.step(speech.whole(samples), samples)[1]
        ours = np.array([pose.angles for pose in poses], np.float32)
        yield {
            "file": entry.path.name,
            "real": beat_measures(seen.angles, samples),
            "ours": beat_measures(ours, samples),
        }


def main(
    clips: Annotated[Path, typer.Argument(help="Folder of talking-face clips.")],
    split: Annotated[str | None, typer.Option(help="Only this split of the catalogue.")] = None,
    output: Annotated[Path | None, typer.Option("--json", help="File for the rows.")] = None,
) -> None:
    """Measure the clips, and print the means."""
    if librosa() is None:
        sound_beats(np.zeros(1, np.float32))
    rows = list(rows_of_beats(clips, split))
    if output:
        output.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    for who in ("real", "ours"):
        for name in ("beat_align", "beat_gain"):
            known = [row[who][name] for row in rows if row[who][name] is not None]
            print(f"{who:5s} {name:11s} {np.mean(known) if known else float('nan'):.3f} ({len(known)} clips)")


app = command(main)


if __name__ == "__main__":
    app()
