"""Learn what an emotion does to how far lips move in speech, from clips whose emotion is known.

    python -m pipelines.data.prepare --clips ../shared/media --output runs/data/train
    python -m pipelines.make.emotion_speech runs/data/train ../shared/media/catalog.csv

Acted clips (MEAD, and films that StyleTalk cut) name their emotion; all others are people who just talk. The logarithm
of how much each measure moves in a clip is a mean, the person's own part, the emotion's, and the rest; an emotion's
part is drawn towards none as far as so few people tell it. What is kept in speechhead/motion/emotion_speech.json are
the channels in which that tells people left out better than no emotion does, by a quarter of the squared error at
least, and in them the emotions that three people show and whose bounds leave no doubt of the direction.
"""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from pipelines.command import command
from speechhead.core.arrays import Array, Array64
from speechhead.core.controls import EMOTIONS
from speechhead.core.errors import ControlError
from speechhead.face.landmarks import from_mesh
from speechhead.motion.emotion import SPEECH

WORDS = {
    "happy": "happy", "sad": "sad", "surprise": "surprised", "fear": "afraid", "ang": "angry", "furious": "angry",
    "disgust": "disgusted",
}  # fmt: skip
"""What names of labelled files say, and the emotion that is meant."""

LABELLED = ("MEAD", "styletalk")
"""Beginnings of the identities whose files are labelled."""

NEUTRAL = "neutral"
"""What a labelled file of somebody who just talks says."""

APART = (*LABELLED, "GRID", "mcgurk", "mer_", "lro_", "lrw_", "LRS3")
"""Of those that are nobody who just talks: commands, single words and syllables, and films whose mood is not told."""

FELT = EMOTIONS[1:]

CHANNELS = ("opening", "width", "corners", "protrusion", "chin", "pace")

KEPT = 0.75
"""Part of the squared error without emotions that a channel may leave of people left out."""

FEWEST = 3
"""People who show an emotion that is kept."""

SHORTEST, LONGEST = 40, 400
"""Frames of a clip that are needed, and that are looked at."""

SPREADS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
"""Variances of logarithms that are tried for people, for clips and for emotions."""


class Clip(NamedTuple):
    """Whose it is, the emotion or none, and the logarithms of CHANNELS [6]."""

    person: str
    emotion: str | None
    moves: Array64


class Effect(NamedTuple):
    """Of every emotion [6] on the logarithm of a channel: drawn towards none, and the bounds of 90 per cent."""

    mean: float
    drawn: Array64
    low: Array64
    high: Array64


def moves(faces: Array) -> Array64:
    """Logarithms of CHANNELS [6] of a talking face [T, 70, 3], normalised space."""
    opening = (faces[:, [67, 66, 65], 1] - faces[:, [61, 62, 63], 1]).mean(1)
    nose = faces[:, 33]
    tracks = (
        opening,
        np.linalg.norm(faces[:, 54] - faces[:, 48], axis=1),
        faces[:, [48, 54], 1].mean(1) - nose[:, 1],
        faces[:, [51, 57], 2].mean(1) - nose[:, 2],
        faces[:, 8, 1] - nose[:, 1],
    )
    pace = np.abs(np.diff(opening)).mean() / opening.std()
    found: Array64 = np.log(np.array([*(track.std() for track in tracks), pace], np.float64))
    return found


def emotion_of(identity: str, file: str) -> str | None:
    """The emotion that a labelled file names; none of a neutral or another one."""
    if not identity.startswith(LABELLED):
        return None
    return next((emotion for word, emotion in WORDS.items() if word in file.lower()), None)


def clips(prepared: Path, catalog: Path) -> list[Clip]:
    """Training clips of people who act an emotion or just talk, as `pipelines.data.prepare` left them."""
    found = []
    with catalog.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            path = prepared / f"{Path(row['file']).stem}.npz"
            emotion = emotion_of(row["identity"], row["source_file"])
            talks = row["audio"] == "True" and not row["identity"].startswith(APART)
            talks |= NEUTRAL in row["source_file"]
            if row["split"] != "train" or not path.is_file() or not (emotion or talks):
                continue
            faces = from_mesh(np.load(path)["normalised"][:LONGEST])
            if len(faces) >= SHORTEST:
                found.append(Clip(row["identity"], emotion, moves(faces)))
    return found


def _alike(clips: list[Clip]) -> tuple[Array64, Array64]:
    """Which clips are of one person [N, N], and which emotion each one shows [N, 6]."""
    people = np.array([clip.person for clip in clips])
    shown = np.array([[clip.emotion == name for name in FELT] for clip in clips], np.float64)
    return (people[:, None] == people[None]).astype(np.float64), shown


