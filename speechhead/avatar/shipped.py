"""The portraits that ship with the library."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


SHIPPED = Path(__file__).parent / "portraits"


@dataclasses.dataclass(frozen=True)
class Shipped:
    """One line of avatars.json: a portrait in the package, with the voice that suits it."""

    name: str
    file: str
    voice: str
    licence: str
    credit: str
    fallback_voice: str | None = None

    @property
    def path(self) -> Path:
        """The picture's path."""
        return SHIPPED / self.file

    @property
    def voices(self) -> tuple[str, ...]:
        """Voices that suit it, best first."""
        return tuple(voice for voice in (self.voice, self.fallback_voice) if voice)


def shipped() -> dict[str, Shipped]:
    """The portraits that ship with the library by name, the default one first."""
    table = json.loads((SHIPPED / "avatars.json").read_text(encoding="utf-8"))
    found = {entry["name"]: Shipped(**entry) for entry in table["avatars"]}
    default = table["default"]
    return {default: found[default], **found}
