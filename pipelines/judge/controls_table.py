"""Where each control of the face is set: command line, Python, HTTP, the page and what is said while it runs."""

from __future__ import annotations

import re
from pathlib import Path

from speechhead.core.controls import OVER_TIME, Controls
from speechhead.core.records import Entry, entries

CLIENT = Path(__file__).parents[2] / "server" / "speechhead_server" / "client"

ON_PAGE = {
    "gaze": ("steer_gaze", "gaze_yaw", "gaze_pitch"),
    "head": ("steer_head", "head_yaw", "head_pitch", "head_roll", "offline-head"),
    "head_brows": ("offline-brows",),
    "keyframes": ("keyframes", "offline-keyframes"),
    "seed": ("seed",),
}
"""Fields of the page that make one control; others bear the control's own name."""

FORM = "`POST /offline`"

BY_HTTP = {
    "head": f"a file of {FORM}",
    "head_brows": f"`head_brows` of {FORM}",
    "keyframes": f"`keyframes` of `POST /sessions/{{id}}/audio` and {FORM}",
    "seed": f"`seed` of `POST /sessions` and {FORM}",
}
"""What of HTTP takes them besides the fields of the controls."""

CHIPS = "a chip and a slider for each"
"""Of the emotions, whose names the server tells."""

LIVE = {
    "emotion": '`[happy:0.7]` in a text, `"emotion"` of `say`',
    "head": '`{"type": "pose", "yaw", "pitch", "roll"}` on the data channel',
}

HEADER = ("control", "command line", "Python", "HTTP", "page", "over time, live")


def page_fields() -> dict[str, str]:
    """Labels of the page's sliders, boxes and files, by their id."""
    made = re.findall(r'\{ id: "(\w+)", label: "([^"]+)"', (CLIENT / "controls.js").read_text(encoding="utf-8"))
    there = r'<label[^>]* for="([\w-]+)">(?:<input[^>]*>)?<span[^>]*>([^<]+)</span>'
    return dict(made + re.findall(there, (CLIENT / "index.html").read_text(encoding="utf-8")))


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
        cells = [f"`{cell}`" if cell else "" for cell in (flag(entry), f"Controls({entry.name}=)")]
        taken = [f"`{entry.name}`"] if entry.option.http else []
        taken += [BY_HTTP[entry.name]] if entry.name in BY_HTTP else []
        rows.append([entry.option.help, *cells, ", ".join(taken), on_page(entry, labels), ", ".join(live)])
    return rows


def control_table() -> str:
    """All controls as a Markdown table."""
    lines = [HEADER, ["---"] * len(HEADER), *control_rows()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
