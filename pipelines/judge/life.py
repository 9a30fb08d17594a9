"""A film and a plot of faces that live: takes side by side, and a real speaker's curves by ours.

    python -m pipelines.judge.life docs --clip ../shared/media/dfrf_french_man_002bcb.mp4

writes life.mp4 (two minutes, two takes of each portrait side by side, one change of emotion, at most LARGEST bytes) and
life.png (pose, brows and eyes over time of a filmed person, and of ours with the same sound, on the same axes).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import av
import cv2
import numpy as np
import typer
from PIL import Image

from pipelines.command import command
from speechhead.api import say
from speechhead.audio import load_audio
from speechhead.core.arrays import Array
from speechhead.core.clocks import FPS
from speechhead.core.controls import Controls
from speechhead.core.options import RenderOptions
from speechhead.face.landmarks import eye_opening
from speechhead.face.tracker import FaceTracker
from speechhead.media.h264 import H264
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader
from speechhead.media.writer import AUDIO_RATE, VideoWriter

from . import ours
from .clips import ClipEntry, FaceTrack, load, track
from .closeness import brow_heights
from .performers import Today

LARGEST = 1_200_000
"""Bytes of the film."""

SMALL_SOUND = 24_000, 36_000
"""Samples and bits a second of the film's one channel."""

SIDE = 224
"""Pixels of each of the two faces of the film."""

WIDTH, HEIGHT, MARGIN = 1400, 150, 46
"""Pixels of one row of the plot, and of what is left of it for words."""

COLOURS = 16
"""Of the plot's file."""

REAL_COLOUR, OURS_COLOUR = (40, 40, 40), (200, 60, 20)


@dataclass(frozen=True)
class Scene:
    """One portrait of the film, and what it says twice, as seeds 1 and 2."""

    portrait: str
    text: str


SCENES = (
    Scene(
        "grace_hopper",
        "When I was young, people told me that a computer could only do arithmetic. I did not believe it. So we wrote "
        "a program that could read words, and turn them into numbers by itself. Nobody wanted to use it! They said it "
        "could not be done. [pause 2s] Well, it had been running for months. You see, the most dangerous phrase in any "
        "language is this one: we have always done it this way. I keep a clock on my wall that runs backwards, just to "
        "remind people. It tells the time as well as any other. [pause 1.5s] You only have to get used to it.",
    ),
    Scene(
        "eileen_collins",
        "I have some news about the launch. [pause 1s] The weather is bad, the wind is too strong, and we shall have "
        "to wait for another day. I know that many of you came a long way, and I am sorry. [pause 1.5s] [happy:0.8] "
        "Wait! They have just told me that the wind is falling. We go tonight! Can you believe it? Everybody back to "
        "your places, please, and thank you all for your patience. What a day this is going to be! [pause 1.5s] "
        "[neutral] Now, let us go through the list once more, slowly, step by step, as we always do.",
    ),
    Scene(
        "mara",
        "Would you like to hear a story? There was once a portrait that hung in a long corridor. People walked by, day "
        "after day, and it looked at every one of them. [pause 1.5s] Some stopped. Most did not. And then, one "
        "evening, when the lights were already off, somebody came back, sat down on the bench, and said: tell me, "
        "what have you seen? [pause 2s] It thought about that for a long time. It had seen a great deal, and nobody "
        "had ever asked. So it began at the beginning, with the first morning, and the light on the floor.",
    ),
)


def faces(scene: Scene, seed: int, folder: Path, speak: Callable[..., Any] = say) -> Path:
    """The video of one take, at SIDE pixels."""
    target = folder / f"{scene.portrait}_{seed}.mp4"
    speak(
        scene.text,
        target,
        scene.portrait,
        options=RenderOptions(size=SIDE, crop=True),
        controls=Controls(seed=seed),
    )
    return target


def beside(left: Path, right: Path) -> Iterator[Picture]:
    """Frames of two videos, side by side."""
    pairs = zip(VideoReader(left).frames(0, None), VideoReader(right).frames(0, None))
    for one, other in pairs:
        yield np.ascontiguousarray(np.hstack([one, other]))


def film(target: Path, scenes: tuple[Scene, ...] = SCENES, speak: Callable[..., Any] = say) -> Path:
    """The film of all scenes, encoded as finely as LARGEST allows."""
    with tempfile.TemporaryDirectory() as place:
        takes = [[faces(scene, seed, Path(place), speak) for seed in (1, 2)] for scene in scenes]
        whole = Path(place) / "film.mp4"
        for crf in (26, 29, 32, 35, 38, 41):
            with VideoWriter(whole, 2 * SIDE, SIDE, sample_rate=AUDIO_RATE, coding=H264(crf=crf)) as writer:
                for left, right in takes:
                    writer.write_audio(load_audio(left, AUDIO_RATE))
                    for picture in beside(left, right):
                        writer.write(picture)
            with_small_sound(whole, target)
            if target.stat().st_size <= LARGEST:
                break
    return target


