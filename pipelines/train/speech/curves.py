"""What limits lips of people never heard: how they improve with people and seconds of each.

    python -m pipelines.train.speech.curves --media DIR [--media DIR] --data runs/s2l [--picture FILE]

After `pipelines.train.speech.prepare` and `offsets`. People of `train` and `val` stand in a circle in random order;
some neighbours train, and all others are judged, their sounds' own offsets undone. Two learners: the linear map of
`pipelines.train.speech.probe`, and a small network (`--config`). What is measured is kept in a file of JSON lines,
from which a run that was stopped goes on. `test` is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from pipelines.command import command
from pipelines.train.config import ConfigError

from .curve_report import GOALS, Record, curves, read_records, table, write_picture
from .data import SpeechClip, SpeechFeatures, load_speech_clips
from .evaluate import predict
from .measures import measure, over_people
from .probe import Compressed, Method, Moments, features_of, moments, solved
from .recordings import list_recordings
from .train import SpeechTraining, attach_features, labelled_recordings, train

FPS = 25
SHORTEST = 10
"""Frames of the shortest stretch that is learned from."""
SIZES = (8, 16, 32)
"""People that train, besides as many as can while a quarter is judged."""
SHARES = (0.125, 0.25, 0.5)
"""Of the seconds of each person, besides all."""
JUDGED = ("opening", "chin")
"""Curves that are measured."""
PENALTIES = (0.3, 1.0, 3.0)
"""Of the linear map: the best of these is taken at each size, so that none is at a loss for its size alone."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of a clip that is learned from: frames [first, last), first even, with a block's two frames."""

    clip: SpeechClip
    first: int
    last: int

    @property
    def taken(self) -> SpeechClip:
        """The stretch as a clip of its own; the neutral face stays that of the whole."""
        return replace(self.clip, landmarks=self.clip.landmarks[self.first : self.last])


Pieces = tuple[Piece, ...]
"""Of one person."""


