"""The targets of the weights, each computed from the report beside what it is measured by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import portraits, turn_bins

Document = Mapping[str, Any]

HEAD_MOTION = 5.0
"""Degrees of head range (see `motion.head_range`) from which a clip counts as one with head motion."""

BROADCAST = ("HDTF", "P_", "dfrf", "mimictalk", "vretalk", "pcavs")
"""Beginnings of the names of clips of continuous broadcast speech."""


def subsets(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Clips of special interest, by name of the subset."""
    used = [row for row in rows if "skipped" not in row]
    return {
        "head_motion": [row for row in used if row["head_range"] >= HEAD_MOTION],
        "broadcast": [row for row in used if row["file"].startswith(BROADCAST)],
    }


@dataclass(frozen=True)
class Target:
    """One line of the table.

    name: what is asked; goal: in words; value: what was reached, of the report, None where it was not measured;
    low, high: bounds, inclusive; beside: what the baselines or the truth have, in words.
    """

    name: str
    goal: str
    value: Callable[[Document], float | None]
    low: float = float("-inf")
    high: float = float("inf")
    beside: Callable[[Document], str] = lambda document: ""

    def met(self, document: Document) -> bool | None:
        """Whether it is reached; None where it was not measured."""
        value = self.value(document)
        return None if value is None else self.low <= value <= self.high


def _read(scope: str, task: str, method: str, metric: str) -> Callable[[Document], float | None]:
    def value(document: Document) -> float | None:
        found: Any = document
        for key in (*scope.split("."), task, method, metric):
            found = found.get(key) or {} if key != metric else found.get(key)
        return found if isinstance(found, int | float) else None

    return value


def _others(scope: str, task: str, metric: str, names: tuple[str, ...]) -> Callable[[Document], str]:
    def words(document: Document) -> str:
        values = {name: _read(scope, task, name, metric)(document) for name in names}
        shown = (f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items() if value is not None)
        return ", ".join(shown)

    return words


def _gain(document: Document) -> float | None:
    """Percent by which the L1 of ours is under the mesh warp's, on clips with head motion."""
    ours, warp = (_read("subsets.head_motion", "self_reenactment", name, "l1")(document) for name in ("ours", "warp"))
    return None if ours is None or not warp else 100 * (1 - ours / warp)


def _margin(document: Document) -> float | None:
    """Velocity error of ours under that of the best baseline; negative where a baseline is better."""
    read = [_read("mean", "speech", name, "velocity_error")(document) for name in ("ours", *_SILENT)]
    numbers = [value for value in read if value is not None]
    return None if read[0] is None or len(numbers) < 2 else min(numbers[1:]) - numbers[0]


def _detail(moving: bool) -> Callable[[Document], float | None]:
    def value(document: Document) -> float | None:
        rows = [row for row in document.get("detail") or [] if "skipped" not in row]
        names = ("skin_moving", "hair_moving") if moving else ("skin", "hair")
        return min(sum(row[name] for row in rows) / len(rows) for name in names) if rows else None

    return value


def _mebibytes(document: Document) -> float | None:
    size = document.get("weights_bytes")
    return None if size is None else size / 2**20


def _inside(metric: str, method: str = "ours", off: bool = False) -> Callable[[Document], float | None]:
    """Mean over clips of a measure of open mouths; off: of its distance from the truth."""

    def value(document: Document) -> float | None:
        found = [row.get("self_reenactment", {}).get(method, {}) for row in document["clips"]]
        kept = [row for row in found if row.get(f"inside_{metric}") is not None]
        read = [row[f"inside_{metric}"] - (row[f"inside_{metric}_truth"] if off else 0) for row in kept]
        return sum(abs(one) if off else one for one in read) / len(read) if read else None

    return value


def _mouth(name: str, goal: str, metric: str, low: float, high: float, off: bool = False) -> Target:
    def beside(document: Document) -> str:
        values = {method: _inside(metric, method, off)(document) for method in ("earlier", "warp")}
        return ", ".join(f"{method} {value:.3f}" for method, value in values.items() if value is not None)

    return Target(name, goal, _inside(metric, "ours", off), low, high, beside)


