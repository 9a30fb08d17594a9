"""Contact sheet of a portrait that speaks: source, ours and the landmark warp.

python -m pipelines.judge.portrait_sheet grace_hopper speech.wav -o docs/portrait.png
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.command import command
from speechhead.audio import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.clocks import SAMPLES_PER_FRAME, frames_in
from speechhead.core.controls import Controls
from speechhead.face.landmarks import mouth_opening, to_pixels
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.media.image import Picture
from speechhead.motion.compose import Motion
from speechhead.speech.model import Speech2Landmarks
from speechhead.speech.protocol import SpeechModel

from .baselines import border_points, triangle_warp, triangulate
from .sheets import TITLE, telling_frames


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


def main(
    portrait: Annotated[str, typer.Argument(help="A picture, a saved avatar or the name of a shipped one.")],
    audio: Annotated[Path, typer.Argument(help="Sound or video file to speak.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="PNG or JPEG to write.")],
    size: Annotated[int, typer.Option(help="Side of the face in pixels.")] = 384,
    generator: Annotated[str, typer.Option(help="Name of a generator.")] = "compact",
) -> None:
    """Write the sheet."""
    avatar, samples = Avatar.open(portrait, size), load_audio(audio)
    picture = sheet(avatar, samples, open_generator(generator, avatar.size), Speech2Landmarks.load())
    output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(output, quality=72, optimize=True, progressive=True)
    print(output)


app = command(main)


if __name__ == "__main__":
    app()
