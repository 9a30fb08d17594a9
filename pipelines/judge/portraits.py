"""Still portraits that speak and blink: what shows between closed lips, how far lids shut, which hues change."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.data import held_out
from speechhead.avatar.portrait import Avatar
from speechhead.core.arrays import Array
from speechhead.core.errors import SpeechheadError
from speechhead.face.landmarks import mouth_opening, to_pixels
from speechhead.face.tracker import FaceTracker
from speechhead.generators.compact.matte import Matte
from speechhead.generators.compact.meshwarp import EYE_LEFT, EYE_RIGHT, OUTER_LIP
from speechhead.generators.open import open_generator
from speechhead.generators.protocol import Generator
from speechhead.motion.rest import rest_face

from . import failures, gallery, lids, rest, seam, turn_sweep
from .performers import performers

Row = dict[str, Any]

FREE = ("public domain", "CC0", "own work")
"""Words of licences under which a portrait may be shown."""

AROUND = 1.3
"""Size of the regions in which a hue is looked for, in units of the lips and of the open eyes."""

SHUT = (0.25, 0.4)
"""Openings of shut lids over open ones: that of the median, and that which all but a few keep below."""

MEASURES = (
    ("worst", "brightest line between closed lips, over the skin's luma"),
    ("flicker", "flicker of closed lips"),
    ("folds", "contrast of a smile's folds at rest over the portrait's own"),
    ("shut", "opening of shut lids over open ones, in space"),
    ("shut_seen", "the same in the picture's plane"),
    ("unopened", "of the open eyes' opening in space, what is aside and in depth, which real shut eyes keep most of"),
    ("iris", "hue of the irises of a glance from the portrait's, levels"),
    ("tint", "hue that a grey portrait gets at mouth and eyes, levels"),
)
"""Measures of the page, less is better, and what they are."""


@dataclass(frozen=True)
class PortraitSettings:
    """What portraits are judged with.

    generator: name of one that tells where it draws lips; sound: file that is spoken; size: side of the face crop in
    pixels; before, revision: folders of what is `earlier`, as in `performers`; sheets: folder for a strip of each
    portrait whose licence lets it be shown.
    """

    generator: str
    sound: Path
    size: int = 512
    before: Path | None = None
    revision: Path | None = None
    sheets: Path | None = None


def shown(folder: Path) -> frozenset[str]:
    """Portraits of a folder that its catalogue lets be published."""
    catalogue = folder / "catalog.csv"
    if not catalogue.is_file():
        return frozenset()
    with catalogue.open(newline="", encoding="utf-8") as stream:
        rows = [(row["file"], row.get("licence") or "") for row in csv.DictReader(stream)]
    return frozenset(file for file, licence in rows if any(word in licence for word in FREE))


def chosen(folder: Path, names: Path | None = None) -> list[Path]:
    """The portraits of a list in a folder, of the held-out ones if None; those that are not there are left out."""
    listed = (names or held_out.LISTED).read_text(encoding="utf-8").split()
    return [folder / name for name in listed if (folder / name).is_file()]


def check(name: str, generator: Generator | None = None) -> None:
    """Refuse a generator that does not tell where it draws lips; opened here if not given.

    Raises
    ------
    SpeechheadError
    """
    if not hasattr(generator or open_generator(name, 256), "keypoints"):
        raise SpeechheadError(f"generator '{name}' draws lips it tells nothing of. Use compact, or no --portraits.")


def regions(mesh: Array, side: int) -> NDArray[np.bool_]:
    """Pixels [side, side] of mouth and eyes of a mesh [478, 2 or 3] in pixels."""
    mask = np.zeros((side, side), np.uint8)
    for loop in (OUTER_LIP, EYE_LEFT, EYE_RIGHT):
        points = mesh[loop, :2]
        grown = points.mean(0) + (points - points.mean(0)) * AROUND
        cv2.fillPoly(mask, [cv2.convexHull(np.round(grown).astype(np.int32))], 1)
    return mask > 0


class PortraitJudge:
    """Loads the networks once and judges portraits."""

    def __init__(self, settings: PortraitSettings) -> None:
        self.settings, self.tracker, self.matte = settings, FaceTracker(threads=1), Matte(1)
        self.judges: dict[str, seam.Judge] = {}
        for name, one in performers(settings.generator, settings.before, settings.revision).items():
            generator = one.generator(settings.size)
            check(settings.generator, generator)
            self.judges[name] = seam.Judge(settings.sound, cast(seam.Driven, generator), one.speech)

    def portrait(self, path: Path) -> Row:
        """Every measure of one portrait by `ours` and `earlier`; `skipped` says why there is none, such as no face in
        what was drawn."""
        try:
            return self._judged(path)
        except SpeechheadError as error:
            return {"file": path.name, "skipped": str(error)}

    def _judged(self, path: Path) -> Row:
        size = self.settings.size
        avatar = Avatar.from_image(path, size, tracker=self.tracker).resampled(size)
        row: Row = {"file": path.name, "opening": float(mouth_opening(avatar.neutral))}
        row["smiling"] = row["opening"] >= seam.SMILES
        row |= {name: self._measured(judge, avatar, path.name) for name, judge in self.judges.items()}
        if self.settings.sheets is not None and path.name in shown(path.parent):
            self._strip(avatar, path.stem, row["ours"]["worst_frame"])
        return row

    def _strip(self, avatar: Avatar, name: str, shut: int) -> None:
        judge, folder = self.judges["ours"], self.settings.sheets
        assert folder is not None
        pictures = gallery.states(avatar, judge.generator, judge.speech, judge.audio, shut)
        words = [name, "rest", "worst closed", "widest", "blinking"]
        tiles = [gallery.tile(picture, failures.SIDE) for picture in pictures]
        failures.write(folder / f"{name}.worst.png", list(zip(words, tiles)))

    def _measured(self, judge: seam.Judge, avatar: Avatar, name: str) -> Row:
        found = asdict(judge.measure(name, avatar)) | lids.measure(avatar, judge.generator, self.tracker)
        found |= turn_sweep.measure(avatar, judge.generator, self.tracker, self.matte)
        if float(lids.chroma(avatar.picture).mean()) < lids.GREY_BELOW:
            found["tint"] = self._tint(judge, avatar)
        if float(mouth_opening(avatar.neutral)) >= seam.SMILES:
            found["folds"] = self._folds(judge, avatar)
        return {key: value for key, value in found.items() if key not in ("name", "opening")}

    def _folds(self, judge: seam.Judge, avatar: Avatar) -> float:
        """What of the folds of a smile's cheeks is left when the face is at rest, by contrast."""
        source, face, pose = avatar.source(judge.generator), rest_face(avatar.neutral), avatar.pose
        mesh = to_pixels(judge.generator.keypoints(source, face), pose)
        frame = judge.generator.render(source, face, pose)
        own = rest.contrast(rest.in_layout(avatar.crop, avatar.mesh, pose))
        return rest.contrast(rest.in_layout(frame, mesh, pose)) / max(own, 1e-6)

    def _tint(self, judge: seam.Judge, avatar: Avatar) -> float:
        """Chroma, in levels, that mouth and eyes have in the widest frame and in a blink more than in the portrait."""
        faces, poses = judge.driven(avatar)
        widest = int(np.argmax(mouth_opening(faces)))
        source, most = avatar.source(judge.generator), 0.0
        own = float(np.percentile(lids.chroma(avatar.crop)[regions(avatar.mesh, avatar.size)], 95))
        for face, pose in ((faces[widest], poses[widest]), (lids.closed(avatar, 1.0), avatar.pose)):
            mesh = to_pixels(judge.generator.keypoints(source, face), pose)
            frame = judge.generator.render(source, face, pose)
            most = max(most, float(np.percentile(lids.chroma(frame)[regions(mesh, avatar.size)], 95)) - own)
        return most


