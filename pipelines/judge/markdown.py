"""The report as a page to read: means beside the baselines, and every clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import close_up, closeness_report, failures, targets
from .tables import number, table
from .turn_page import turn_parts

COLUMNS: dict[str, tuple[str, ...]] = {
    "self_reenactment": (
        "l1",
        "psnr",
        "ssim",
        "akd",
        "mouth_akd",
        "mouth_sharpness_ratio",
        "flicker_ratio",
        "opening_slope",
    ),
    "speech": (
        *("correlation", "lag_within_1", "amplitude_ratio", "closure_recall", "opening_recall", "lmd"),
        *("velocity_error", "silence_motion", "opening_slope", "blinks_per_minute", "head_range", "head_jerk"),
    ),
}
"""Metrics that are shown, by task."""

PER_CLIP = (
    *(("self_reenactment", method, "l1") for method in ("ours", "earlier", "warp", "copy")),
    *(("self_reenactment", method, "mouth_akd") for method in ("ours", "earlier", "warp", "copy")),
    *(("self_reenactment", "ours", metric) for metric in ("mouth_sharpness_ratio", "flicker_ratio")),
    *(("speech", method, "correlation") for method in ("ours", "earlier", "energy_jaw")),
    *(("speech", "ours", metric) for metric in ("best_lag", "amplitude_ratio", "closure_recall", "silence_motion")),
    ("speech", "truth", "silence_motion"),
)
"""Task, method and metric of the columns of the table of clips."""

SUBSETS = {
    "head_motion": f"Clips with head motion (at least {targets.HEAD_MOTION:g} degrees), self-reenactment",
    "broadcast": "Continuous broadcast speech",
}

OPENING = {"self_reenactment": ("ours", "earlier", "warp"), "speech": ("ours", "earlier", "ours_warp_68")}
"""Methods of the table of openings, by task."""

OPENING_WORDS = """
Regression of the lip opening that is tracked in rendered frames on the opening that the driving landmarks ask for
(outer eye distances): a slope of 1 and an offset of 0 show all of it. `small` is what is seen of openings between
0.02 and 0.06, over what was asked for. The warps have no generator: they tell what the landmarks ask of any.
"""

SHIFT_WORDS = """
The sound of every clip (its first seconds) is delayed by -5 to 5 frames and its mouth driven by it; the best lag must
move by as much: `followed` is the share of clips in which it does exactly, `within 1` with a frame of tolerance.
`correlation` is at zero lag, `peak` at the best one. The columns `truth` delay the true mouth itself, without any
network.
"""

DETAIL_WORDS = """
Variance of the Laplacian of skin (the face without eyes and mouth) and hair in rendered frames over that of the
photo, at the crop's own resolution, at most 512 px: with the head at rest and in generated motion.
"""


def methods(means: Mapping[str, Any]) -> list[str]:
    """Methods of a task, ours first and the truth last."""
    return sorted(means, key=lambda name: ("ours" not in name, name == "truth", name))


def means_table(task: str, means: Mapping[str, Mapping[str, Any]]) -> str:
    """Means of one task, a row per method."""
    names = COLUMNS[task]
    rows = [[name.replace("_", " "), *(number(means[name].get(n)) for n in names)] for name in methods(means)]
    return table(["method", *(name.replace("_", " ") for name in names)], rows)


def opening_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """How much of the opening asked for is seen, per clip: slope and offset of the regression, small openings."""
    columns = [(t, m) for t, names in OPENING.items() for m in names]
    header = ["clip", *(f"{m.replace('_', ' ')}, {t.replace('_', ' ')}: slope, offset, r, small" for t, m in columns)]
    keys = ("opening_slope", "opening_offset", "opening_r", "small_openings")

    def cell(row: Mapping[str, Any], task: str, method: str) -> str:
        values = row.get(task, {}).get(method, {})
        return " / ".join(number(values.get(key)) or "-" for key in keys) if values else ""

    cells = [[row["file"], *(cell(row, t, m) for t, m in columns)] for row in rows]
    return table(header, cells)


def shift_table(summary: Sequence[Mapping[str, Any]]) -> str:
    """Lag and correlation for sound shifted by whole frames."""
    names = list(summary[0])
    return table([name.replace("_", " ") for name in names], [[number(row[n]) for n in names] for row in summary])


def detail_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Sharpness of skin and hair, per portrait."""
    names = list(rows[0])
    cells = [[str(row[n]) if n in ("portrait", "size") else number(row[n]) for n in names] for row in rows]
    return table([name.replace("_", " ") for name in names], cells)


