"""Overfit a family's small configuration to one clip; does the picture follow?

    python -m pipelines.train.families.overfit FAMILY CLIP

One JSON object on stdout; exit 1 if it did not learn the clip.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from torch import Tensor

from pipelines.command import command
from speechhead.face.landmarks import mouth_opening
from speechhead.generators.checkpoints import stored
from speechhead.generators.families import registry
from speechhead.generators.families.family import Family
from speechhead.generators.families.spec import MOTION

from .caching import load_family_clips
from .config import FamilyTraining
from .fitting import fit
from .objectives import reenact
from .sources import TRACKED_SIZE, FamilyClip
from .store import track_frames
from .train import build, train

CONFIGS = Path(__file__).parents[2] / "configs"
NOSE = 30


@torch.no_grad()
def reenacted(
    family: Family, clip: FamilyClip, source: int, rows: np.ndarray, seen: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Frame `source` in the motion of the frames `rows`: predictions, drivers and the source, [N or 1, 3, S, S]."""

    def pictures(which: np.ndarray) -> Tensor:
        return torch.from_numpy(clip.frames[which]).permute(0, 3, 1, 2).float() / 255

    first, drivers = pictures(np.array([source])), pictures(rows)
    portrait = fit(first, seen)
    appearance, motion = family.appearance(portrait), family.motion(portrait)
    made = []
    for driver in drivers:
        driving = reenact(family, motion, family.motion(fit(driver[None], seen)))
        made.append(family.render(appearance, motion, driving))
    predictions = torch.cat(made)
    size = predictions.shape[-1]
    return predictions, fit(drivers, size), fit(first, size)


def marks(pictures: Tensor) -> np.ndarray:
    """Nose [N, 2] in crop units and mouth opening [N], as the face tracker sees them; NaN where there is no face."""
    frames = (pictures.clamp(0, 1).permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    large = [cv2.resize(frame, (TRACKED_SIZE, TRACKED_SIZE), interpolation=cv2.INTER_CUBIC) for frame in frames]
    found = track_frames(iter(large), TRACKED_SIZE)["landmarks"]
    return np.column_stack([found[:, NOSE, :2], mouth_opening(found)])


def measure(family: Family, clip: FamilyClip, seen: int, count: int = 60) -> dict[str, float]:
    """How well a family reenacts a clip from its middle frame.

    l1 : mean absolute error against the driver; l1_to_source : against the source instead; l1_copy : of the source
    against the driver, what a picture that does not move has; nose_x, nose_y, mouth : correlation with the driver of
    what an independent face tracker sees in the pictures; faces : share of pictures with a face
    """
    rows = np.linspace(0, len(clip.frames) - 1, min(count, len(clip.frames))).round().astype(int)
    made, real, source = reenacted(family.eval(), clip, len(clip.frames) // 2, rows, seen)
    result = {
        "l1": float((made - real).abs().mean()),
        "l1_to_source": float((made - source).abs().mean()),
        "l1_copy": float((source - real).abs().mean()),
    }
    ours, theirs = marks(made), marks(real)
    good = np.isfinite(ours).all(1) & np.isfinite(theirs).all(1)
    result["faces"] = float(good.mean())
    for name, column in (("nose_x", 0), ("nose_y", 1), ("mouth", 2)):
        both = (ours[good, column], theirs[good, column])
        moves = good.sum() > 8 and min(values.std() for values in both) > 1e-6
        result[name] = float(np.corrcoef(*both)[0, 1]) if moves else 0.0
    return {name: round(value, 4) for name, value in result.items()}


def overfit(options: FamilyTraining, minutes: float | None = None) -> dict[str, Any]:
    """Train on the config's one clip; measurements before and after, and what the training took."""
    clip = load_family_clips(Path(options.clips), options.size, Path(options.cache))[0]
    seen = options.input_size or options.size
    torch.manual_seed(options.seed)
    before = measure(build(options), clip, seen)
    began, worked = time.monotonic(), time.process_time()
    weights = train(options, minutes)
    spent = {"minutes": (time.monotonic() - began) / 60, "cpu_minutes": (time.process_time() - worked) / 60}
    after = measure(stored.open_family(weights), clip, seen)
    summary = {"family": options.family, "size": options.size, **{k: round(v, 2) for k, v in spent.items()}}
    return summary | {"fall": round(before["l1"] / after["l1"], 2), "before": before, "after": after}


def stages_before_motion(family: str) -> list[str]:
    """Stages of a family that come before its main one: DaGAN learns depth first."""
    names = [stage.name for stage in registry.spec(family).stages]
    return names[: names.index(MOTION.name)]


def main(
    family: Annotated[str, typer.Argument(help=f"one of {', '.join(registry.names())}")],
    clip: Annotated[Path, typer.Argument(help="one video of a talking, moving head")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="folder of the run")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="stop after this many minutes")] = None,
    cache: Annotated[Path, typer.Option(help="folder of decoded frames")] = Path("runs/families/cache"),
) -> None:
    """Overfit, measure, print."""
    name = registry.canonical(family).replace("-", "_")
    options = FamilyTraining.read(CONFIGS / f"{name}_small.json")
    folder = output or Path("runs/families") / f"{name}_overfit"
    options = dataclasses.replace(options, clips=str(clip), cache=str(cache), output=str(folder))
    for stage in stages_before_motion(options.family):
        first = FamilyTraining.read(CONFIGS / f"{name}_{stage}_small.json")
        first = dataclasses.replace(first, clips=str(clip), cache=str(cache), output=str(folder / stage))
        weights = train(first, None if minutes is None else minutes / 4)
        options = dataclasses.replace(options, weights=str(weights))
    result = overfit(options, minutes)
    line = json.dumps(result)
    (folder / "overfit.json").write_text(line + "\n", encoding="utf-8")
    print(line)
    after = result["after"]
    if after["l1"] > 0.7 * min(after["l1_to_source"], after["l1_copy"]):
        raise typer.Exit(1)


app = command(main)


if __name__ == "__main__":
    app()
