"""Piper voices that a user has added: files in a folder among the user's data, listed like the packaged ones."""

from __future__ import annotations

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

from speechhead.core.disk import reason
from speechhead.core.errors import SpeechSynthesisError
from speechhead.core.outputs import replaced
from speechhead.core.weights import USER_FOLDER, user_data

from .speech import VoiceInfo

log = logging.getLogger("speechhead")

LICENCE = "the voice's own terms"
GENDERS = ("female", "male", "unknown")
REMEDY = f"Choose another {USER_FOLDER}"
_NAME = re.compile(r"[^\W_][\w.-]{0,39}")


def folder() -> Path:
    """Where added voices are: `voices` in $SPEECHHEAD_HOME, or beside the user's own weights."""
    return user_data("voices")


def path(name: str) -> Path:
    """The file of an added voice, whether it is there or not."""
    return folder() / f"{name}.onnx"


def added() -> tuple[VoiceInfo, ...]:
    """The voices in the folder, by name; files without their .json are none, see `faults`."""
    found = []
    for file in sorted(folder().glob("*.onnx")):
        if (described := _description(file)) is not None and _NAME.fullmatch(file.stem):
            gender = described.get("speechhead_gender")
            code = _entry(described, "language", "code") or _entry(described, "espeak", "voice") or "und"
            known = gender if gender in GENDERS else "unknown"
            found.append(VoiceInfo(file.stem, known, code.replace("_", "-"), LICENCE, rank=15, live=True))
    return tuple(found)


def faults() -> dict[str, str]:
    """What is wrong with files in the folder that are no usable voice, and the remedy: a line each, by name."""
    return {
        file.stem: f"{file}: its description {file.name}.json is missing or damaged. Add the voice again."
        for file in sorted(folder().glob("*.onnx"))
        if _description(file) is None
    }


def check_name(name: str, gender: str = "unknown") -> None:
    """SpeechSynthesisError if a voice can not be added under a name, or as that of such a speaker."""
    if not _NAME.fullmatch(name):
        remedy = "use up to 40 letters, digits, dots, dashes. --name gives one"
        raise SpeechSynthesisError(f"name '{name[:60]}': {remedy}.")
    if gender not in GENDERS:
        raise SpeechSynthesisError(f"gender '{gender[:60]}': use one of {', '.join(GENDERS)}.")


def add(file: Path, name: str, gender: str = "unknown") -> Path:
    """Copy a voice's .onnx and .onnx.json into the folder under a name; one of that name is replaced, with a note.

    Raises
    ------
    SpeechSynthesisError if the name, the gender or a file is not usable.
    """
    check_name(name, gender)
    described = _description(file)
    if not file.is_file() or described is None:
        raise SpeechSynthesisError(f"{file}: Piper voice not found. It needs .onnx and .onnx.json side by side.")
    target = path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**described, "speechhead_gender": gender}, ensure_ascii=False)
    if target.is_file():
        log.warning("%s: the voice of that name is replaced.", name)
    with replaced(Path(f"{target}.json"), SpeechSynthesisError, REMEDY) as line:
        line.write_text(text, encoding="utf-8")
        with replaced(target, SpeechSynthesisError, REMEDY) as copy:
            shutil.copyfile(file, copy)
    return target


def remove(name: str) -> None:
    """Forget a voice that the user has added; one that is damaged, too.

    Raises
    ------
    SpeechSynthesisError if there is none of that name, or the system refuses.
    """
    known = [file.stem for file in sorted(folder().glob("*.onnx"))]
    if name not in known:
        remedy = f"Choose from {', '.join(known)}." if known else "No voice was added."
        raise SpeechSynthesisError(f"name '{name[:60]}': no such voice among those added. {remedy}")
    try:
        path(name).unlink()
        Path(f"{path(name)}.json").unlink(missing_ok=True)
    except OSError as error:
        raise SpeechSynthesisError(f"{path(name)}: {reason(error)}. Check what may be written there.") from error


def _entry(described: dict[str, Any], group: str, name: str) -> str:
    """A word in a group of a description, empty where either is missing or of another kind."""
    inner = described.get(group)
    word = inner.get(name) if isinstance(inner, dict) else None
    return word if isinstance(word, str) else ""


def _description(file: Path) -> dict[str, Any] | None:
    """What a voice's .json says, if it is one."""
    try:
        described = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return described if isinstance(described, dict) and "phoneme_id_map" in described else None
