"""Piper voices that a user has added: files in a folder among the user's data, listed like the packaged ones."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from speechhead.core.errors import SpeechSynthesisError
from speechhead.core.weights import user_data

from .speech import VoiceInfo

LICENCE = "the voice's own terms"
GENDERS = ("female", "male", "unknown")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,39}")


def folder() -> Path:
    """Where added voices are: `voices` in $SPEECHHEAD_HOME, or beside the user's own weights."""
    return user_data("voices")


def path(name: str) -> Path:
    """The file of an added voice, whether it is there or not."""
    return folder() / f"{name}.onnx"


def added() -> tuple[VoiceInfo, ...]:
    """The voices in the folder, by name; files without their .json are none."""
    found = []
    for file in sorted(folder().glob("*.onnx")):
        if (described := _description(file)) is not None and _NAME.fullmatch(file.stem):
            gender = described.get("speechhead_gender")
            code = described.get("language", {}).get("code") or described.get("espeak", {}).get("voice") or "und"
            known = gender if gender in GENDERS else "unknown"
            found.append(VoiceInfo(file.stem, known, str(code).replace("_", "-"), LICENCE, rank=15, live=True))
    return tuple(found)


def add(file: Path, name: str, gender: str = "unknown") -> Path:
    """Copy a voice's .onnx and .onnx.json into the folder under a name.

    Raises
    ------
    SpeechSynthesisError if the name, the gender or a file is not usable.
    """
    if not _NAME.fullmatch(name):
        raise SpeechSynthesisError(f"name '{name[:60]}': use up to 40 letters, digits, dots, dashes. --name gives one.")
    if gender not in GENDERS:
        raise SpeechSynthesisError(f"gender '{gender[:60]}': use one of {', '.join(GENDERS)}.")
    described = _description(file)
    if not file.is_file() or described is None:
        raise SpeechSynthesisError(f"{file}: Piper voice not found. It needs .onnx and .onnx.json side by side.")
    target = path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**described, "speechhead_gender": gender}, ensure_ascii=False)
    # The .onnx comes last, and whole: a voice is one from then on.
    Path(f"{target}.json").write_text(text, encoding="utf-8")
    copy = target.with_suffix(".part")
    shutil.copyfile(file, copy)
    copy.replace(target)
    return target


def _description(file: Path) -> dict[str, Any] | None:
    """What a voice's .json says, if it is one."""
    try:
        described = json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return described if isinstance(described, dict) and "phoneme_id_map" in described else None
