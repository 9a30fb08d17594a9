"""Where each control of the face is set: command line, Python, HTTP, the page and what is said while it runs."""

from __future__ import annotations

import re
from pathlib import Path

from speechhead.core.controls import OVER_TIME, Controls
from speechhead.core.records import Entry, entries

PAGE = Path(__file__).parents[2] / "server" / "speechhead_server" / "client" / "controls.js"

ON_PAGE = {
    "gaze": ("steer_gaze", "gaze_yaw", "gaze_pitch"),
    "head": ("steer_head", "head_yaw", "head_pitch", "head_roll"),
}
"""Fields of the page that make one control; others bear the control's own name."""

CHIPS = "a chip and a slider for each"
"""Of the emotions, whose names the server tells."""

LIVE = {
    "emotion": '`[happy:0.7]` in a text, `"emotion"` of `say`',
    "head": '`{"type": "pose", "yaw", "pitch", "roll"}` on the data channel',
    "keyframes": "field `keyframes` of `POST /sessions/{id}/audio`",
    "seed": "field `seed` of `POST /offline`",
}

HEADER = ("control", "command line", "Python", "HTTP", "page", "over time, live")


def page_fields() -> dict[str, str]:
    """Labels of the page's sliders and boxes, by their id."""
    return dict(re.findall(r'\{ id: "(\w+)", label: "([^"]+)"', PAGE.read_text(encoding="utf-8")))


def flag(entry: Entry) -> str:
    """How the command line spells a control; nothing where it has none."""
    if not entry.option.command:
        return ""
    name = entry.name.replace("_", "-")
    return entry.option.flag or (f"--{name}/--no-{name}" if entry.default is True else f"--{name}")


def on_page(entry: Entry, labels: dict[str, str]) -> str:
    """What of the page sets a control; nothing where none does."""
    if entry.name == "emotion":
        return CHIPS
    names = ON_PAGE.get(entry.name, (entry.name,))
    return ", ".join(labels[name] for name in names if name in labels)


def control_rows() -> list[list[str]]:
    """A row of HEADER for each control."""
    labels, rows = page_fields(), []
    for entry in entries(Controls):
        live = ["keyframes"] if entry.name in OVER_TIME else []
        live += [LIVE[entry.name]] if entry.name in LIVE else []
        cells = [flag(entry), f"Controls({entry.name}=)", entry.name if entry.option.http else ""]
        rows.append(
            [entry.option.help, *(f"`{c}`" if c else "" for c in cells), on_page(entry, labels), ", ".join(live)]
        )
    return rows


def control_table() -> str:
    """All controls as a Markdown table."""
    lines = [HEADER, ["---"] * len(HEADER), *control_rows()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
