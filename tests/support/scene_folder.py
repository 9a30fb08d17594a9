"""What the browser draws a portrait from, for pages under test: arrays, moments, and what torch draws of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechhead.face.landmarks import Pose
from speechhead.generators.compact.device import flow, inside, lips, windows
from speechhead.generators.compact.device.frames import Batch, BatchRows
from speechhead.generators.compact.device.generator import CompactOnDevice
from speechhead.generators.compact.device.picture import drawn, planned, uploaded
from speechhead.generators.compact.device.portrait import HeldSource


class Blob:
    """Arrays one after the other in a file, and where each is."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, values: Any) -> dict[str, Any]:
        """Where an array lies: its first byte, type and shape."""
        array = np.ascontiguousarray(values)
        if array.dtype not in (np.uint8, np.int32):
            array = array.astype(np.float32)
        raw = array.tobytes()
        raw += b"\0" * (-len(raw) % 4)
        at = {"at": self.size, "type": str(array.dtype), "shape": list(array.shape)}
        self.parts.append(raw)
        self.size += len(raw)
        return at


def _interleaved(values: Any) -> Any:
    """Planes [C, h, w] as [h, w, C]."""
    return values.numpy().transpose(1, 2, 0) if values.ndim == 3 else values.numpy()


PLANES = ("_source", "_shapes", "_quarter", "_eighth")


def held_arrays(source: HeldSource) -> dict[str, Any]:
    """What a scene holds of a portrait, by the names that the browser asks for."""
    arrays = {name: v.numpy() if name.endswith(PLANES) else _interleaved(v) for name, v in source.held.items()}
    arrays["light"] = arrays["light"][..., 0]
    for kind, eyes in (("balls", source.balls), ("lids", source.covers)):
        for side, eye in enumerate(eyes):
            arrays |= {f"{kind}.{side}.{name}": _interleaved(value) for name, value in (eye or {}).items()}
    return arrays


def written(
    folder: Path,
    generator: CompactOnDevice,
    source: HeldSource,
    drives: Sequence[tuple[Any, Pose]],
    stages: bool = True,
) -> None:
    """`scene.json` and `scene.bin` of a portrait, with moments and what torch draws of them."""
    blob = Blob()
    arrays = held_arrays(source)
    lids = [None if lid is None else {"ball": ball is not None} for lid, ball in zip(source.lids, source.balls)]
    told: dict[str, Any] = {"meta": {"size": generator.size, "lids": lids, "smile": bool(arrays["light"].any())}}
    told["arrays"] = {name: blob.add(value) for name, value in arrays.items()}
    told["moments"] = [_moment(blob, generator, source, drive, stages) for drive in drives]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scene.json").write_text(json.dumps(told))
    (folder / "scene.bin").write_bytes(b"".join(blob.parts))


def _moment(
    blob: Blob, generator: CompactOnDevice, source: HeldSource, drive: tuple[Any, Pose], stages: bool
) -> dict[str, Any]:
    rows = generator._rows([source], drive[0][None], [drive[1]])
    told = {
        "frame": _row(blob, rows[0][0]),
        "balls": [{"side": _side(source.balls, row)} | _row(blob, row) for row in rows[1]],
        "lids": [{"side": _side(source.covers, row)} | _row(blob, row) for row in rows[2]],
    }
    plan = planned(*rows, generator.size)
    parts = uploaded(plan, *rows, generator.running.device)
    painted: dict[str, Any] = {}

    def painter(name: str) -> Any:
        def paint(seen: Any, *rest: Any) -> Any:
            painted[f"{name}_seen"] = seen[0].numpy()
            made = generator._painters[name](seen, *rest)
            painted[name] = made[0].numpy().copy()
            return made

        return paint

    painters: Any = {name: painter(name) for name in generator._painters}
    frames, moves = drawn(parts, plan, painters)
    painted |= {"torch": frames[0].permute(1, 2, 0).round().byte().numpy(), "flow": moves[0].permute(1, 2, 0).numpy()}
    if stages:
        painted |= _stages(Batch(parts, plan.frames, plan.size), painters)
    told["torch"] = {name: blob.add(value) for name, value in painted.items()}
    return told


def _stages(batch: Batch, painters: Any) -> dict[str, Any]:
    """What a picture is after each step, uint8 [S, S, 3]."""
    found: dict[str, Any] = {}
    face, known = flow._face(batch, 128)
    found["face"] = np.concatenate([face[0].permute(1, 2, 0).numpy(), known[0, 0].numpy()[..., None]], 2)
    found["around"] = flow._around(batch)[0].permute(1, 2, 0).numpy()
    fields = flow.fields(batch)
    moves, frames = fields.flow, flow.person(batch, fields)

    def keep(name: str) -> None:
        found[name] = frames[0].permute(1, 2, 0).clamp(0, 255).round().byte().numpy()

    keep("person")
    lips.laid(batch, frames)
    keep("lips")
    if batch.most("smile"):
        frames = flow.rested(batch, frames, moves)
    keep("rested")
    windows.painted(batch, frames, painters)
    keep("windows")
    if batch.most("open"):
        inside.shown(batch, frames)
    keep("inside")
    return found


def _side(eyes: Any, row: BatchRows) -> int:
    return next(side for side, eye in enumerate(eyes) if eye is row.held)


def _row(blob: Blob, row: BatchRows) -> dict[str, Any]:
    return {
        "numbers": {name: blob.add(np.asarray(value)[0]) for name, value in row.numbers.items()},
        "boxes": {name: [int(side) for side in box[0]] for name, box in row.boxes.items()},
        "most": dict(row.most),
    }
