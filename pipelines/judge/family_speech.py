"""Do the lips of a family follow speech, in pictures driven by landmarks or by sound alone?

    python -m pipelines.judge.family_speech --generator NAME_OR_FILE --clips DIR [--split val] [--sheets DIR]

The way is that of `say`: the first frame is the portrait, its Landmarks2Latents drive the family. The face tracker sees
the pictures, enlarged to 256 px, and the mouth's opening over time is correlated with that of the clip's own frames.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from PIL import Image

from pipelines.command import command
from pipelines.data.curves import correlation
from speechhead.core.arrays import Array
from speechhead.core.errors import MediaError, SpeechheadError
from speechhead.face.landmarks import Pose, mouth_opening
from speechhead.face.tracker import FaceTracker
from speechhead.generators.driven import DrivenGenerator
from speechhead.speech.model import Speech2Landmarks

from .clips import ClipEntry, JudgedClip, list_clips, load, track
from .ours import LIPS_ONLY, Rendered, crop_pose, reenacted, spoken
from .performers import WholeSpeech
from .picture import Frames

SIZE = 256
SECONDS = 6.0
"""Beginning of each clip that is looked at."""

ACROSS = 12
"""Frames on a row of a sheet, in succession."""


@dataclass(frozen=True)
class LipFigures:
    """What one clip, or the mean of several, gives; correlations of lip opening over time with that of the real frames.

    landmarks : of pictures driven by the clip's own landmarks
    speech : of pictures driven by its sound alone
    asked : of the landmarks that its sound gives, before any picture
    shifted : of `speech` with real lips of other moments, a quarter, a half and three quarters of the clip away
    still : of the portrait as it is
    amplitude : deviation of the opening of `speech` over that of the real one
    faces : share of the pictures driven by sound in which the tracker finds a face
    keypoints : of the distance of the two keypoints on the lips, driven by sound; 0 where they are not named
    """

    landmarks: float
    speech: float
    asked: float
    shifted: float
    still: float
    amplitude: float
    faces: float
    keypoints: float = 0.0

    @classmethod
    def mean(cls, several: Sequence[LipFigures]) -> LipFigures:
        """Each figure's mean."""
        return cls(*np.mean([list(asdict(one).values()) for one in several], 0).tolist())

    def line(self, name: str) -> str:
        """For people."""
        keypoints = f"keypoints {self.keypoints:.2f}; " if self.keypoints else ""
        return (
            f"{name}: lips from speech r {self.speech:.2f}, from true landmarks {self.landmarks:.2f}; at other moments "
            f"{self.shifted:.2f}, still picture {self.still:.2f}; {keypoints}landmarks asked for {self.asked:.2f}; "
            f"amplitude {self.amplitude:.2f}, faces {self.faces:.0%}"
        )