def limit(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """What portraits with closed lips show between them themselves: the 95th percentile."""
    own = [row["ours"]["own"] for row in rows if row.get("ours", {}).get("own") is not None]
    return float(np.percentile(own, 95)) if own else None


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Row]]:
    """Method -> group (all, smiling, others) -> medians, counts, and shares that keep below a limit.

    Medians are of MEASURES and of `turn_sweep.FIGURES`.

    `portraits`; `residue_kept`: share whose closed lips show at most `limit`; `shut_kept`, `shut_seen_kept`: whose
    lids shut to at most SHUT[1]; `tint_most`: of the grey portraits, the highest.
    """
    used = [row for row in rows if "skipped" not in row]
    bound = limit(used)
    groups = {
        "all": used,
        "smiling": [row for row in used if row["smiling"]],
        "others": [row for row in used if not row["smiling"]],
    }
    result: dict[str, dict[str, Row]] = {}
    for method in ("ours", "earlier"):
        if any(method in row for row in used):
            own = {name: [row[method] for row in group] for name, group in groups.items()}
            result[method] = {name: _summed(group, bound) for name, group in own.items() if group}
    return result


def _summed(rows: Sequence[Mapping[str, Any]], bound: float | None) -> Row:
    values = {name: [row[name] for row in rows if row.get(name) is not None] for name, _ in MEASURES}
    result: Row = {"portraits": len(rows)}
    result |= {name: float(np.median(found)) if found else None for name, found in values.items()}
    result["residue_kept"] = None if bound is None else float(np.mean([row["worst"] <= bound for row in rows]))
    for name in ("shut", "shut_seen"):
        result[f"{name}_kept"] = float(np.mean([row[name] <= SHUT[1] for row in rows]))
    result["tint_most"] = max(values["tint"], default=None)
    return result | turn_sweep.medians(rows)
