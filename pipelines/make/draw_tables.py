"""Write what the browser's drawing shares with Python: vertices, triangles and constants.

python -m pipelines.make.draw_tables

writes server/speechhead_server/client/draw/tables.js; with `--check` it only says whether it is in step.
"""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from pipelines.command import command
from speechhead.face import landmarks
from speechhead.generators.compact import (
    cavity,
    eye_frame,
    eyeball,
    eyes,
    habit,
    jaw,
    latents,
    lips,
    meshwarp,
    mouth_light,
    relief,
    rest_plate,
    room_light,
    shown,
    teeth,
    windows,
)
from speechhead.motion import blink, pose

FILE = Path(__file__).parents[2] / "server" / "speechhead_server" / "client" / "draw" / "tables.js"
HEAD = "/** Vertices, triangles and constants of the drawing. Written by `python -m pipelines.make.draw_tables`. */\n"
EYE_LEFT, EYE_RIGHT, LAST = meshwarp.EYE_LEFT, meshwarp.EYE_RIGHT, eye_frame.LAST
EYE_NAMES = "BEGIN", "MOST", "TAKEN", "HASTE", "SEAM", "LATE", "SHUT", "WARPED", "OVERLAID", "DARKEST", "HANGING"
LASH_NAMES = "LINE", "FALL", "TAIL", "OPEN_LINE", "OPEN_SHARE"
BALL_NAMES = "TURNED", "GLINT", "LASHES", "RIM", "SHADE", "SHADE_REACH"
LIP_NAMES = "BEYOND", "AROUND", "FADE", "THIN", "FINER", "SLIVER", "SHRUNK", "APART"


def tables() -> dict[str, Any]:
    """All by the name under which the browser imports it."""
    sheets = lips.sheet_topology()
    triangles, rings, holes = meshwarp.topology()
    return {
        "MESH": {
            "landmarks": landmarks.MESH_TO_70,
            "reference": landmarks.REFERENCE,
            "triangles": triangles,
            "rings": rings,
            "holes": holes,
            "neighbours": meshwarp.NEIGHBOURS,
            "oval": meshwarp.OVAL,
            "upperMiddle": teeth.UPPER_MIDDLE,
            "lowerMiddle": teeth.LOWER_MIDDLE,
            "upperLip": meshwarp.UPPER_INNER_LIP,
            "lowerLip": meshwarp.LOWER_INNER_LIP,
            "outerLip": meshwarp.OUTER_LIP,
            "eyes": [EYE_LEFT, EYE_RIGHT],
            "loops": [EYE_LEFT, EYE_RIGHT[LAST::-1] + EYE_RIGHT[:LAST:-1]],
            "irises": landmarks.IRIS_CENTRES,
            "lidPairs": blink.LID_PAIRS,
            "meeting": blink.MEETING,
            "resolution": shown.PRIOR_RESOLUTION,
            "known": shown.KNOWN,
            "warp": meshwarp.WARP,
        },
        "SHEETS": vars(sheets),
        "LIPS": _named(lips, LIP_NAMES),
        "RED": {
            "corners": latents.CORNERS,
            "lips": latents.LIPS,
            "sides": [latents.UPPER, latents.LOWER],
            "taper": latents.TAPER,
            **asdict(latents.TOLD),
            "hanging": latents.HANGING,
        },
        "EYES": _named(eyes, EYE_NAMES + LASH_NAMES),
        "BALL": _named(eyeball, BALL_NAMES),
        "WINDOWS": windows.WINDOWS,
        "REACH": windows.REACH,
        "CAVITY": cavity.CAVITY,
        "ARCHES": teeth.ARCHES,
        "JAW": {"chin_points": jaw.CHIN, **asdict(jaw.FOLLOW)},
        "HABIT": {
            "upper_edge": habit.UPPER_EDGE,
            "lower_edge": habit.LOWER_EDGE,
            "ends": habit.ENDS,
            "far": habit.FITTED.far,
            "mean": habit.FITTED.moment_mean,
            "spread": habit.FITTED.moment_spread,
            "tells": habit.FITTED.moment,
            "light": habit.FITTED.light,
        },
        "TONES": {"knee": mouth_light.TONES.knee, "front": mouth_light.TONES.front, "luma": mouth_light.LUMA},
        "RELIEF": relief.RELIEF,
        "BODY": {**asdict(relief.BODY), "waist": relief.WAIST, "neck": pose.NECK},
        "ROOM": {
            "terms": room_light.TERMS,
            **{name: getattr(room_light.ROOM, name) for name in ("low", "high", "faint")},
        },
        "SMILE": {"fade": rest_plate.FADE, "corners": rest_plate.CORNERS, "nose": rest_plate.NOSE},
    }


def _named(module: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name.lower(): getattr(module, name) for name in names}


def text() -> str:
    """The file's content."""
    plain = {name: json.dumps(_plain(part), separators=(",", ":")) for name, part in tables().items()}
    return HEAD + "".join(f"export const {name} = {part};\n" for name, part in plain.items())


def _plain(value: Any) -> Any:
    """As JSON may hold it; single precision in as few digits as tell it."""
    if is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return [_plain(part) if part.ndim else float(str(part)) for part in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def main(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if tables.js is out of step.")] = False,
) -> None:
    """Write tables.js, or check it."""
    if check:
        raise typer.Exit(0 if FILE.is_file() and FILE.read_text(encoding="utf-8") == text() else 1)
    FILE.write_text(text(), encoding="utf-8")
    print(FILE)


app = command(main)


if __name__ == "__main__":
    app()
