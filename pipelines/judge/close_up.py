"""The parts of the report's page that look closely: the inside of open mouths, and still portraits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import portraits
from .tables import number, table

MOUTH_METHODS = ("ours", "earlier", "warp")

MOUTH = (
    ("contrast", "contrast"),
    ("lower_teeth", "lower teeth"),
    ("light", "light"),
)
"""Measures that have a truth, and their names."""

MOUTH_WORDS = """
Frames in which the lips are at least 0.07 outer eye distances apart in the truth and in ours (clips with twelve of
them): standard deviation of the opening's luma and its 95th percentile (`light`), both over the skin's; share of teeth
in its lower half; correlation over time of the share of teeth with the truth's. What is made / the truth.
"""

LIPS = (
    ("pucker_width", "width of a pucker"),
    ("pucker_depth", "depth of a pucker"),
    ("pucker_upper", "red of the upper lip in it"),
    ("pucker_lower", "of the lower"),
    ("rolled_upper", "red of the upper lip, rolled in"),
    ("rolled_lower", "of the lower"),
    ("width_r", "r of width"),
    ("light_r", "r of light"),
    ("light_slope", "slope of light"),
)
"""Measures of `pucker.Volume` that are shown, and their names."""

LIP_WORDS = """
Means over clips, ours over the truth: on the tenth of the frames with the narrowest true mouth its width, how much
narrower than usual it is, and the red of either lip; the red of lips that are shut and rolled in; correlation over time
of the width, and of the lower lip's light over that of the skin under it, which a lip that comes forward raises.
"""

PORTRAIT_WORDS = """
Still portraits that are set aside (`pipelines/data/held_out.py`) speak the sound of a clip and blink. Smiling: inner
lips parted by at least 0.03 outer eye distances. Medians; less is better. `kept` is the share of portraits below the
limit: between closed lips what portraits with closed lips show themselves (their 95th percentile: {limit}), of shut
lids 0.4 of the open ones.
"""

KEPT = (("residue_kept", "closed lips kept"), ("shut_kept", "lids kept"), ("shut_seen_kept", "the same, in plane"))

WORST = 8
"""Portraits that are named for each limit."""


def mouth_parts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table of open mouths, a line per clip that has them."""
    used = [row for row in rows if row["self_reenactment"].get("ours", {}).get("inside_contrast") is not None]
    if not used:
        return []
    header = ["clip", *(f"{title}, {method}" for _, title in MOUTH for method in MOUTH_METHODS)]
    header += [f"r of teeth, {method}" for method in MOUTH_METHODS]

    def cell(row: Mapping[str, Any], method: str, name: str) -> str:
        values = row["self_reenactment"].get(method, {})
        made, true = values.get(f"inside_{name}"), values.get(f"inside_{name}_truth")
        return "" if made is None else f"{made:.2f} / {true:.2f}"

    lines = []
    for row in used:
        line = [row["file"], *(cell(row, method, name) for name, _ in MOUTH for method in MOUTH_METHODS)]
        found = (row["self_reenactment"].get(method, {}) for method in MOUTH_METHODS)
        lines.append([*line, *(number(values.get("inside_teeth_correlation")) for values in found)])
    return ["## Inside open mouths, self-reenactment", MOUTH_WORDS, table(header, lines)]


def lip_parts(document: Mapping[str, Any]) -> list[str]:
    """The table of rounded and rolled-in lips, a line per method."""
    means = document["mean"]["self_reenactment"]
    lines = [
        [method, *(number(means[method].get(f"lips_{name}")) for name, _ in LIPS)]
        for method in (*MOUTH_METHODS, "warp_68")
        if means.get(method, {}).get("lips_pucker_width") is not None
    ]
    if not lines:
        return []
    return [
        "## Rounded and rolled-in lips, self-reenactment",
        LIP_WORDS,
        table(["method", *(t for _, t in LIPS)], lines),
    ]


def portrait_parts(document: Mapping[str, Any]) -> list[str]:
    """The tables of portraits: medians by group, and those beyond the limits."""
    summary = document["portrait_summary"]
    if not summary:
        return []
    columns = [(method, group) for group in ("all", "smiling", "others") for method in ("earlier", "ours")]
    columns = [(method, group) for method, group in columns if group in summary.get(method, {})]
    names = [*portraits.MEASURES, *KEPT, ("tint_most", "highest hue that a grey portrait gets, levels")]
    lines = [[title, *(number(summary[m][g].get(name)) for m, g in columns)] for name, title in names]
    counts = [f"{group}, {method} ({summary[method][group]['portraits']})" for method, group in columns]
    limit = document["portrait_limit"]
    parts = ["## Portraits", PORTRAIT_WORDS.format(limit=number(limit)), table(["measure", *counts], lines)]
    return [*parts, *beyond(document["portraits"], limit)]


def beyond(rows: Sequence[Mapping[str, Any]], limit: float | None) -> list[str]:
    """Portraits that miss a limit, the worst first."""
    used = [row for row in rows if "ours" in row]
    bounds = (("worst", limit, "between closed lips"), ("shut", portraits.SHUT[1], "of shut lids"))
    parts = []
    for name, bound, title in bounds:
        over = sorted((row for row in used if bound is not None and row["ours"][name] > bound), key=lambda r: r["file"])
        over.sort(key=lambda row: -row["ours"][name])
        if over:
            cells = [
                [row["file"], number(row.get("earlier", {}).get(name)), number(row["ours"][name])]
                for row in over[:WORST]
            ]
            parts.append(table([f"beyond the limit {title} ({len(over)})", "earlier", "ours"], cells))
    return parts
