"""What `speechhead doctor` finds, a line each, in words and for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    name: of what was looked at; state: what was found, in words, with the remedy where something is wrong; good:
    whether all is well; data: the same for programs.
    """

    name: str
    state: str
    good: bool = True
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """What `--json` says of it."""
        return {"ok": self.good, "state": self.state, **self.data}