def skipped(document: Mapping[str, Any]) -> list[str]:
    """Which clips and portraits could not be measured, each with its reason."""
    rows = [row for part in ("clips", "people", "portraits", "detail") for row in document[part] if "skipped" in row]
    named = [(row.get("file") or row["portrait"], row["skipped"]) for row in rows]
    return [why if name in why else f"{name}: {why}" for name, why in named]


def failure_parts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The worst clips by each measure."""
    parts = []
    for task, metric, more, title in failures.MEASURES:
        if worst := failures.worst(rows, task, metric, more):
            cells = [
                [row["file"], number(row[task]["ours"][metric]), str(row.get("worst_frame", "")), row.get("notes", "")]
                for row in worst
            ]
            parts.append(table([f"worst by {title}", "value", "worst frame (L1)", "catalogue says"], cells))
    return parts


def page(document: Mapping[str, Any], command: str, notes: str = "") -> str:
    """The whole report.

    Parameters
    ----------
    document : what `pipelines.evaluate.report` returns
    command : the command line that made it
    notes : Markdown written by hand, such as what the failures have in common; stands after the failures
    """
    used = [row for row in document["clips"] if "skipped" not in row]
    seconds = sum(row["frames"] for row in used) / 25
    people = len({row["identity"] for row in used})
    parts = [
        "# Evaluation",
        f"{len(used)} clips of {people} people, {seconds:.0f} seconds. Made by\n\n```bash\n{command}\n```",
        "What the metrics and the methods are: [pipelines/README.md](../pipelines/README.md). Weights (SHA-256): "
        + ", ".join(f"`{name}` {digest[:12]}" for name, digest in document["weights"].items())
        + ".",
    ]
    if document["earlier"]:
        parts.append(f"`earlier` is {document['earlier']}.")
    parts += ["## Targets", table(["target", "goal", "reached", "met", "beside it"], targets.table(document))]
    for task in COLUMNS:
        for scope, title in (("mean", "mean over clips"), ("mean_over_people", "mean over people")):
            if means := document[scope][task]:
                parts += [f"## {task.replace('_', '-').capitalize()}, {title}", means_table(task, means)]
    parts += closeness_report.life_parts(document)
    for name, title in SUBSETS.items():
        task = "speech" if name == "broadcast" else "self_reenactment"
        if means := document["subsets"][name].get(task):
            parts += [f"## {title}", ", ".join(document["subset_clips"][name]) + ".", means_table(task, means)]
    header = [f"{metric.replace('_', ' ')}, {method.replace('_', ' ')}" for _, method, metric in PER_CLIP]
    rows = [[row["file"], *(number(row.get(t, {}).get(m, {}).get(k)) for t, m, k in PER_CLIP)] for row in used]
    parts += ["## Clips", table(["clip", *header], rows)]
    if any("ours" in row["self_reenactment"] for row in used):
        parts += ["## Opening asked for and opening seen", OPENING_WORDS, opening_table(used)]
        parts += [*close_up.mouth_parts(used), *close_up.lip_parts(document)]
    parts += [*turn_parts(document), *close_up.portrait_parts(document)]
    if any("ours" in row["self_reenactment"] for row in used):
        parts += ["## Failures", *failure_parts(used)]
    parts += [notes] if notes else []
    if document["shifts"]:
        parts += ["## The sync measure itself", SHIFT_WORDS, shift_table(document["shifts"])]
    if sharpness := [row for row in document["detail"] if "skipped" not in row]:
        parts += ["## Detail", DETAIL_WORDS, detail_table(sharpness)]
    parts += [f"Skipped: {words}" for words in skipped(document)]
    return "\n\n".join(part.strip() for part in parts) + "\n"
