"""What batches, half precision and the order of memory cost a family, and change in it.

    python -m pipelines.judge.running WEIGHTS CLIP [--frames 4] [--device cpu]
    python -m pipelines.judge.running FAMILY CLIP --full

One frame after the other is what all are compared with. Time is that of the processor on a CPU, of the clock on a GPU;
all ways are measured in turn, and medians are told.
With `--full` the family is of its published size with weights of chance: its time is right, its pictures are nothing.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
import typer

from pipelines.command import command
from speechhead.engines.outlet import sent
from speechhead.engines.planes import as_bytes
from speechhead.engines.running import Running
from speechhead.generators.checkpoints.open import open_model
from speechhead.generators.families.crops import middle_square
from speechhead.generators.families.engine import FamilyEngine
from speechhead.generators.families.family import Family, spread
from speechhead.generators.families.registry import build, config_class
from speechhead.media.image import Picture
from speechhead.media.reader import VideoReader


class Way(NamedTuple):
    """How frames are drawn. together : all in one batch; the other fields are those of `Running`."""

    name: str
    together: bool = True
    dtype: torch.dtype = torch.float32
    channels_last: bool = False


WAYS = (
    Way("fp32, one by one", together=False),
    Way("fp32, batch"),
    Way("fp32, batch, channels-last", channels_last=True),
    Way("bf16, batch", dtype=torch.bfloat16),
    Way("bf16, batch, channels-last", dtype=torch.bfloat16, channels_last=True),
)


class Drawn(NamedTuple):
    """Frames of a way, uint8 [B, S, S, 3], and the seconds that each of them took."""

    frames: np.ndarray
    seconds: float


def engine_of(model: Family, way: Way, device: str) -> FamilyEngine:
    """The family, a copy, as it runs in a way."""
    running = replace(Running.of(device, "fp32", "none"), dtype=way.dtype, channels_last=way.channels_last)
    return FamilyEngine(deepcopy(model), running)


def draw(engine: FamilyEngine, way: Way, pictures: list[Picture]) -> Drawn:
    """Frames of the first picture in the motion of all, keypoints not counted."""
    drawing = engine.drawing(lambda drawn, _: as_bytes(drawn.picture))
    appearance, source, motion = engine.appearance(pictures[:1]), engine.motion(pictures[:1]), engine.motion(pictures)
    rows = [slice(None)] if way.together else [slice(i, i + 1) for i in range(len(pictures))]
    clock = time.process_time if engine.device.type == "cpu" else time.perf_counter
    begin = clock()
    driving = spread(motion, len(pictures))
    made = [sent(drawing(appearance, source, {key: value[row] for key, value in driving.items()}))() for row in rows]
    return Drawn(np.concatenate(made), (clock() - begin) / len(pictures))


def compared(model: Family, pictures: list[Picture], device: str = "cpu", rounds: int = 3) -> list[str]:
    """Lines of the table: milliseconds a frame, the ratio to the first way, and how far pictures differ from it."""
    found: dict[str, list[Drawn]] = {way.name: [] for way in WAYS}
    engines = [engine_of(model, way, device) for way in WAYS]
    for number in range(rounds + 1):
        for way, engine in zip(WAYS, engines):
            one = draw(engine, way, pictures)
            if number:  # the first round warms up
                found[way.name].append(one)
    truth = found[WAYS[0].name][0]
    first = float(np.median([one.seconds for one in found[WAYS[0].name]]))
    lines = ["| way | ms a frame | of one by one | mean level | 99 % | most |", "|---|---|---|---|---|---|"]
    for name, drawn in found.items():
        seconds = float(np.median([one.seconds for one in drawn]))
        off = np.abs(np.subtract(drawn[0].frames, truth.frames, dtype=np.float32))
        told = f"{off.mean():.2f} | {np.percentile(off, 99):.0f} | {off.max():.0f}"
        lines.append(f"| {name} | {1000 * seconds:.0f} | {seconds / first:.2f} | {told} |")
    return lines


def main(
    weights: Annotated[str, typer.Argument(help="Weight file of a family, or a family's name with --full.")],
    clip: Annotated[Path, typer.Argument(help="Square clip of a face, whose first frame is the portrait.")],
    frames: Annotated[int, typer.Option(help="Frames of a batch.")] = 4,
    rounds: Annotated[int, typer.Option(help="Rounds that are measured.")] = 3,
    device: Annotated[str, typer.Option(help="Where it runs: cpu or cuda.")] = "cpu",
    full: Annotated[bool, typer.Option(help="The family at its published size, with weights of chance.")] = False,
) -> None:
    """What batches, half precision and the order of memory cost and change."""
    torch.manual_seed(0)
    model = build(weights, config_class(weights).full_size()).eval() if full else open_model(weights, device=device)
    size = model.image_size
    pictures = [middle_square(one).cut(one, size) for one in islice(VideoReader(clip).frames(), 0, 8 * frames, 8)]
    print("\n".join([f"{model.name}, {size} px, {len(pictures)} frames", *compared(model, pictures, device, rounds)]))


app = command(main)


if __name__ == "__main__":
    app()