@dataclass(frozen=True)
class LipJudge:
    """Judges one family: `generator` for crops of SIZE px, `speech` to drive it, `tracker` to see what it draws.

    lips : numbers of the keypoints on the upper and the lower lip, where the family has such: 6 and 7 under `guidance`
    """

    generator: DrivenGenerator
    speech: WholeSpeech
    tracker: FaceTracker
    lips: tuple[int, int] | None = None

    @classmethod
    def of(cls, generator: DrivenGenerator, lips: tuple[int, int] | None = None) -> LipJudge:
        """With the shipped networks."""
        return cls(generator, Speech2Landmarks.load(threads=1), FaceTracker(smooth=False, threads=1), lips)

    def judge(self, clip: JudgedClip) -> tuple[LipFigures, dict[str, Frames]]:
        """Figures of a clip with sound, and the pictures that were judged."""
        assert clip.audio is not None
        rendered = Rendered(clip, self.generator, SIZE)
        said = spoken(clip, self.speech, LIPS_ONLY, rendered.surroundings)
        videos = {"landmarks": reenacted(clip, rendered), "speech": rendered.frames(*said)}
        truth = mouth_opening(clip.truth.normalised)
        seen = {name: self._opening(frames) for name, frames in videos.items()}
        opening, faces = seen["speech"]
        still = self._opening(clip.frames[:1])[0].repeat(len(truth))
        others = [correlation(opening, np.roll(truth, len(truth) * quarter // 4)) for quarter in (1, 2, 3)]
        figures = LipFigures(
            landmarks=correlation(seen["landmarks"][0], truth),
            speech=correlation(opening, truth),
            asked=correlation(mouth_opening(said[0][:, :70]), truth),
            shifted=float(np.mean(others)),
            still=correlation(still, truth),
            amplitude=float(opening.std() / max(float(truth.std()), 1e-6)),
            faces=faces,
            keypoints=0.0 if self.lips is None else correlation(self.parted(rendered, *said), truth),
        )
        return figures, videos

    def parted(self, rendered: Rendered, faces: Array, poses: Sequence[Pose]) -> Array:
        """How far keypoints on the lips are apart, down the face, in crop units [T]; poses in pixels of the clip."""
        assert self.lips is not None
        upper, lower = self.lips
        left, top, side = rendered.avatar.box
        placed = [crop_pose(pose, left, top, SIZE / side) for pose in poses]
        model, source = self.generator.model, rendered.source
        driven = self.generator.latents.drive(model, source.motion, faces, placed, source.normalised, source.pose, SIZE)
        apart = (driven["value"][:, lower] - driven["value"][:, upper])[:, :2].cpu().numpy()
        return np.asarray((apart * np.stack([pose.rotation[:2, 1] for pose in placed])).sum(1), np.float32)

    def _opening(self, frames: Frames) -> tuple[Array, float]:
        """Opening that the tracker sees in pictures [T, H, W, 3], and in what share of them it sees a face."""
        large = [_at(frame, SIZE) if frame.shape[0] < SIZE else frame for frame in frames]
        found = track(large, self.tracker)
        if found is None:
            return np.zeros(len(frames), np.float32), 0.0
        return mouth_opening(found.normalised), found.found


def judged(
    entries: Iterable[ClipEntry], judge: LipJudge, seconds: float = SECONDS, sheets: Path | None = None
) -> Iterator[tuple[str, LipFigures]]:
    """Names and figures of the clips that can be judged; the others are told of."""
    for entry in entries:
        try:
            clip = load(entry, seconds, judge.tracker)
            if clip.audio is None:
                raise MediaError(f"{entry.path.name}: no sound.")
            figures, videos = judge.judge(clip)
        except SpeechheadError as error:
            print(f"passed over: {error}", flush=True)
            continue
        if sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
            Image.fromarray(sheet(clip, videos)).save(sheets / f"{entry.path.stem}.png")
        yield entry.path.name, figures


def sheet(clip: JudgedClip, videos: dict[str, Frames]) -> Frames:
    """Successive frames around the widest mouth: real, from its landmarks, from its sound; faces, then mouths."""
    widest = int(np.argmax(mouth_opening(clip.truth.normalised)))
    first = max(0, min(widest - ACROSS // 2, len(clip.frames) - ACROSS))
    shown = range(first, min(first + ACROSS, len(clip.frames)))
    rows = []
    for frames in (clip.frames, *videos.values()):
        rows.append(np.hstack([_at(frames[t], 192) for t in shown]))
    for frames in (clip.frames, *videos.values()):
        rows.append(np.hstack([_at(_mouth(frames[t], clip.truth.landmarks[t]), 192) for t in shown]))
    return np.vstack(rows)


def _mouth(frame: Frames, landmarks: Array) -> Frames:
    x, y = landmarks[48:68, :2].mean(0)
    half = int(0.45 * np.linalg.norm(landmarks[36, :2] - landmarks[45, :2]))
    left, top = (int(np.clip(at - half, 0, side - 2 * half)) for at, side in ((x, frame.shape[1]), (y, frame.shape[0])))
    return frame[top : top + 2 * half, left : left + 2 * half]


def _at(frame: Frames, size: int) -> Frames:
    return np.asarray(cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def main(
    generator: Annotated[str, typer.Option(help="imported name, or file of a family's weights")],
    clips: Annotated[Path, typer.Option(help="folder of talking-face videos")],
    split: Annotated[str | None, typer.Option(help="of the folder's catalog.csv")] = None,
    sheets: Annotated[Path | None, typer.Option(help="folder for pictures of successive frames")] = None,
    lips: Annotated[
        tuple[int, int] | None, typer.Option(help="numbers of the keypoints on the lips: 6 7 of guided training")
    ] = None,
) -> None:
    """Print a line for every clip, the mean, and it again as JSON."""
    judge = LipJudge.of(DrivenGenerator.load(generator, SIZE), lips)
    figures = []
    for name, one in judged(list_clips(clips, split), judge, sheets=sheets):
        print(one.line(name), flush=True)
        figures.append(one)
    if not figures:
        raise MediaError(f"{clips}: no clip with a face and sound. Name a folder of talking-face videos.")
    mean = LipFigures.mean(figures)
    print(mean.line(f"mean of {len(figures)}"))
    print(json.dumps({name: round(value, 3) for name, value in asdict(mean).items()}))


app = command(main)


if __name__ == "__main__":
    app()
