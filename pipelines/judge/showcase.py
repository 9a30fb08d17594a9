"""The short clips of the documentation: a shipped portrait that speaks, small enough for a page.

    python -m pipelines.judge.showcase docs

writes speech.mp4 (grace_hopper, neutral) and emotion.mp4 (eileen_collins, happy), 320 pixels, each at
most LARGEST bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from pipelines.command import command
from speechhead.api import say
from speechhead.audio import load_audio
from speechhead.core.controls import Controls, parse_emotion
from speechhead.core.options import RenderOptions
from speechhead.media.h264 import H264
from speechhead.media.reader import VideoReader
from speechhead.media.writer import AUDIO_RATE, VideoWriter

LARGEST = 300 * 1024
"""Bytes of a clip."""
SIZE = 320


@dataclass(frozen=True)
class Take:
    """One clip.

    name: of the file; portrait: shipped; text: what is said; emotion: as `parse_emotion` reads it.
    """

    name: str
    portrait: str
    text: str
    emotion: str | None = None


TAKES = (
    Take("speech", "grace_hopper", "Most people bring a photo. By the time we part, maybe it has become a person."),
    Take("emotion", "eileen_collins", "What a view! My whole family can see me from here.", "happy:0.7,surprised:0.3"),
)


def shrunk(source: Path, target: Path, size: int = SIZE, largest: int = LARGEST) -> Path:
    """A square video at another size, encoded as finely as `largest` bytes allow."""
    frames = [
        np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        for picture in VideoReader(source).frames(0, None)
    ]
    sound = load_audio(source, AUDIO_RATE)
    for crf in (20, 23, 26, 29, 32, 35):
        with VideoWriter(target, size, size, sample_rate=AUDIO_RATE, coding=H264(crf=crf)) as writer:
            writer.write_audio(sound)
            for picture in frames:
                writer.write(picture)
        if target.stat().st_size <= largest:
            break
    return target


def make(take: Take, folder: Path, speak: Callable[..., Any] = say) -> Path:
    """Render a take at full size and write it, shrunk, to `folder`; `speak` is `speechhead.api.say`."""
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole.mp4"
        speak(
            take.text,
            whole,
            take.portrait,
            options=RenderOptions(crop=True),
            controls=Controls(emotion=parse_emotion(take.emotion) if take.emotion else {}),
        )
        return shrunk(whole, folder / f"{take.name}.mp4")


def main(folder: Annotated[Path, typer.Argument(help="Where the clips go.")]) -> None:
    """Render every take."""
    folder.mkdir(parents=True, exist_ok=True)
    for take in TAKES:
        path = make(take, folder)
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


app = command(main)


if __name__ == "__main__":
    app()
