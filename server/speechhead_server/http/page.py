"""`speechhead page`: a folder that any web server can give out, whose page speaks by itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from speechhead.avatar.named import named_portraits
from speechhead.avatar.portrait import Avatar
from speechhead.avatar.scene import scene_of
from speechhead.avatar.square import on_stage
from speechhead.core import weights
from speechhead.core.errors import ServerError
from speechhead.core.options import PORTRAIT_SIZE, check_size
from speechhead.core.outputs import replaced
from speechhead.generators.compact.generator import CompactGenerator

CLIENT = Path(__file__).parent.parent / "client"

MODULES = ("draw", "hear", "vendor")
"""Folders of the client that the page runs."""

SINGLE = ("disclosure.js",)
"""Modules beside them."""

WEIGHTS = (
    "whisper_encoder.onnx", "speech2landmarks.onnx", "speech2landmarks.json", "life.npz",
    "landmarks2latents_compact.onnx", "compact_mouth.onnx", "compact_eyes.onnx",
)  # fmt: skip
"""Weights that are read in browsers, from the folder `weights` beside the page's."""

LISTING = "page.json"
"""Says which portraits there are. A folder without it, that is not empty, is somebody else's."""


def write_page(folder: Path, portraits: Sequence[str], size: int = PORTRAIT_SIZE) -> Path:
    """Fill a folder with the page, its modules and networks, and the scene of each portrait.

    Parameters
    ----------
    folder : made if it is not there; a page that is there is replaced
    portraits : pictures, saved .avatar files, or names of shipped ones; the first is shown at first
    size : pixels a side of the square that is shown

    Raises
    ------
    ServerError for a folder that holds something else; errors of `Avatar.open` and of missing weights.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / LISTING).is_file())):
        raise ServerError(f"{folder}: is there and holds no page. Name a new folder.")
    generator = CompactGenerator.load(check_size(size))
    scenes = {_name(portrait): scene_of(on_stage(Avatar.open(portrait), size), generator) for portrait in portraits}
    folder.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        shutil.copytree(CLIENT / module, folder / module, dirs_exist_ok=True)
    for file in [*(CLIENT / "page").iterdir(), *(CLIENT / name for name in SINGLE)]:
        shutil.copyfile(file, folder / file.name)
    (folder / "weights").mkdir(exist_ok=True)
    for name in WEIGHTS:
        shutil.copyfile(weights.path(name), folder / "weights" / name)
    for name, data in scenes.items():
        with replaced(folder / f"{name}.scene") as part:
            part.write_bytes(data)
    for old in {*folder.glob("*.scene"), *(folder / "weights").iterdir()}:  # of the page that was there
        if old.stem not in scenes and old.name not in WEIGHTS:
            old.unlink()
    with replaced(folder / LISTING) as part:
        part.write_text(json.dumps({"avatars": list(scenes)}, indent=2) + "\n", encoding="utf-8")
    return folder


def _name(portrait: str) -> str:
    """What a portrait is called in the page, and its scene's file."""
    return portrait if portrait in named_portraits() else Path(portrait).stem


def command(
    folder: Annotated[Path, typer.Argument(help="Folder to write; give it out by any web server.")],
    avatar: Annotated[
        list[str] | None,
        typer.Option(help="Picture, saved .avatar file, or name of a shipped one; may be given several times."),
    ] = None,
    size: Annotated[int, typer.Option(help="Pixels a side of the square that is shown.")] = PORTRAIT_SIZE,
) -> None:
    """Write a page whose portrait speaks a sound file or a microphone in the browser, without a server of ours."""
    print(write_page(folder, avatar or [next(iter(named_portraits()))], size))
