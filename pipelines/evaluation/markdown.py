"""The report as a page to read: means beside the baselines, and every clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS: dict[str, tuple[str, ...]] = {
    "self_reenactment": ("l1", "psnr", "ssim", "akd", "mouth_akd", "mouth_sharpness_ratio", "flicker_ratio"),
    "speech": (
        *("correlation", "lag_within_1", "amplitude_ratio", "closure_recall", "opening_recall", "lmd"),
        *("velocity_error", "silence_motion", "blinks_per_minute", "head_range", "head_jerk"),
    ),
}
"""Metrics that are shown, by task."""

PER_CLIP = (
    *(("self_reenactment", method, "l1") for method in ("ours", "warp", "copy")),
    *(("self_reenactment", method, "mouth_akd") for method in ("ours", "warp", "copy")),
    *(("speech", method, "correlation") for method in ("ours", "energy_jaw")),
    *(("speech", "ours", metric) for metric in ("best_lag", "amplitude_ratio", "closure_recall")),
)
"""Task, method and metric of the columns of the table of clips."""


def methods(means: Mapping[str, Any]) -> list[str]:
    """Methods of a task, ours first and the truth last."""
    return sorted(means, key=lambda name: ("ours" not in name, name == "truth", name))


def number(value: float | None) -> str:
    """A cell: three digits after the point, whole numbers as they are, nothing for a missing value."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first column left and the others right aligned."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def means_table(task: str, means: Mapping[str, Mapping[str, Any]]) -> str:
    """Means of one task, a row per method."""
    names = COLUMNS[task]
    rows = [[name.replace("_", " "), *(number(means[name].get(n)) for n in names)] for name in methods(means)]
    return table(["method", *(name.replace("_", " ") for name in names)], rows)


def page(document: Mapping[str, Any], command: str) -> str:
    """The whole report.

    Parameters
    ----------
    document : what `pipelines.evaluate.report` returns
    command : the command line that made it
    """
    used = [row for row in document["clips"] if "skipped" not in row]
    seconds = sum(row["frames"] for row in used) / 25
    people = len({row["identity"] for row in used})
    parts = [
        "# Evaluation",
        f"{len(used)} clips of {people} people, {seconds:.0f} seconds. Made by\n\n```bash\n{command}\n```",
        "What the metrics and the methods are: [pipelines/README.md](../pipelines/README.md). Weights (SHA-256): "
        + ", ".join(f"`{name}` {digest[:12]}" for name, digest in document["weights"].items()) + ".",
    ]
    for task in COLUMNS:
        for scope, title in (("mean", "mean over clips"), ("mean_over_people", "mean over people")):
            if means := document[scope][task]:
                parts += [f"## {task.replace('_', '-').capitalize()}, {title}", means_table(task, means)]
    header = [f"{metric.replace('_', ' ')}, {method.replace('_', ' ')}" for _, method, metric in PER_CLIP]
    rows = [[row["file"], *(number(row.get(t, {}).get(m, {}).get(k)) for t, m, k in PER_CLIP)] for row in used]
    parts += ["## Clips", table(["clip", *header], rows)]
    parts += [f"Skipped: {row['skipped']}" for row in document["clips"] if "skipped" in row]
    return "\n\n".join(parts) + "\n"
