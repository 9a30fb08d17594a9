"""Tables and sheets of what emotions, blinks and gaze do to portraits, in rendered frames.

python -m pipelines.judge.expression_report speech.wav PORTRAIT... --json OUT [--sheets DIR] [--markdown FILE]
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.command import command, spelled
from speechhead.audio import load_audio
from speechhead.avatar.portrait import Avatar
from speechhead.core.controls import EMOTIONS
from speechhead.face.tracker import FaceTracker
from speechhead.generators.open import open_generator
from speechhead.media.image import Picture
from speechhead.speech.model import Speech2Landmarks
from speechhead.speech.protocol import SpeechModel

from . import expression
from .clips import SUFFIXES, read_frames
from .controls_table import control_table
from .sheets import TITLE
from .tables import number, table

Row = dict[str, Any]


def grid(rows: list[list[tuple[str, Picture]]]) -> Picture:
    """Captioned pictures of one size in rows, as one picture."""
    side = rows[0][0][1].shape[0]
    width = max(map(len, rows))
    page = Image.new("RGB", (side * width, (side + TITLE) * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for y, row in enumerate(rows):
        for x, (caption, picture) in enumerate(row):
            draw.text((x * side + 4, y * (side + TITLE) + 3), caption, fill="black")
            page.paste(Image.fromarray(picture), (x * side, y * (side + TITLE) + TITLE))
    return np.asarray(page)


def portrait(
    stage: expression.PosedPortrait, speech: SpeechModel, audio: NDArray[np.float32]
) -> tuple[Row, dict[str, Picture]]:
    """Every measure of one portrait, and its sheets by name."""
    motion, sound = expression.spoken(stage.avatar, speech, audio)
    shown, blinking = expression.blink(stage)
    turned, eyes = expression.gaze(stage)
    relaxed, mouths = expression.relaxed(stage, motion, sound)
    row: Row = {"emotions": expression.emotions(stage, motion, sound), "blink": shown, "gaze": turned}
    row |= {"gaze_slope": expression.slope(turned), "gaze_monotone": expression.monotone(turned), "relaxed": relaxed}
    faces = [[("source", stage.avatar.crop), ("neutral", stage.still())]]
    for intensity in expression.INTENSITIES:
        faces.append([(f"{name} {intensity:g}", stage.still(emotion={name: intensity})) for name in EMOTIONS[1:]])
    captions = ("at rest", "most closed", "median", "widest")
    sheets = {
        "emotions": grid(faces),
        "blink": grid([[(f"frame {k}", f) for k, f in enumerate(blinking[start::2])] for start in (0, 1)]),
        "gaze": grid([[(f"yaw {yaw:g}", f) for yaw, f in zip(expression.GAZES, eyes)]]),
        "mouth": grid([[("source", stage.avatar.crop), *zip(captions, mouths)]]),
    }
    return row, sheets


def opened(name: str, size: int) -> Avatar:
    """The avatar of a picture, of a shipped portrait's name, or of a clip's first frame."""
    if Path(name).suffix.lower() in SUFFIXES:
        return Avatar.from_image(next(read_frames(Path(name), None)), size)
    return Avatar.open(name, size)


def mean(values: list[float | None]) -> float | None:
    """Mean of the values that there are."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def page(document: dict[str, Row], command: str) -> str:
    """Tables of all portraits as Markdown; `command` made them."""
    names = [name for name in next(iter(document.values()))["emotions"][0] if name not in ("emotion", "intensity")]
    pairs = [(r["emotion"], r["intensity"]) for r in next(iter(document.values()))["emotions"]]
    means = []
    for place, (emotion, intensity) in enumerate(pairs):
        own = [row["emotions"][place] for row in document.values()]
        means.append([f"{emotion} {intensity:g}", *(number(mean([r[n] for r in own])) for n in names)])
    relaxed = [[name, *(number(v) for v in row["relaxed"].values())] for name, row in document.items()]
    eyes = [
        [name, *(number(v) for v in row["blink"].values()), number(row["gaze_slope"]), str(row["gaze_monotone"])]
        for name, row in document.items()
    ]
    first = next(iter(document.values()))
    count = f"{len(document)} portraits"
    return "\n\n".join(
        [
            "# Expression",
            f"What controls do to portraits, tracked in rendered frames of {count}. Made by",
            f"```bash\n{command}\n```",
            f"Mean displacement over {count}, outer eye distances, and lip-sync with the neutral take:",
            table(["emotion", *(n.replace("_", " ") for n in names)], means),
            "Blinks with a held head (eye opening left, apparent turn in degrees, px at 256), and steered gaze:",
            table(["portrait", *first["blink"], "degrees per degree", "monotone"], eyes),
            "What is left of the source's smile and open mouth:",
            table(["portrait", *(n.replace("_", " ") for n in first["relaxed"])], relaxed),
            "## Controls",
            "Where each is set, and what changes it while it runs:",
            control_table(),
        ]
    )


def write(path: Path, text: str) -> None:
    """A text file, and the folder it goes to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class ReportOptions:
    """What is measured, and where the result goes."""

    audio: Annotated[Path, typer.Argument(help="Sound or video file to speak.")]
    portraits: Annotated[list[str], typer.Argument(help="Pictures, clips, avatars or names of shipped ones.")]
    json: Annotated[Path, typer.Option(help="Where the figures go.")]
    sheets: Annotated[Path | None, typer.Option(help="Folder for contact sheets.")] = None
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables as Markdown.")] = None
    size: Annotated[int, typer.Option(help="Largest side of the face in pixels.")] = 256
    seconds: Annotated[float, typer.Option(help="Of the sound.")] = 3.0
    generator: Annotated[str, typer.Option(help="Name of a generator.")] = "compact"


def main(options: ReportOptions, context: typer.Context) -> None:
    """Measure every portrait and write the report."""
    audio = load_audio(options.audio)[: round(options.seconds * 16_000)]
    speech, tracker = Speech2Landmarks.load(threads=1), FaceTracker(threads=1)
    document: dict[str, Row] = {}
    for name in options.portraits:
        avatar = opened(name, options.size)
        stage = expression.PosedPortrait(avatar, open_generator(options.generator, avatar.size), tracker)
        stem = Path(name).stem
        document[stem], sheets = portrait(stage, speech, audio)
        if options.sheets is not None:
            options.sheets.mkdir(parents=True, exist_ok=True)
            for kind, picture in sheets.items():
                Image.fromarray(picture).save(options.sheets / f"{stem}.{kind}.png")
        print(stem, flush=True)
    write(options.json, json.dumps(document, indent=1) + "\n")
    if options.markdown is not None:
        write(options.markdown, page(document, spelled("pipelines.judge.expression_report", context)) + "\n")
    print(options.json)


app = command(main)


if __name__ == "__main__":
    app()
