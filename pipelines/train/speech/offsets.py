"""Find by how many frames each clip's picture is behind its sound, and unusable sound.

    python -m pipelines.train.speech.offsets CONFIG OUTPUT

Clips are muxed from many sources. A network trained on the reliable ones predicts the others; the lag at
which its lip opening fits the truth best is the clip's. Then again, two-fold, on everything usable, so
that no clip is judged by a network that has seen it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from pipelines.command import command
from pipelines.data.curves import best_lag, correlation
from speechhead.core.arrays import Array

from .data import SpeechClip, SpeechFeatures, load_speech_clips
from .evaluate import REACH, opening_of, predict
from .network import Network
from .train import SpeechTraining, attach_features, labelled_recordings, train

RELIABLE = ("GRID", "mcgurk")
"""Identities whose sound is known to belong to the picture without offset."""

WEAKEST = 0.3
"""Correlation at the best lag below which a clip's sound is left out."""


def picture_lag(ours: Array, true: Array) -> tuple[int, float]:
    """Frames by which a picture is behind what its sound says, openings [T], and the correlation there.

    Short clips fit anything somewhere: they prefer no lag more strongly.
    """
    lag, r = best_lag(true, ours, REACH, 0.006 + 0.4 / max(len(true), 25))
    return lag or 0, r


def judge(network: Network, pairs: list[tuple[SpeechClip, SpeechFeatures]]) -> dict[str, dict[str, Any]]:
    """Lag and usability of clips under a network that has not seen them."""
    found = {}
    for clip, features in pairs:
        ours, true = opening_of(predict(network, features.copies[0][0], clip.neutral)), opening_of(clip.motion)
        lag, r = picture_lag(ours, true)
        needed = WEAKEST + 8 / len(true)
        found[clip.stem] = {
            "lag": float(lag), "usable": bool(r >= needed and abs(lag) < REACH), "r": round(r, 3),
            "r0": round(correlation(ours[: len(true)], true[: len(ours)]), 3),
        }  # fmt: skip
        if clip.identity.startswith(RELIABLE):
            found[clip.stem] |= {"lag": 0.0, "usable": True}
    return found


def apply(
    found: dict[str, dict[str, Any]], pairs: list[tuple[SpeechClip, SpeechFeatures]]
) -> list[tuple[SpeechClip, SpeechFeatures]]:
    """The pairs with the found lags, unusable ones left out."""
    good = [(replace(clip, lag=found[clip.stem]["lag"]), features) for clip, features in pairs if clip.stem in found]
    return [(clip, features) for clip, features in good if found[clip.stem]["usable"]]


def find_offsets(config: SpeechTraining, rounds: int = 2) -> dict[str, dict[str, Any]]:
    """Lag and usability of every clip, `val` ones included (these are never trained on)."""
    pairs = attach_features(config, load_speech_clips(config.media, config.landmarks))
    labelled = labelled_recordings(config)
    first = [p for p in pairs if p[0].identity.startswith(RELIABLE) and p[0].split == "train"]
    found = judge(train(config, first, labelled, report=0), pairs)
    people = sorted({clip.identity for clip, _ in pairs if clip.split == "train"})
    for _ in range(rounds):
        usable = apply(found, pairs)
        fresh: dict[str, dict[str, Any]] = {}
        for fold in range(2):
            held = {name for i, name in enumerate(people) if i % 2 == fold}
            seen = [p for p in usable if p[0].split == "train" and p[0].identity not in held]
            network = train(config, seen, labelled, report=0)
            fresh |= judge(network, [p for p in pairs if p[0].identity in held or (p[0].split == "val" and fold == 0)])
        found = fresh
    return found


def main(
    config: Annotated[Path, typer.Argument(help="A training config of Speech2Landmarks.")],
    output: Annotated[Path, typer.Argument(help="JSON to write, which `lags` of the training config names.")],
) -> None:
    """Judge every clip and write the JSON."""
    torch.set_num_threads(1)
    found = find_offsets(SpeechTraining.load(config))
    output.write_text(json.dumps(found, indent=1), encoding="utf-8")


app = command(main)


if __name__ == "__main__":
    app()
