"""Where more is written of each command than its help says."""

from __future__ import annotations

from typing import Any

DOCS = {
    "say": "README.md, docs/expression.md",
    "render": "docs/dubbing.md, docs/expression.md",
    "animate": "README.md",
    "batch": "docs/offline.md",
    "faces": "docs/dubbing.md",
    "check": "README.md",
    "scene": "docs/scene.md",
    "avatars": "README.md",
    "voices": "docs/voices.md",
    "weights": "README.md",
    "doctor": "README.md",
    "bench": "docs/performance.md",
    "serve": "docs/server.md, server/PROTOCOL.md",
    "worker": "docs/scale.md",
    "page": "docs/page.md",
}
"""Where more is written of each command, in the repository."""


def more(name: str) -> str:
    """The last line of a command's help."""
    return f"More in the repository: {DOCS[name]}."


def pointed(name: str, command: Any) -> Any:
    """A command, and those within it, whose help says where more is written."""
    for each in (command, *getattr(command, "commands", {}).values()) if name in DOCS else ():
        each.epilog = each.epilog or more(name)
    return command
