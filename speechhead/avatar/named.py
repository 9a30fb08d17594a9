"""Portraits that have a name: those that ship with the library, and those that a user has added."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from speechhead.core.errors import ImageError
from speechhead.core.weights import user_data

SHIPPED = Path(__file__).parent / "portraits"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,39}")


@dataclass(frozen=True)
class NamedPortrait:
    """A picture with the voice that suits it; of the library, a line of avatars.json.

    file: in `folder`; voice: empty for the default one; fallback_voice: where the first can not speak
    """

    name: str
    file: str
    voice: str
    licence: str
    credit: str
    fallback_voice: str | None = None
    folder: Path = field(default=SHIPPED, repr=False)

    @property
    def path(self) -> Path:
        """The picture's path."""
        return self.folder / self.file

    @property
    def voices(self) -> tuple[str, ...]:
        """Voices that suit it, best first."""
        return tuple(voice for voice in (self.voice, self.fallback_voice) if voice)


def shipped() -> dict[str, NamedPortrait]:
    """The portraits that ship with the library by name, the default one first."""
    table = json.loads((SHIPPED / "avatars.json").read_text(encoding="utf-8"))
    found = {entry["name"]: NamedPortrait(**entry) for entry in table["avatars"]}
    default = table["default"]
    return {default: found[default], **found}


def added() -> dict[str, NamedPortrait]:
    """The portraits that the user has added by name; what is unreadable among them is left out."""
    found, folder = {}, user_data("avatars")
    for file in sorted(folder.glob("*.json")):
        try:
            entry = NamedPortrait(**json.loads(file.read_text(encoding="utf-8")), folder=folder)
        except (OSError, ValueError, TypeError):
            continue
        if entry.path.is_file() and entry.path.parent == folder:
            found[entry.name] = entry
    return found


def named_portraits() -> dict[str, NamedPortrait]:
    """Every portrait that has a name, the default one first; a shipped name stands."""
    return {**(own := shipped()), **{name: entry for name, entry in added().items() if name not in own}}


def add(picture: Path, name: str, voice: str = "", licence: str = "", credit: str = "") -> NamedPortrait:
    """Keep a picture under a name among the user's data.

    Raises
    ------
    ImageError if the name is not usable or belongs to a shipped portrait.
    """
    if not _NAME.fullmatch(name):
        raise ImageError(f"name '{name[:60]}': use up to 40 letters, digits, dashes. --name gives another.")
    if name in shipped():
        raise ImageError(f"name '{name}': a shipped portrait has it. --name gives another.")
    folder = user_data("avatars")
    folder.mkdir(parents=True, exist_ok=True)
    entry = NamedPortrait(
        name, f"{name}{picture.suffix.lower()}", voice, licence or "the user's", credit, folder=folder
    )
    shutil.copyfile(picture, entry.path)
    described = {key: value for key, value in asdict(entry).items() if key != "folder"}
    (folder / f"{name}.json").write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
    return entry