def _real(document: Document, metric: str) -> float | None:
    """Mean over the people of all clips of a measure of their real faces."""
    sets = [(own["people"], own["real"].get(metric)) for own in document.get("life", {}).values()]
    known = [(people, value) for people, value in sets if value is not None]
    return sum(people * value for people, value in known) / sum(people for people, _ in known) if known else None


def _still(name: str, goal: str, metric: str, low: float, high: float) -> Target:
    """A measure of all still portraits; beside it, where they have it, that of the real people of the clips."""

    def of(method: str, document: Document, group: str = "all") -> float | None:
        found = document.get("portrait_summary", {}).get(method, {}).get(group, {}).get(metric)
        return found if isinstance(found, int | float) else None

    def beside(document: Document) -> str:
        values = {"earlier": of("earlier", document), "ours smiling": of("ours", document, "smiling")}
        return _named(values | {"real people": _real(document, metric)})

    return Target(name, goal, lambda document: of("ours", document), low, high, beside)


def _named(values: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items() if value is not None)


def _turned(name: str, high: float, read: Callable[[list[Any], str], float | None]) -> Target:
    """A measure of the clips with frames of every bin of turn; read: of their rows and a method."""

    def of(method: str, document: Document) -> float | None:
        return read(turn_bins.turned_clips(document["clips"]), method)

    def beside(document: Document) -> str:
        return _named({method: of(method, document) for method in ("earlier", "warp", "copy")})

    return Target(name, f"<= {high:g}", lambda document: of("ours", document), 0, high, beside)


def _growth(region: str) -> Callable[[list[Any], str], float | None]:
    return lambda rows, method: turn_bins.growth(rows, method, region)


def _at_15(part: str) -> Callable[[list[Any], str], float | None]:
    return lambda rows, method: turn_bins.average(rows, method, f"turn_near_{part}")


_SILENT = ("still", "mean_face", "energy_jaw")
_SPEECH = ("earlier", "energy_jaw", "ours_landmarks")
_PICTURE = ("earlier", "warp", "warp_68", "copy")


def _picture(name: str, goal: str, metric: str, low: float, high: float) -> Target:
    read = _read("mean", "self_reenactment", "ours", metric)
    return Target(name, goal, read, low, high, _others("mean", "self_reenactment", metric, _PICTURE))


def _speech(name: str, goal: str, metric: str, low: float, high: float, scope: str = "mean") -> Target:
    return Target(
        name, goal, _read(scope, "speech", "ours", metric), low, high, _others(scope, "speech", metric, _SPEECH)
    )


def _life(name: str, metric: str) -> Target:
    """Closeness to real of the last set of clips that is measured, beside the other sets."""

    def found(document: Document) -> dict[str, float]:
        values = {key: own["closeness"].get(metric) for key, own in document.get("life", {}).items()}
        return {key: value for key, value in values.items() if value is not None}

    def value(document: Document) -> float | None:
        return next(reversed(found(document).values()), None)

    def beside(document: Document) -> str:
        return ", ".join(f"{key} {one:.3f}" for key, one in found(document).items())

    return Target(f"{name}, closeness to real", ">= 0.8", value, 0.8, 1, beside)


INFINITE = float("inf")

MOST = 50 / 52
"""Share of portraits that keeps a limit."""

