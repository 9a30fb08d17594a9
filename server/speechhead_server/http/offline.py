"""Routes of offline videos: files or a text come in, a job goes into the queue, its video goes out."""

from __future__ import annotations

import asyncio
import mimetypes
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from PIL import ImageColor
from starlette.datastructures import FormData, UploadFile

from speechhead.avatar.named import shipped
from speechhead.batch.job import Job, job_of
from speechhead.core.errors import SpeechheadError
from speechhead.media.credentials import check_signed
from speechhead.render.head import TABLES
from speechhead_server.core.addresses import network
from speechhead_server.core.problems import Refused
from speechhead_server.live.sessions import Sessions
from speechhead_server.offline.queue import OfflineQueue

from .forms import form_of
from .results import refusals
from .schema import offline_form

FIELDS = (
    "text", "voice", "avatar", "emotion", "size", "background", "seed", "form", "crop", "face", "generator",
    "head_brows",
)  # fmt: skip
"""Fields of the form, besides its files."""

FILES = ("source", "audio", "head", "keyframes")
"""Files of the form: who speaks, what, and whose head and which controls move the portrait meanwhile."""

MOST_KEYFRAMES = 256 << 10
"""Bytes of keyframes: one for every frame of ten minutes."""

FORMS = ("mp4", "webm", "gif", "mov")
"""What a video may be written as."""

BLOCK = 1 << 20

FORM: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": offline_form(FORMS, shipped())}}}
}
"""What the schema says of the form."""


def add_offline(api: FastAPI, queue: OfflineQueue, sessions: Sessions) -> None:
    """Add the routes."""

    @api.post(
        "/offline",
        status_code=202,
        tags=["offline"],
        responses=refusals(400, 408, 413, 415, 422, 503, 507),
        openapi_extra=FORM,
    )
    async def make(request: Request, response: Response) -> dict[str, Any]:
        """Make a video: a form with `source` (a picture or video) or `avatar`, and `audio` (a file) or `text`.

        `head` is a CSV of poses, or a video of somebody who moves so; `keyframes` a CSV or JSON of controls over time.
        """
        owner = network(request.client.host) if request.client else ""
        folder: Path | None = None
        try:
            with queue.coming(owner) as folder:
                values = await _received(request, folder)
            made = queue.add(await _job(values, folder, sessions), folder, owner)
        except BaseException:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        response.headers["Location"] = f"/offline/{made.name}"
        return queue.describe(made)

    @api.get("/offline/{name}", tags=["offline"], responses=refusals(404))
    async def about(name: str) -> dict[str, Any]:
        """How far a video is."""
        return queue.describe(queue.get(name))

    @api.get("/offline/{name}/video", tags=["offline"], response_class=FileResponse, responses=refusals(404, 409, 507))
    async def video(name: str) -> FileResponse:
        """The video."""
        job = queue.get(name)
        if job.full:
            raise Refused(507, job.error or "")
        if job.state == "failed":
            raise Refused(409, f"the video failed: {job.error}")
        if job.state != "done":
            raise Refused(409, f"the video is {job.state}. Ask again when its state is 'done'.", 2)
        kind = mimetypes.guess_type(job.video.name)[0] or "application/octet-stream"
        return FileResponse(job.video, media_type=kind, filename=job.video.name)

    @api.delete("/offline/{name}", status_code=204, tags=["offline"], responses=refusals(404))
    async def remove(name: str) -> None:
        """Cancel a video, or remove it."""
        queue.remove(name)


async def _received(request: Request, folder: Path) -> dict[str, str]:
    """The form's fields; its files lie in the folder then."""
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content != "multipart/form-data":
        raise Refused(415, f"content type {content[:60]!r} is not taken. Send multipart/form-data.")
    form = await form_of(request, ("source", "audio", "keyframes"), len(FILES), len(FIELDS), 64 * 1024)
    try:
        return await _kept(form, folder)
    finally:
        await form.close()


async def _kept(form: FormData, folder: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in form.multi_items():
        if name in values:
            raise Refused(422, f"{name[:40]} is sent twice. Send one.")
        if isinstance(value, UploadFile):
            if name not in FILES:
                raise Refused(422, f"file {name[:40]!r} is unknown. Send {', '.join(FILES)}.")
            table = name == "head" and Path(value.filename or "").suffix.lower() in TABLES
            path = folder / f"{name}{'.csv' if table else '.upload'}"
            with path.open("wb") as out:
                while block := await value.read(BLOCK):
                    out.write(block)
            if not path.stat().st_size:
                raise Refused(422, f"{name}: the file is empty. Send one with content.")
            if name == "keyframes" and path.stat().st_size > MOST_KEYFRAMES:
                raise Refused(413, f"keyframes are too large (at most {MOST_KEYFRAMES >> 10} kB). Leave some out.")
            values[name] = path.name
        elif name in FILES:
            raise Refused(422, f"{name} is a file. Send it with a file name, such as me.csv or me.mp4.")
        elif name not in FIELDS:
            raise Refused(422, f"field {name[:40]!r} is unknown. Fields are {', '.join((*FILES, *FIELDS))}.")
        elif value.strip():
            values[name] = value
    return values


async def _job(values: dict[str, str], folder: Path, sessions: Sessions) -> Job:
    """The job that a form asks for; nothing in it names a file but those that were sent."""
    line: dict[str, Any] = dict(values)
    form = line.pop("form", "mp4")
    if form not in FORMS:
        raise Refused(422, f"form {form[:20]!r} is unknown. Choose {', '.join(FORMS)}.")
    avatar = line.pop("avatar", None)
    if avatar is not None:
        if "source" in line:
            raise Refused(422, "source and avatar are both given. Send one of them.")
        if avatar not in shipped():
            raise Refused(422, f"avatar {avatar[:60]!r} is unknown. Use one of {', '.join(shipped())}.")
        line["source"] = avatar
    if "text" in line:
        most = sessions.settings.offline_text
        if len(line["text"]) > most:
            raise Refused(422, f"the text has {len(line['text'])} characters (at most {most}). Cut it into parts.")
        voice = sessions.check_voice(line.get("voice"), avatar)
        if "voice" in line:
            line["voice"] = voice
        sessions.read(line["text"], voice)
    if "background" in line:
        try:
            ImageColor.getrgb(line["background"])
        except ValueError:
            given = line["background"][:40]
            raise Refused(422, f"background {given!r} is no colour. Write #rrggbb or a colour's name.") from None
    if form == "mov":
        line["alpha"] = "yes"
    settings = sessions.settings
    line["generator"] = sessions.studio.palette.check(line.get("generator"))
    line |= {name: getattr(settings, name) for name in ("engine", "device", "precision", "graph")}
    try:
        job = await asyncio.to_thread(job_of, {**line, "output": f"video.{form}"}, 1, folder)
        if signer := sessions.settings.c2pa:
            check_signed(Path(job.output))
            job = replace(job, options={**job.options, "c2pa": [str(Path(file).resolve()) for file in signer]})
        return job
    except SpeechheadError as error:
        raise Refused(422, str(error).replace(f"{folder}/", "")) from None
