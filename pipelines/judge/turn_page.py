"""The part of the report's page that is about heads which turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import turn_sweep
from .tables import number, table
from .turn_bins import FEWEST, METHODS, MOST, slope_table, turn_table, turned_clips

CLIP_WORDS = """
Self-reenactment by how far the head has turned from the first frame, the source: the angle of the rotation, of all axes
together. Means over the {count} clips with at least {fewest} frames in every bin, so that every column has the same
people: {names}. L1 in grey levels, landmarks (those that the tracker finds, from the true ones) in px at 256.
What could be reached is told by ours with every place moved to where the truth has it (`moved`: optical flow, smooth
as a warp), and then lit as the truth is (`moved and lit`: a gain, smooth as light), of up to {most} frames of each bin.
"""

SEEN_WORDS = """
Slope of the turns that the tracker sees in rendered frames on the true ones, mean over the clips whose head moves
about that axis:
"""

PORTRAIT_WORDS = """
Still portraits turned about each axis by -15 to 15 degrees: slope of the angles that the tracker sees on those asked,
and landmarks seen from landmarks asked. The outline of hair and ears is watched while the head turns by a degree a
frame from -12 to 12: the mean absolute second difference of its place, which is zero of one that moves steadily. It is
read from pictures before two flat walls, whose difference tells what is not the person, without a segmentation that
has a noise of its own. Medians.
"""


def turn_parts(document: Mapping[str, Any]) -> list[str]:
    """Tables of clips by turn, of slopes, and of portraits; nothing of what was not measured."""
    parts, used = [], turned_clips(document["clips"])
    if used:
        words = CLIP_WORDS.format(
            count=len(used), fewest=FEWEST, most=MOST, names=", ".join(row["file"] for row in used)
        )
        parts += [words, turn_table(used, METHODS)]
    if slopes := slope_table(document["clips"], METHODS):
        parts += [SEEN_WORDS, slopes]
    summary = document["portrait_summary"]
    methods = [name for name in METHODS if name in summary]
    lines = [[what, *(number(summary[m]["all"].get(n)) for m in methods)] for n, what in turn_sweep.FIGURES.items()]
    if any(any(line[1:]) for line in lines):
        parts += [PORTRAIT_WORDS, table(["measure", *methods], lines)]
    return ["## Turned heads", *parts] if parts else []