def spreads(clips: list[Clip], values: Array64) -> tuple[float, float, float]:
    """Variances of people, clips and emotions under which values [N] are likeliest."""
    same, shown = _alike(clips)
    ones = np.ones(len(clips))

    def unlikely(variances: tuple[float, float, float]) -> float:
        person, clip, emotion = variances
        root = np.linalg.cholesky(person * same + clip * np.eye(len(clips)) + emotion * shown @ shown.T)
        one, value = np.linalg.solve(root, ones), np.linalg.solve(root, values)
        left = value - one * (one @ value) / (one @ one)
        return float(np.log(np.diag(root)).sum() + 0.5 * left @ left + 0.5 * np.log(one @ one))

    return min(itertools.product(SPREADS, SPREADS, (1e-6, *SPREADS)), key=unlikely)


def effect(clips: list[Clip], values: Array64) -> Effect:
    """What emotions do to values [N] of clips."""
    person, clip, emotion = spreads(clips, values)
    same, shown = _alike(clips)
    weight = np.linalg.inv(person * same + clip * np.eye(len(clips)))
    terms = np.concatenate([np.ones((len(clips), 1)), shown], 1)
    precision = terms.T @ weight @ terms + np.diag([0.0, *[1.0 / emotion] * len(FELT)])
    spread = np.linalg.inv(precision)
    best = spread @ terms.T @ weight @ values
    wide = 1.645 * np.sqrt(np.diag(spread))[1:]
    return Effect(float(best[0]), best[1:], best[1:] - wide, best[1:] + wide)


def left_out(clips: list[Clip], channel: int) -> tuple[float, float]:
    """Mean squared error of people with an emotion, each left out: told without emotions, and with them."""
    errors = []
    for person in sorted({clip.person for clip in clips if clip.emotion}):
        others = [clip for clip in clips if clip.person != person]
        known = effect(others, np.array([clip.moves[channel] for clip in others]))
        usual = float(np.mean([clip.moves[channel] for clip in others if not clip.emotion]))
        own = [clip for clip in clips if clip.person == person and clip.emotion]
        told = [known.mean + known.drawn[FELT.index(str(clip.emotion))] for clip in own]
        true = np.array([clip.moves[channel] for clip in own])
        errors.append([np.mean((true - usual) ** 2), np.mean((true - told) ** 2)])
    without, with_them = np.mean(errors, 0)
    return float(without), float(with_them)


def factors(known: Effect) -> list[str]:
    """Every emotion's factor and its bounds, as a table shows them."""
    bounds = np.exp(np.stack([known.drawn, known.low, known.high], 1))
    return [f"{drawn:.2f} ({low:.2f} to {high:.2f})" for drawn, low, high in bounds]


def main(
    prepared: Annotated[Path, typer.Argument(help="Folder of prepared clips.")],
    catalog: Annotated[Path, typer.Argument(help="Their catalogue.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")] = SPEECH,
) -> None:
    """Write the gains of speech, and print all of what was found."""
    try:
        found = clips(prepared, catalog)
    except OSError as error:
        raise ControlError(f"{catalog}: not readable. Give the catalogue of the clips.") from error
    acted = [clip for clip in found if clip.emotion]
    if not acted or len(acted) == len(found):
        raise ControlError(f"{prepared}: no prepared clips of both acted and plain speech. Give those of {catalog}.")
    people = {name: len({clip.person for clip in acted if clip.emotion == name}) for name in FELT}
    rows, gains = [], {}
    for place, channel in enumerate(CHANNELS):
        known = effect(found, np.array([clip.moves[place] for clip in found]))
        without, with_them = left_out(found, place)
        rows.append([channel, *factors(known), f"{without:.3f}", f"{with_them:.3f}"])
        if with_them <= KEPT * without:
            several = np.array([people[name] >= FEWEST for name in FELT])
            sure = several & ((known.low > 0.0) | (known.high < 0.0))
            gains[channel] = [round(float(gain), 3) for gain in np.where(sure, np.exp(known.drawn), 1.0)]
    heads = ["", *(f"{name}, {count}" for name, count in people.items()), "left out, none", "left out"]
    print(f"{len(acted)} clips of {len({c.person for c in acted})} people act, {len(found) - len(acted)} just talk")
    for cells in (heads, ["---"] * len(heads), *rows):
        print("| " + " | ".join(cells) + " |")
    told = {"emotions": FELT, "people": list(people.values()), "gains": gains}
    output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


app = command(main)

if __name__ == "__main__":
    app()
