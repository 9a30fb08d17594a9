"""The portraits: those that ship, and those that visitors upload, prepared in the background."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import logging
import uuid
from collections.abc import Container
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from speechhead.avatar.named import named_portraits
from speechhead.avatar.portrait import Avatar
from speechhead.avatar.scene import scene_of
from speechhead.core.errors import DeviceError, SpeechheadError
from speechhead.face.tracker import FaceTracker
from speechhead.media.image import Picture
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused
from speechhead_server.stage.portrait import preview
from speechhead_server.uploads.decode import UploadDecoder

from .kept import KeptAvatars
from .studio import Studio

log = logging.getLogger("speechhead.server")

LARGEST = 512
"""Side of the face crop that is kept of an upload; every size is made from it."""

MOST_PIXELS = 40_000_000
"""Of an upload: a picture of a good camera."""


DRAWN = "compact"
"""The generator whose pictures browsers draw too."""


@dataclass(frozen=True)
class GzippedScene:
    """What a browser draws a portrait from, gzipped, and the hash of that."""

    data: bytes
    hash: str


@dataclass
class AvatarEntry:
    """One portrait.

    progress: 0..1 of its preparation. path: of its file, if it was kept from before a restart.
    staged: by generator and size, ready for sessions, which only read it; scenes: by size.
    """

    name: str
    title: str
    shipped: bool
    state: str = "preparing"
    progress: float = 0.0
    error: str = ""
    avatar: Avatar | None = None
    path: Path | None = None
    picture: bytes = b""
    staged: dict[tuple[str, int], Avatar] = field(default_factory=dict)
    scenes: dict[int, GzippedScene] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None

    def describe(self, voice: str | None = None) -> dict[str, Any]:
        """As JSON, with the voice that a session of it speaks with."""
        shown: dict[str, Any] = {"id": self.name, "name": self.title, "state": self.state, "progress": self.progress}
        shown |= {"picture": f"/avatars/{self.name}/picture", "shipped": self.shipped}
        shown |= {"notes": list(self.avatar.notes) if self.avatar else []}
        if self.error:
            shown["error"] = self.error
        if voice is not None:
            shown["voice"] = voice
        return shown


def _removed(entry: AvatarEntry) -> bool:
    """Whether a named portrait that was not opened yet has been taken away since the server began."""
    return entry.shipped and entry.avatar is None and entry.name not in named_portraits()


class Gallery:
    """All portraits of the server. Uploads have names that can't be guessed.

    They live in memory, and in a folder where the operator names one.
    """

    def __init__(self, settings: ServerSettings, studio: Studio, decoder: UploadDecoder) -> None:
        self._settings, self._studio, self._decoder = settings, studio, decoder
        self._entries = {
            name: AvatarEntry(name, name.replace("_", " ").title(), True, "ready", 1.0) for name in named_portraits()
        }
        self.default = next(iter(self._entries))
        self._kept = KeptAvatars.of(settings)
        for kept in self._kept.find():
            self._entries[kept.name] = AvatarEntry(kept.name, kept.title, False, "ready", 1.0, path=kept.path)
        self._one = asyncio.Lock()  # preparing is heavy: one portrait at a time, and streams go on
        self._one_upload = asyncio.Lock()  # which no session waits for
        self._tracker: FaceTracker | None = None

    @property
    def shown(self) -> list[AvatarEntry]:
        """The shipped portraits; uploads are their owners' affair."""
        return [entry for entry in self._entries.values() if entry.shipped and not _removed(entry)]

    def get(self, name: str | None) -> AvatarEntry:
        """A portrait by name, the default one for None."""
        entry = self._entries.get(name or self.default)
        if entry is None or _removed(entry):
            raise Refused(404, f"avatar {str(name)[:60]!r} is unknown. GET /avatars lists those there are.")
        return entry

    def voice(self, name: str | None) -> tuple[str, ...]:
        """Voices that suit a portrait, best first."""
        entry = self.get(name)
        named = named_portraits().get(entry.name) if entry.shipped else None  # a user may have taken it away
        return named.voices if named else ()

    async def picture(self, name: str) -> bytes:
        """A preview as JPEG."""
        entry = self.get(name)
        if not entry.picture:
            if entry.state != "ready":
                raise Refused(409, f"avatar {name!r} has no picture ({entry.state}). Ask for its state first.")
            with contextlib.suppress(DeviceError):  # the preview needs no device, and comes before what does
                await self.staged(name, self._studio.size)
        return entry.picture

    async def staged(self, name: str | None, size: int, generator: str | None = None) -> Avatar:
        """A portrait ready for the stage; 409 while it is being prepared or if that failed.

        Raises
        ------
        DeviceError where the generator's device has no memory for it, or fails.
        """
        entry = self.get(name)
        if entry.state != "ready":
            raise Refused(409, entry.error or f"avatar {entry.name!r} is still being prepared. Try again soon.", 1)
        key = self._studio.palette.check(generator), size
        if key not in entry.staged:
            async with self._one:
                if key not in entry.staged:
                    await self._in(self._studio.errands, self._stage, entry, size, key[0])
        return entry.staged[key]

    async def scene(self, name: str, size: int | None) -> GzippedScene:
        """What a browser draws a portrait from, at a size that is offered, the usual one for None; 409 as `staged`.

        Raises
        ------
        Refused 404 where no generator is served whose pictures browsers draw, 422 for another size.
        """
        if DRAWN not in self._studio.palette.names:
            raise Refused(404, f"there are no scenes here. Start the server with --generator {DRAWN}.")
        sizes = self._studio.offer(DRAWN).sizes
        size = self._studio.offer(DRAWN).size if size is None else size
        if size not in sizes:
            raise Refused(422, f"size {size} is not offered. Choose {', '.join(map(str, sizes))}.")
        entry = self.get(name)
        staged = await self.staged(name, size, DRAWN)
        async with self._one:
            if size not in entry.scenes:
                await self._in(self._studio.errands, self._write_scene, entry, staged, size)
        return entry.scenes[size]

    async def dressed(self, name: str | None, size: int, generator: str, background: str | None) -> Avatar:
        """A portrait ready for the stage before a colour, which nobody else gets; as `staged` without one."""
        staged = await self.staged(name, size, generator)
        if background is None:
            return staged
        avatar = self.get(name).avatar
        assert avatar is not None
        async with self._one:
            dressed: Avatar = await self._in(
                self._studio.errands, self._studio.prepare, avatar, size, generator, background
            )
        return dressed

    def release(self, generator: str, shown: Container[Avatar]) -> None:
        """Free what a generator has read off portraits, but of those that are shown."""
        for entry in self._entries.values():
            for key in [key for key, staged in entry.staged.items() if key[0] == generator and staged not in shown]:
                del entry.staged[key]

    def upload(self, data: bytes, title: str) -> AvatarEntry:
        """Take a picture's bytes; it is prepared in the background."""
        uploads = [entry for entry in self._entries.values() if not entry.shipped]
        if sum(entry.state == "preparing" for entry in uploads) >= 4:
            raise Refused(503, "four portraits are being prepared already. Try again in a few seconds.", 5)
        for entry in uploads[: max(0, len(uploads) + 1 - self._settings.uploads)]:
            self.remove(entry.name)
        entry = AvatarEntry(uuid.uuid4().hex, (title or "portrait")[:80], False)
        self._entries[entry.name] = entry
        entry.task = asyncio.create_task(self._prepare(entry, data))
        return entry

    def remove(self, name: str) -> None:
        """Forget an upload; sessions that show it keep it until they end."""
        entry = self.get(name)
        if entry.shipped:
            raise Refused(403, f"avatar {name!r} ships with the server and stays.")
        if entry.task is not None:
            entry.task.cancel()
        del self._entries[name]
        self._kept.forget(name)

    async def _prepare(self, entry: AvatarEntry, data: bytes) -> None:
        try:
            async with self._one_upload:
                entry.progress = 0.1
                picture, notes = await self._decoder.picture(data, MOST_PIXELS)
                entry.progress = 0.4
                await self._in(self._studio.uploads, self._find_face, entry, picture, notes)
                with contextlib.suppress(DeviceError):  # the session that asks for it will be told
                    name = self._studio.palette.default
                    await self._in(self._studio.uploads, self._stage, entry, self._studio.size, name)
            entry.state, entry.progress = "ready", 1.0
        except SpeechheadError as error:
            entry.state, entry.error = "failed", str(error)
        except Exception:
            log.exception("avatar: preparing an upload failed")
            entry.state, entry.error = "failed", "the picture could not be prepared. Use another one."

    async def _in(self, pool: Executor, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *arguments)

    # From here on: in the background thread.

    def _find_face(self, entry: AvatarEntry, picture: Picture, notes: tuple[str, ...]) -> None:
        if self._tracker is None:
            self._tracker = FaceTracker(threads=1)
        avatar = Avatar.from_image(picture, LARGEST, tracker=self._tracker)
        entry.avatar = replace(avatar, notes=notes + avatar.notes)
        if self._entries.get(entry.name) is entry:
            self._kept.keep(entry.name, entry.title, entry.avatar)
        if self._entries.get(entry.name) is not entry:  # forgotten meanwhile: nothing of it comes back after a restart
            self._kept.forget(entry.name)
        entry.progress = 0.7

    def _stage(self, entry: AvatarEntry, size: int, generator: str) -> None:
        if entry.avatar is None:
            entry.avatar = Avatar.load(entry.path) if entry.path else Avatar.open(entry.name, LARGEST)
        if not entry.picture:
            entry.picture = preview(entry.avatar)
        entry.staged[generator, size] = self._studio.prepare(entry.avatar, size, generator)

    def _write_scene(self, entry: AvatarEntry, staged: Avatar, size: int) -> None:
        data = scene_of(staged, self._studio.palette.generator(DRAWN, size))
        entry.scenes[size] = GzippedScene(gzip.compress(data, 6, mtime=0), hashlib.sha256(data).hexdigest())

    def open_default(self) -> Avatar:
        """The default portrait, read now (for measuring the machine before the server starts)."""
        entry = self._entries[self.default]
        if entry.avatar is None:
            entry.avatar = Avatar.open(self.default, LARGEST)
        return entry.avatar