def with_small_sound(source: Path, target: Path) -> None:
    """Copy a film, its sound as SMALL_SOUND: a page's film is to be looked at."""
    rate, bits = SMALL_SOUND
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        made.metadata.update(given.metadata)
        pictures, heard = given.streams.video[0], given.streams.audio[0]
        shown = made.add_stream_from_template(pictures)
        told = made.add_stream("aac", rate=rate, layout="mono", bit_rate=bits)
        resampler = av.AudioResampler("fltp", "mono", rate)
        for packet in given.demux(pictures, heard):
            if packet.stream is pictures and packet.dts is not None:
                packet.stream = shown
                made.mux(packet)
            elif packet.stream is heard:
                for frame in packet.decode():
                    for part in resampler.resample(frame):
                        made.mux(told.encode(part))
        for part in resampler.resample(None):
            made.mux(told.encode(part))
        made.mux(told.encode(None))


def curves(seen: FaceTrack) -> dict[str, Array]:
    """What the plot shows of a face, each [T]: degrees, hundredths of the outer eye distance, parts of the opening."""
    turn = seen.angles - np.median(seen.angles, axis=0)
    brow = 100 * brow_heights(seen.normalised).mean(1)
    eyes = eye_opening(seen.normalised).mean(-1)
    return {
        "yaw": turn[:, 0],
        "pitch": turn[:, 1],
        "roll": turn[:, 2],
        "brows": brow - np.median(brow),
        "eyes": eyes / np.median(eyes),
    }


def plot(real: dict[str, Array], made: dict[str, Array]) -> Picture:
    """Rows of curves, real above ours for each, on the same axes; uint8 RGB."""
    rows = []
    for name in real:
        both = np.concatenate([real[name], made[name]])
        low, high = float(both.min()), float(both.max())
        for label, curve, colour in (("real", real[name], REAL_COLOUR), ("ours", made[name], OURS_COLOUR)):
            row = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
            x = MARGIN + np.arange(len(curve)) * (WIDTH - MARGIN - 4) / max(len(curve) - 1, 1)
            y = (HEIGHT - 8) - (curve - low) / max(high - low, 1e-6) * (HEIGHT - 16)
            for second in range(0, len(curve), FPS):
                cv2.line(row, (round(x[second]), 0), (round(x[second]), HEIGHT), (232, 232, 232), 1)
            points = np.stack([x, y], 1).round().astype(np.int32)
            cv2.polylines(row, [points[:, None]], False, colour, 1, cv2.LINE_AA)
            font = cv2.FONT_HERSHEY_SIMPLEX
            for text, place in ((name, 16), (label, 32), (f"{high:.1f}", 60), (f"{low:.1f}", HEIGHT - 6)):
                cv2.putText(row, text, (2, place), font, 0.4, colour, 1, cv2.LINE_AA)
            rows.append(row)
    return np.vstack(rows)


def compared(clip: Path, seconds: float, seed: int) -> Picture:
    """The plot of a clip's real face and of ours with its sound, both by the same tracker."""
    tracker = FaceTracker(smooth=False)
    judged = load(ClipEntry(clip, clip.stem), seconds, tracker)
    us = Today("compact")
    size = ours.native_size(judged)
    normalised, poses = ours.spoken(judged, us.speech, Controls(seed=seed))
    seen = track(ours.Rendered(judged, us.generator(size), size).frames(normalised, poses), tracker)
    if seen is None:
        raise typer.BadParameter(f"{clip}: no face is found in our pictures.")
    return plot(curves(judged.truth), curves(seen))


def main(
    folder: Annotated[Path, typer.Argument(help="Where film and plot go.")],
    clip: Annotated[Path | None, typer.Option(help="A filmed speaker for the plot; no plot if not given.")] = None,
    seconds: Annotated[float, typer.Option(help="Of the clip.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Of our take in the plot.")] = 1,
    reel: Annotated[bool, typer.Option(help="Whether to make the film.")] = True,
) -> None:
    """Make the film and the plot."""
    folder.mkdir(parents=True, exist_ok=True)
    if clip is not None:
        target = folder / "life.png"
        drawn = Image.fromarray(compared(clip, seconds, seed))
        drawn.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(target, optimize=True)
        print(f"{target}: {target.stat().st_size / 1024:.0f} KiB")
    if reel:
        path = film(folder / "life.mp4")
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


app = command(main)


if __name__ == "__main__":
    app()
