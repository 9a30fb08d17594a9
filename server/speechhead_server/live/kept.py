"""Portraits of visitors in a folder, so that a restart does not lose them."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import ImageError, ServerError
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import for_log

log = logging.getLogger("speechhead.server")

NAME = re.compile(r"[0-9a-f]{32}")
DAY = 24 * 3600


@dataclass(frozen=True)
class KeptAvatar:
    """A portrait in the folder: its id, its title and its file."""

    name: str
    title: str
    path: Path


class KeptAvatars:
    """The folder; one that is not named keeps nothing.

    Parameters
    ----------
    folder : made if it is not there, readable by its owner alone; "" for none
    days : after which a portrait is removed

    Raises
    ------
    ServerError if the folder can not be made or written.
    """

    def __init__(self, folder: str, days: float) -> None:
        self._folder, self._days = Path(folder) if folder else None, days
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            writable = os.access(self._folder, os.W_OK | os.X_OK)
        except OSError as error:
            raise ServerError(f"{folder}: is no folder for portraits ({error.strerror}). Choose another.") from None
        if not writable:
            raise ServerError(f"{folder}: can not be written. Choose another folder for --avatars.")

    @classmethod
    def of(cls, settings: ServerSettings) -> KeptAvatars:
        """Those of a server."""
        return cls(settings.avatars_folder, settings.avatar_days)

    def find(self) -> Iterator[KeptAvatar]:
        """What is there, the oldest first; what is too old is removed, what can not be read is left and told."""
        for path in sorted(self._files(), key=_age, reverse=True):
            if _age(path) > self._days * DAY:
                self._remove(path)
                continue
            try:
                yield KeptAvatar(path.stem, Avatar.title(path), path)
            except ImageError as error:
                log.warning("avatar %s: not usable (%s).", path.stem, for_log(error))

    def keep(self, name: str, title: str, avatar: Avatar) -> None:
        """Write a portrait; a disk that is full costs only its stay after a restart."""
        if self._folder is None:
            return
        try:
            path = replace(avatar, name=title).save(self._folder / f"{name}.avatar")
            path.chmod(0o600)
        except (ImageError, OSError) as error:
            log.warning("avatar %s: not kept (%s).", name, _why(error))

    def forget(self, name: str) -> None:
        """Remove a portrait, if it is there."""
        if self._folder is not None:
            self._remove(self._folder / f"{name}.avatar")

    @staticmethod
    def _remove(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("avatar %s: its file could not be removed (%s).", path.stem, _why(error))

    def _files(self) -> list[Path]:
        found = [] if self._folder is None else self._folder.glob("*.avatar")
        return [path for path in found if NAME.fullmatch(path.stem) and path.is_file()]


def _why(error: BaseException) -> str:
    """For the log: what the system says, or the kind of error."""
    system = error if isinstance(error, OSError) else error.__cause__
    return getattr(system, "strerror", None) or for_log(error)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:  # it went meanwhile
        return 0.0
