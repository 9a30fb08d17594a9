"""Contact sheet of a portrait that speaks: source, ours and the landmark warp at the widest, median and closed mouth.

python -m pipelines.judge.portrait_sheet grace_hopper speech.wav -o docs/portrait.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from speechhead.audio import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.clocks import SAMPLES_PER_FRAME, frames_in
from speechhead.core.controls import Controls
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import mouth_opening, to_pixels
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.motion.compose import Motion
from speechhead.speech.protocol import SpeechModel

from .baselines import border_points, triangle_warp, triangulate
from .sheets import TITLE, telling_frames

Picture = NDArray[np.uint8]


def sheet(avatar: Avatar, audio: NDArray[np.float32], generator: Generator, speech: SpeechModel) -> Picture:
    """The sheet, uint8 [h, w, 3], under the default controls: a row per telling frame, columns source, ours, warp.

    Parameters
    ----------
    avatar : the portrait; its face crop is shown
    audio : float32 [n] at 16 kHz
    generator, speech : the networks
    """
    size = avatar.size
    motion = Motion(avatar.neutral, avatar.pose, Controls())
    padded = np.zeros(frames_in(len(audio)) * SAMPLES_PER_FRAME, np.float32)
    padded[: len(audio)] = audio
    stream = speech.stream(motion.rest)
    faces, poses = motion.step(np.concatenate([stream.push(padded), stream.flush()]), padded)
    border = border_points(size, size)
    source = np.concatenate([to_pixels(avatar.neutral, avatar.pose)[:68, :2], border])
    triangles = triangulate(source, size, size)
    picked = telling_frames(mouth_opening(faces))
    page = Image.new("RGB", (3 * size, (size + TITLE) * len(picked)), "white")
    draw = ImageDraw.Draw(page)
    for row, (label, frame) in enumerate(picked.items()):
        ours = generator.render(avatar.source(generator), faces[frame], poses[frame])
        driving = np.concatenate([to_pixels(faces[frame], poses[frame])[:68, :2], border])
        warp = triangle_warp(avatar.crop, source, driving, triangles)
        for column, (name, picture) in enumerate((("source", avatar.crop), ("ours", ours), ("warp", warp))):
            x, y = column * size, row * (size + TITLE)
            draw.text((x + 4, y + 3), f"{name}, {label} mouth, frame {frame}", fill="black")
            page.paste(Image.fromarray(picture), (x, y + TITLE))
    return np.asarray(page)


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.judge.portrait_sheet", description=__doc__.splitlines()[0]
    )
    parser.add_argument("portrait", help="a picture, a saved avatar or the name of a shipped one")
    parser.add_argument("audio", type=Path, help="sound or video file to speak")
    parser.add_argument("-o", "--output", type=Path, required=True, help="PNG or JPEG to write")
    parser.add_argument("--size", type=int, default=384, help="side of the face in pixels")
    parser.add_argument("--generator", default="compact")
    options = parser.parse_args(arguments)
    from speechhead.speech.model import Speech2Landmarks

    try:
        avatar, audio = Avatar.open(options.portrait, options.size), load_audio(options.audio)
        generator = open_generator(options.generator, avatar.size)
        picture = sheet(avatar, audio, generator, Speech2Landmarks.load())
    except SpeechheadError as error:
        print(error, file=sys.stderr)
        return 2
    options.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(options.output, quality=90)
    print(options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
