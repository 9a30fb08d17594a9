"""Which videos there are, of whom, and under which terms."""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".3gp"}

FREE = ("grid corpus: cc by 4.0", "public domain", "cc0", "licence: cc by 4.0", "own render", "own recording")
"""A licence with one of these phrases, in lower case, is free: what is made from it may be published."""
NOT_FREE = ("non-commercial", "noncommercial", "-nc", "-nd", "research", "eula", "youtube", "third-party", "no licence")
"""Phrases that make it unfree whatever else it says: a repository's licence is not its footage's."""

VALIDATION = 0.1
"""Share of identities that validate where no catalogue says."""


@dataclass(frozen=True)
class FootageEntry:
    """One video. name: its path in the folder, with slashes; the rest is the catalogue's."""

    path: Path
    name: str
    identity: str
    split: str
    language: str = ""
    licence: str = ""
    source: str = ""

    @property
    def key(self) -> str:
        """The name as a file name without folders, blanks and ending."""
        return re.sub(r"[^\w.-]+", "_", self.name.rsplit(".", 1)[0].replace("/", "__"))


def is_free(licence: str) -> bool:
    """Whether a licence's text is on the list of those under which results may be published."""
    text = licence.lower()
    return any(phrase in text for phrase in FREE) and not any(phrase in text for phrase in NOT_FREE)


def allowed(licence: str, wanted: str) -> bool:
    """Whether a licence is wanted: 'all', 'free', or phrases with commas between, one of which it has."""
    if wanted in ("all", "free"):
        return wanted == "all" or is_free(licence)
    return any(phrase.strip().lower() in licence.lower() for phrase in wanted.split(",") if phrase.strip())


def split_of(identity: str, validation: float = VALIDATION) -> str:
    """'train' or 'val' by a hash of the identity: all videos of a person fall on one side, now and later."""
    place = int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") / 2**64
    return "val" if place < validation else "train"


def list_footage(
    folder: Path, catalogue: Path | None = None, split: str = "all", licences: str = "all"
) -> list[FootageEntry]:
    """Videos of a folder and its folders, by name.

    Parameters
    ----------
    catalogue : CSV with the columns file, identity, split, language, licence, source (`file` and any of the others);
        `catalog.csv` in the folder if None and it exists. Without an identity, videos in a folder of their own are
        of one person, others each of a person of their own; without a split, `split_of` says.
    split : 'all', or the one to take
    licences : see `allowed`
    """
    path = catalogue or folder / "catalog.csv"
    rows: dict[str, dict[str, str]] = {}
    if catalogue or path.is_file():
        with path.open(newline="", encoding="utf-8") as stream:
            rows = {row["file"]: row for row in csv.DictReader(stream)}
    entries = []
    for video in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
        name = video.relative_to(folder).as_posix()
        row = rows.get(name) or rows.get(video.name) or {}
        identity = row.get("identity") or (name.split("/")[0] if "/" in name else video.stem)
        described = {column: row.get(column) or "" for column in ("language", "licence", "source")}
        entry = FootageEntry(video, name, identity, row.get("split") or split_of(identity), **described)
        if split in ("all", entry.split) and allowed(entry.licence, licences):
            entries.append(entry)
    return entries
