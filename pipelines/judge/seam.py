"""What shines bright between closed lips, and how mouths flicker, along the lip line.

python -m pipelines.judge.seam FOLDER SOUND [--names FILE] [--json OUT]

Between closed lips there is a line that is darker than the lips. Where teeth of a smile shine through, it is brighter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from pipelines.command import command
from speechhead.audio import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.clocks import SAMPLES_PER_FRAME, frames_in
from speechhead.core.controls import Controls
from speechhead.face.landmarks import Pose, mouth_opening, to_pixels
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.meshwarp import LOWER_INNER_LIP, OUTER_LIP, UPPER_INNER_LIP
from speechhead.generators.protocol import Generator
from speechhead.motion.compose import Motion
from speechhead.speech.model import Speech2Landmarks

from .each import avatars_of
from .performers import WholeSpeech

LUMA = np.array([0.299, 0.587, 0.114], np.float32)

BAND = 0.02
"""Half width of the band about the lip line in which nothing narrow may be bright, outer eye distances."""

NARROW = 0.06
"""What is bright and narrower than this across the lip line is no lip and no light on one, outer eye distances."""

ENDS = 0.1
"""Parts of the line at either corner that are left out."""

ALONG, ACROSS = 96, 81
"""Places along the line, and across it over 2 * REACH."""

REACH = 0.08
"""How far a profile reaches to either side of the line, outer eye distances."""

SMILES = 0.03
"""Opening of the inner lips, outer eye distances, from which a portrait counts as one with open lips."""

SHUT = 1e-3
"""Opening asked for, below which lips are closed."""


def _contours(mesh: Array) -> tuple[Array, Array, Array]:
    """Lip line, upper and lower outer contour from left to right, ALONG points [n, 2] each, of a mesh [478, 2 or 3]."""
    upper = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]
    lower = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]
    middle = (mesh[UPPER_INNER_LIP, :2] + mesh[LOWER_INNER_LIP, :2]) / 2
    share = np.linspace(ENDS, 1 - ENDS, ALONG) * (len(upper) - 1)
    at = np.arange(len(upper))

    def spread(points: NDArray[np.floating]) -> Array:
        return np.stack([np.interp(share, at, points[:, axis]) for axis in (0, 1)], 1).astype(np.float32)

    return spread(middle), spread(mesh[upper, :2]), spread(mesh[lower, :2])


def _read(luma: Array, places: Array) -> Array:
    return np.asarray(
        cv2.remap(luma, places[..., 0].astype(np.float32), places[..., 1].astype(np.float32), cv2.INTER_LINEAR),
        np.float32,
    )


def profiles(luma: Array, mesh: Array, unit: float) -> Array:
    """Luma [ALONG, ACROSS] across the lip line of a mesh [478, 3] in pixels; unit: outer eye distance in pixels."""
    line, above, below = _contours(mesh)
    down = below - above
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6)
    offsets = np.linspace(-REACH, REACH, ACROSS) * unit
    return _read(luma, line[:, None] + offsets[None, :, None] * down[:, None])


def residue(picture: NDArray[np.uint8], mesh: Array, unit: float) -> float:
    """How much brighter than what lies to either side the line between lips is, in parts of the skin's luma.

    What is narrow and bright across the line (white top-hat; Serra, 1982), its brightest in the band, as the 95th
    percentile along the line: a bright line or a row of dots, but no lit lip.
    """
    luma = picture.astype(np.float32) @ LUMA
    across = profiles(luma, mesh, unit)
    width = np.ones((1, round(NARROW / (2 * REACH) * (ACROSS - 1)) | 1), np.uint8)
    bright = cv2.morphologyEx(across, cv2.MORPH_TOPHAT, width)
    middle, reach = ACROSS // 2, round(BAND / REACH * (ACROSS // 2))
    return float(np.percentile(bright[:, middle - reach : middle + reach + 1].max(1), 95)) / skin(luma, mesh)


def skin(luma: Array, mesh: Array) -> float:
    """Median luma of the face around the lips."""
    centre = mesh[OUTER_LIP, :2].mean(0)
    ring = centre + (mesh[OUTER_LIP, :2] - centre) * 1.35
    mask = np.zeros(luma.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(ring).astype(np.int32)], 1)
    cv2.fillPoly(mask, [np.round(mesh[OUTER_LIP, :2]).astype(np.int32)], 0)
    return max(float(np.median(luma[mask > 0])), 1.0) if mask.any() else 255.0


def steadied(picture: NDArray[np.uint8], mesh: Array) -> Array:
    """Luma [ALONG, ACROSS] of the lips laid straight, so that what moves with them stands still."""
    luma = picture.astype(np.float32) @ LUMA
    line, above, below = _contours(mesh)
    parts = np.linspace(-1.2, 1.2, ACROSS)[None, :, None]
    places = (
        line[:, None] + np.maximum(parts, 0) * (below - line)[:, None] + np.minimum(parts, 0) * (line - above)[:, None]
    )
    return _read(luma, places)


@dataclass(frozen=True)
class Seam:
    """One portrait: opening of its own lips; residue of the portrait itself where its lips are closed; of its rest
    frame; the largest, in which frame of the sound, and median of the frames with closed lips; flicker: mean absolute
    second difference of the lips laid straight over frames with closed lips, in parts of the skin's luma."""

    name: str
    opening: float
    own: float | None
    rest: float
    worst: float
    worst_frame: int
    median: float
    flicker: float