def circle(people: Sequence[str], count: int) -> list[list[str]]:
    """Sets of `count` neighbours of a circle, evenly spread: the fewest that leave out everybody once, two at least."""
    if not 0 < count < len(people):
        raise ConfigError(f"{count} of {len(people)} people can not train and leave some to judge. Name fewer.")
    sets = max(2, -(-len(people) // (len(people) - count)))
    starts = [round(k * len(people) / sets) for k in range(sets)]
    return [[people[(start + k) % len(people)] for k in range(count)] for start in starts]


def pieces_of(clips: Sequence[SpeechClip], seconds: float, share: float, rng: np.random.Generator) -> Pieces:
    """A share of one person's clips, of `seconds` at most: clips in random order, the last one cut at random."""
    left = round(share * min(seconds * FPS, sum(len(clip.landmarks) for clip in clips)))
    pieces = []
    for index in rng.permutation(len(clips)):
        clip = clips[int(index)]
        count = min(max(left, SHORTEST), len(clip.landmarks))
        first = 2 * int(rng.integers((len(clip.landmarks) - count) // 2 + 1))
        pieces.append(Piece(clip, first, first + count))
        left -= count
        if left < SHORTEST:
            break
    return tuple(pieces)


class Linear:
    """The linear map of `probe`, one for each penalty; what features are is known from all sound, without pictures."""

    name = "linear map"

    def __init__(self, clips: Sequence[SpeechClip], features: Callable[[str], np.ndarray]) -> None:
        self._features = features
        self._compressed = Compressed.fit([features(clip.stem) for clip in clips])
        self._sums = lru_cache(maxsize=64)(self._person)
        self._seen = lru_cache(maxsize=512)(self._stacked)

    def __call__(self, people: Sequence[Pieces], seed: int) -> Mapping[str, Method]:
        squares, products = (np.sum([self._sums(pieces)[k] for pieces in people], axis=0) for k in (0, 1))
        return {str(penalty): self._method(solved(squares, products, penalty)) for penalty in PENALTIES}

    def _person(self, pieces: Pieces) -> Moments:
        weight = sum(piece.last - piece.first for piece in pieces) ** -0.5
        sums = [moments(self._seen(piece.clip.stem)[piece.first : piece.last], piece.taken) for piece in pieces]
        return weight * sum(one[0] for one in sums), weight * sum(one[1] for one in sums)

    def _stacked(self, stem: str) -> np.ndarray:
        return self._compressed.stacked(self._features(stem))

    def _method(self, weights: np.ndarray) -> Method:
        return lambda clip: (self._seen(clip.stem) @ weights).reshape(-1, 70, 3)


class Student:
    """The network of a config, on the recordings as they are and on speech without pictures."""

    name = "network"

    def __init__(self, config: SpeechTraining, clips: Sequence[SpeechClip]) -> None:
        self._config = config
        self._features = {clip.stem: found for clip, found in attach_features(config, list(clips))}
        self._labelled = labelled_recordings(config)

    def __call__(self, people: Sequence[Pieces], seed: int) -> Mapping[str, Method]:
        pairs = [self._pair(piece) for pieces in people for piece in pieces]
        network = train(replace(self._config, seed=seed), pairs, self._labelled, report=0)

        def speak(clip: SpeechClip) -> np.ndarray:
            return predict(network, self._features[clip.stem].copies[0][0], clip.neutral)

        return {"": speak}

    def _pair(self, piece: Piece) -> tuple[SpeechClip, SpeechFeatures]:
        block, own = self._config.network.window.block, piece.taken
        features = self._features[own.stem].stretch(piece.first // block, -(-piece.last // block))
        return replace(own, lag=own.lag + self._config.lead), features


def judged(method: Method, clips: Sequence[SpeechClip]) -> dict[str, dict[str, float]]:
    """What `GOALS` asks for, of each person."""
    found = {}
    for person in sorted({clip.identity for clip in clips}):
        own = [clip for clip in clips if clip.identity == person]
        rows = [measure(method(clip), clip.motion, round(clip.lag), JUDGED) for clip in own]
        row = over_people(rows, [person] * len(own))
        found[person] = {name: round(row[name], 4) for name in GOALS if name in row}
    return found


@dataclass(frozen=True)
class Study:
    """What is drawn at random, and how often.

    clips: all that may train or be judged, by person; seconds: of a person, at most; sets: of people at each size, at
    most, the people whom none of them leaves out are not judged
    """

    clips: Mapping[str, Sequence[SpeechClip]]
    seconds: float
    sets: int

    def cells(self) -> list[tuple[int, float]]:
        """People that train, and the share of each one's seconds."""
        most = len(self.clips) - -(-len(self.clips) // 4)
        grown = [(size, 1.0) for size in SIZES if size < most]
        return [*grown, (most, 1.0), *((most, share) for share in SHARES)]

    def run(self, learner: Linear | Student, known: Sequence[Record], draw: int) -> Iterator[Record]:
        """What is not known yet of one draw, for each set of people and each setting of the learner."""
        order = [str(name) for name in np.random.default_rng(draw).permutation(sorted(self.clips))]
        done = {(one.people, one.share, one.window) for one in known if (one.learner, one.draw) == (learner.name, draw)}
        taken = {share: self.taken(order, share, draw) for share in (1.0, *SHARES)}
        for count, share in self.cells():
            for window, names in enumerate(circle(order, count)[: self.sets]):
                if (count, share, window) in done:
                    continue
                chosen = [taken[share][name] for name in names]
                others = [clip for name in order if name not in names for clip in self.shown(name)]
                amount = sum(piece.last - piece.first for own in chosen for piece in own) / FPS / count
                about = (draw, count, share, window, round(amount, 2))
                methods = learner(chosen, 100 * draw + window)
                yield from [Record(learner.name, name, *about, judged(one, others)) for name, one in methods.items()]

    def taken(self, people: Sequence[str], share: float, draw: int) -> dict[str, Pieces]:
        """What each person trains with."""
        rng = np.random.default_rng([draw, round(1000 * share)])
        return {name: pieces_of(self.clips[name], self.seconds, share, rng) for name in people}

    def shown(self, person: str) -> list[SpeechClip]:
        """The clips by which a person is judged, the first ones."""
        taken: list[SpeechClip] = []
        for clip in self.clips[person]:
            if sum(len(one.landmarks) for one in taken) < self.seconds * FPS:
                taken.append(clip)
        return taken


def usable_clips(media: Sequence[Path], data: Path) -> dict[str, list[SpeechClip]]:
    """The clips of `train` and `val` whose sound belongs to their picture, by person."""
    people: dict[str, list[SpeechClip]] = {}
    for clip in load_speech_clips(list_recordings(media), data / "meshes", data / "lags.json"):
        if clip.split in ("train", "val") and clip.usable and (data / "clips" / "0" / f"{clip.stem}.npy").exists():
            people.setdefault(clip.identity, []).append(clip)
    return people


def main(
    media: Annotated[list[Path], typer.Option(help="Clips with catalog.csv, or shards; may be repeated.")],
    data: Annotated[Path, typer.Option(help="Folder that `prepare` and `offsets` filled.")],
    config: Annotated[Path | None, typer.Option(help="Also the network of this config.")] = None,
    speech: Annotated[Path | None, typer.Option(help="For it: recordings with phonemes.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Random orders of the people.")] = 4,
    seconds: Annotated[float, typer.Option(min=1, help="Of a person, at most.")] = 60.0,
    sets: Annotated[int, typer.Option(min=1, help="Of people at each size, at most; fewer judge fewer people.")] = 9,
    picture: Annotated[Path | None, typer.Option(help="Also draw the curves there (PNG).")] = None,
) -> None:
    """Learn, judge, and print tables of the curves with what they end in."""
    torch.set_num_threads(1)
    study = Study(usable_clips(media, data), seconds, sets)
    clips = [clip for own in study.clips.values() for clip in own]
    learner: Linear | Student
    if config:
        learner = Student(replace(SpeechTraining.load(config), features=data, speech=speech), clips)
    else:
        learner = Linear(clips, lambda stem: features_of(data, stem))
    kept = data / f"curves_{learner.name.split()[0]}.jsonl"
    known = read_records([kept])
    with kept.open("a", encoding="utf-8") as stream:
        for draw in range(draws):
            for record in study.run(learner, known, draw):
                stream.write(json.dumps(asdict(record)) + "\n")
                stream.flush()
    found = curves(read_records(sorted(data.glob("curves_*.jsonl"))))
    print(table(found))
    if picture:
        write_picture(found, picture)


app = command(main)


if __name__ == "__main__":
    app()
