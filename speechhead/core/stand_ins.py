"""Files that are not what their name says: a git-LFS pointer, or the web page around a download."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .errors import SpeechheadError

_POINTER = b"version https://git-lfs"
_PAGES = (b"<!doctype html", b"<html", b"<head", b'<?xml version="1.0" encoding="utf-8"?><!doctype html')


def stand_in(path: str | Path) -> str:
    """What a file is in place of its content, and the remedy; empty for any other file, or none."""
    head = b""
    with contextlib.suppress(OSError), Path(path).open("rb") as file:
        head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(_POINTER):
        return "is a git-LFS pointer, not the file itself. Run `git lfs pull` where it comes from"
    if head.startswith(_PAGES):
        return "is a web page, not the file itself. Download it again, by the link to the file"
    return ""


def is_pointer(path: str | Path) -> bool:
    """Whether a file is a git-LFS pointer, which is text and yet never what is meant."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def refuse_stand_in(path: str | Path, error: type[SpeechheadError]) -> None:
    """Raise `error` where a file is a stand-in for another."""
    if what := stand_in(path):
        raise error(f"{path}: {what}.")