class Driven(Generator, Protocol):
    """A generator that tells where it draws lips."""

    def keypoints(self, source: Any, normalised: Array) -> Array:
        """Driving keypoints [478, 3] in normalised space for driving landmarks [70, 3]."""


class Judge:
    """Speaks a sound and measures."""

    def __init__(self, sound: Path, generator: Driven, speech: WholeSpeech) -> None:
        self.generator, self.speech = generator, speech
        audio = load_audio(sound)
        self.audio = np.zeros(frames_in(len(audio)) * SAMPLES_PER_FRAME, np.float32)
        self.audio[: len(audio)] = audio

    def driven(self, avatar: Avatar) -> tuple[Array, list[Pose]]:
        """Landmarks and poses of the sound on a portrait, without blinks."""
        motion = Motion(avatar.neutral, avatar.pose, Controls(blink_rate=0))
        return motion.step(self.speech.whole(self.audio, neutral=motion.rest), self.audio)

    def measure(self, name: str, avatar: Avatar) -> Seam:
        """One portrait's row."""
        source = avatar.source(self.generator)
        faces, poses = self.driven(avatar)
        opening = float(mouth_opening(avatar.neutral))
        shut = np.flatnonzero(mouth_opening(faces) < SHUT)
        found, steady = [], {}
        for frame in shut:
            picture = self.generator.render(source, faces[frame], poses[frame])
            mesh = to_pixels(self.generator.keypoints(source, faces[frame]), poses[frame])
            found.append(residue(picture, mesh, poses[frame].scale))
            steady[int(frame)] = steadied(picture, mesh) / skin(picture.astype(np.float32) @ LUMA, mesh)
        runs = [n for n in steady if n - 1 in steady and n + 1 in steady]
        flicker = [float(np.abs(steady[n - 1] - 2 * steady[n] + steady[n + 1]).mean()) for n in runs]
        own = residue(avatar.crop, avatar.mesh, float(avatar.pose.scale)) if opening < SMILES else None
        worst = int(np.argmax(found))
        told = (found[0], found[worst], int(shut[worst]), float(np.median(found)))
        return Seam(name, opening, own, *told, float(np.mean(flicker)))


def measured(judge: Judge, folder: Path, names: Sequence[str]) -> Iterator[Seam]:
    """Rows of the portraits of a folder; one without a usable face is left out."""
    for name, avatar in avatars_of(folder, names, judge.generator.size):
        yield judge.measure(name, avatar)


def summary(rows: Sequence[Seam]) -> dict[str, float]:
    """What closed-lip portraits show themselves (95th percentile), and how the portraits that speak stand to it."""
    closed = [row.own for row in rows if row.own is not None]
    limit = float(np.percentile(closed, 95)) if closed else 0.0
    result = {"portraits": float(len(rows)), "closed_lips": float(len(closed)), "limit": limit}
    for group, own in (
        ("open", [r for r in rows if r.own is None]),
        ("closed", [r for r in rows if r.own is not None]),
    ):
        if own:
            result |= {
                f"{group}_rest_below": float(sum(r.rest <= limit for r in own)),
                f"{group}_worst_below": float(sum(r.worst <= limit for r in own)),
                f"{group}_rest": float(np.median([r.rest for r in own])),
                f"{group}_worst": float(np.median([r.worst for r in own])),
                f"{group}_flicker": float(np.median([r.flicker for r in own])),
            }
    return result


def main(
    folder: Annotated[Path, typer.Argument(help="Portraits.")],
    sound: Annotated[Path, typer.Argument(help="Sound or video file to speak, with closures in it.")],
    names: Annotated[Path | None, typer.Option(help="File with a picture's name in each line.")] = None,
    size: Annotated[int, typer.Option(help="Side of the face crop in pixels.")] = 512,
    output: Annotated[Path | None, typer.Option("--json", help="File for the rows and their summary.")] = None,
) -> None:
    """Measure, and print the summary."""
    cv2.setNumThreads(1)
    chosen = names.read_text().split() if names else sorted(path.name for path in folder.iterdir())
    judge = Judge(sound, CompactGenerator.load(size, threads=1), Speech2Landmarks.load(threads=1))
    rows = list(measured(judge, folder, chosen))
    found = summary(rows)
    if output:
        output.write_text(json.dumps({"summary": found, "portraits": [asdict(row) for row in rows]}, indent=1))
    for key, value in found.items():
        print(f"{key:20s} {value:.4f}")


app = command(main)


if __name__ == "__main__":
    app()