TARGETS = (
    _speech("Lip-opening correlation, mean over people", ">= 0.65", "correlation", 0.65, 1, "mean_over_people"),
    _speech("Lip-opening correlation, broadcast speech", ">= 0.5", "correlation", 0.5, 1, "subsets.broadcast"),
    _speech("Amplitude over the truth's", "0.8-1.3", "amplitude_ratio", 0.8, 1.3),
    _speech("Clips with the best lag within one frame", ">= 0.9", "lag_within_1", 0.9, 1),
    _speech("Closures hit", ">= 0.8", "closure_recall", 0.8, 1),
    Target(
        "Velocity error under the best baseline's by",
        "> 0",
        _margin,
        1e-9,
        INFINITE,
        _others("mean", "speech", "velocity_error", ("ours", "ours_landmarks", "earlier", *_SILENT)),
    ),
    _life("Lip dynamics", "lip_dynamics"),
    _life("Lip sync", "lip_sync"),
    _life("Silent lips", "silent_lips"),
    _life("Brows", "brows"),
    _life("Head", "head"),
    _life("Blinks a minute", "blinks"),
    _picture("AKD, px at 256", "<= 1.5", "akd", 0, 1.5),
    _picture("Mouth AKD, px at 256", "<= 1.5", "mouth_akd", 0, 1.5),
    Target(
        "L1 under the warp's on clips with head motion, percent",
        ">= 25",
        _gain,
        25,
        INFINITE,
        _others("subsets.head_motion", "self_reenactment", "l1", ("ours", *_PICTURE)),
    ),
    _picture("Mouth-region sharpness ratio", "0.8-1.2", "mouth_sharpness_ratio", 0.8, 1.2),
    _picture("Flicker ratio", "<= 1.2", "flicker_ratio", 0, 1.2),
    Target("Sharpness of skin and hair, head at rest", ">= 0.9", _detail(False), 0.9, INFINITE),
    Target("Sharpness of skin and hair, head moving", ">= 0.9", _detail(True), 0.9, INFINITE),
    _mouth("Contrast inside open mouths over the truth's", "0.8-1.2", "contrast_ratio", 0.8, 1.2),
    _mouth("Share of lower teeth from the truth's by", "<= 0.15", "lower_teeth", 0, 0.15, off=True),
    _mouth("Light inside open mouths from the truth's by", "<= 0.1", "light", 0, 0.1, off=True),
    _mouth("Correlation of the share of teeth with the truth's", ">= 0.6", "teeth_correlation", 0.6, 1),
    _picture("Width of a pucker over the truth's", "0.95-1.05", "lips_pucker_width", 0.95, 1.05),
    _still("Portraits whose closed lips show no bright line, share", ">= 50 of 52", "residue_kept", MOST, 1),
    _still("Lid opening at full closure over open, median, in space", "<= 0.25", "shut", 0, portraits.SHUT[0]),
    _still(
        "Lid opening at full closure over open, median, in the picture", "<= 0.25", "shut_seen", 0, portraits.SHUT[0]
    ),
    _still("Portraits whose lids shut to 0.4 of open, in space, share", ">= 50 of 52", "shut_kept", MOST, 1),
    _still("Portraits whose lids shut to 0.4 of open, in the picture, share", ">= 50 of 52", "shut_seen_kept", MOST, 1),
    _still("Highest hue that a grey portrait gets, levels", "<= 2", "tint_most", -INFINITE, 2),
    _turned("L1 of the face at 15-22 degrees of turn over that below 6", 1.3, _growth("face")),
    _turned("The same of the ring of hair", 1.3, _growth("hair")),
    _turned("Mouth landmarks at 15 degrees of turn, px at 256", 1.5, _at_15("mouth")),
    _turned("Eye landmarks at 15 degrees of turn, px at 256", 1.5, _at_15("eyes")),
    *(
        _still(f"Seen {axis} over asked, median portrait", "0.95-1.05", f"{axis}_slope", 0.95, 1.05)
        for axis in turn_bins.AXES
    ),
    Target("Tracked weights, MiB", "<= 20", _mebibytes, 0, 20),
)
"""Real time is measured by `speechhead bench`."""


def table(document: Document) -> list[list[str]]:
    """Cells of the table: target, goal, reached, met, and what it is printed beside."""
    rows = []
    for target in TARGETS:
        value, met = target.value(document), target.met(document)
        reached = "" if value is None else f"{value:.3f}"
        rows.append(
            [target.name, target.goal, reached, {True: "yes", False: "**no**", None: ""}[met], target.beside(document)]
        )
    return rows
