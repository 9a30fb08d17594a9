"""Portraits that have a name: those that ship with the library, and those that a user has added."""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from speechhead.core.disk import reason
from speechhead.core.errors import ImageError
from speechhead.core.outputs import replaced
from speechhead.core.weights import USER_FOLDER, user_data

log = logging.getLogger("speechhead")

SHIPPED = Path(__file__).parent / "portraits"
REMEDY = f"Choose another {USER_FOLDER}"
_NAME = re.compile(r"[^\W_][\w-]{0,39}")


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
    """The portraits that the user has added by name; what is unreadable among them is left out, see `faults`."""
    entries = (_entry(file) for file in _files())
    return {entry.name: entry for entry in entries if entry is not None}


def faults() -> dict[str, str]:
    """What is wrong with added portraits that are left out, and the remedy: a line each, by name."""
    return {
        file.stem: f"{file}: is damaged, or its picture is gone. Add the portrait again, or delete the file."
        for file in _files()
        if _entry(file) is None
    }


def _files() -> list[Path]:
    return sorted(user_data("avatars").glob("*.json"))


def _entry(file: Path) -> NamedPortrait | None:
    """The portrait that a file describes, if its picture lies beside it."""
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
        entry = NamedPortrait(**described, folder=file.parent)
    except (OSError, ValueError, TypeError):
        return None
    words = [entry.name, entry.file, entry.voice, entry.licence, entry.credit, entry.fallback_voice or ""]
    if not all(isinstance(word, str) for word in words) or entry.name != file.stem:
        return None
    return entry if entry.path.is_file() and entry.path.parent == file.parent else None


def named_portraits() -> dict[str, NamedPortrait]:
    """Every portrait that has a name, the default one first; a shipped name stands."""
    return {**(own := shipped()), **{name: entry for name, entry in added().items() if name not in own}}


def check_name(name: str) -> None:
    """ImageError if a portrait can not be added under a name."""
    if not _NAME.fullmatch(name):
        raise ImageError(f"name '{name[:60]}': use up to 40 letters, digits, dashes. --name gives another.")
    if name in shipped():
        raise ImageError(f"name '{name}': a shipped portrait has it. --name gives another.")


def add(picture: Path, name: str, voice: str = "", licence: str = "", credit: str = "") -> NamedPortrait:
    """Keep a picture under a name among the user's data; one of that name is replaced, with a note.

    Raises
    ------
    ImageError if the name is not usable or belongs to a shipped portrait.
    """
    check_name(name)
    earlier = added().get(name)
    folder = user_data("avatars")
    folder.mkdir(parents=True, exist_ok=True)
    entry = NamedPortrait(
        name, f"{name}{picture.suffix.lower()}", voice, licence or "the user's", credit, folder=folder
    )
    described = {key: value for key, value in asdict(entry).items() if key != "folder"}
    with replaced(folder / f"{name}.json", ImageError, REMEDY) as line:
        line.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
        with replaced(entry.path, ImageError, REMEDY) as copy:
            shutil.copyfile(picture, copy)
    if earlier is not None:
        log.warning("%s: the portrait of that name is replaced.", name)
        if earlier.path != entry.path:
            earlier.path.unlink()
    return entry


def remove(name: str) -> None:
    """Forget a portrait that the user has added, with its picture; one that is damaged, too.

    Raises
    ------
    ImageError if there is none of that name, or the system refuses.
    """
    if name in shipped():
        raise ImageError(f"name '{name}': ships with the library and stays.")
    known = {file.stem: file for file in _files()}
    if name not in known:
        remedy = f"Choose from {', '.join(known)}." if known else "No portrait was added."
        raise ImageError(f"name '{name[:60]}': no such portrait. {remedy}")
    pictures = [file for file in known[name].parent.iterdir() if file.stem == name and file != known[name]]
    try:
        known[name].unlink()
        for picture in pictures:  # whatever its description says: a damaged one names none
            picture.unlink()
    except OSError as error:
        raise ImageError(f"{known[name]}: {reason(error)}. Check what may be written there.") from error
