"""Bodies of requests, checked by pydantic; what each field means is in PROTOCOL.md."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NamedTuple

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from speechhead.core.controls import Controls, Emotions, parse_emotion
from speechhead.core.errors import ControlError
from speechhead.core.keyframes import Keyframe, rows_of
from speechhead_server.core.problems import Refused
from speechhead_server.live.wish import MOST_SEED, SessionWish

from .control_fields import FIELDS, fields_of_controls, strict
from .forms import form_of

KEYFRAMES = 15_000
"""Of one recording: each frame of ten minutes."""

HEAD_LINE = 4096
"""Characters among which a table has its head line."""

_TABLE = re.compile(r'\A(?:\s*#.*\n)*\s*(?:"?\w+"?\s*[,;]\s*)*"?at"?\s*(?:[,;\n]|\Z)', re.IGNORECASE)
"""Such a line, with a column of times, where JSON begins otherwise."""


class Body(BaseModel):
    """Unknown fields are mistakes, not ignored."""

    model_config = ConfigDict(extra="forbid")


class ControlsBody(fields_of_controls(Body)):  # type: ignore[misc]  # made of the fields of Controls
    """Changes of the controls."""

    def changes(self) -> dict[str, Any]:
        """As fields of Controls: only those that were sent; null stands for the default where that is possible."""
        sent = {name: getattr(self, name) for name in self.model_fields_set}
        changes: dict[str, Any] = {}
        for name, value in sent.items():
            if name == "head":
                changes[name] = "generated" if value is None else [value] if isinstance(value, tuple) else value
            elif name == "emotion":
                changes[name] = emotion_of(value) or {}
            elif value is not None or name == "gaze":
                changes[name] = value
        return changes


WholeNumber: Any = strict(int)
StrictEmotions: Any = strict(Emotions)


class SessionBody(Body):
    """A new session."""

    avatar: str | None = Field(None, max_length=100)
    voice: str | None = Field(None, max_length=100)
    size: WholeNumber | None = None
    generator: str | None = Field(None, max_length=100)
    background: str | None = Field(None, max_length=100)
    controls: ControlsBody | None = None
    drawn: Literal["server", "viewer"] = "server"
    seed: WholeNumber | None = Field(None, json_schema_extra={"minimum": 0, "maximum": MOST_SEED})

    def wanted(self) -> SessionWish:
        """As the server's own record; Refused (422) for a background that is no colour."""
        changes = self.controls.changes() if self.controls else {}
        parts = (self.avatar, self.voice, self.size, self.generator, self.background)
        return SessionWish(*parts, changes, self.drawn, self.seed)


class SayBody(Body):
    """A text to say."""

    text: str = Field(json_schema_extra={"minLength": 1, "pattern": r"\w"})
    voice: str | None = Field(None, max_length=100)
    emotion: StrictEmotions | None = None
    interrupt: StrictBool = False


def emotion_of(value: Emotions | None) -> dict[str, float] | None:
    """An emotion as a mapping, checked; ControlError for one that is unknown or out of range."""
    if isinstance(value, str):
        value = parse_emotion(value) if value.strip() else {}
    return None if value is None else dict(Controls(emotion=value).emotion)


def shown_controls(controls: Controls) -> dict[str, Any]:
    """Controls as JSON; the seed is the session's own affair."""
    shown = {entry.name: getattr(controls, entry.name) for entry in FIELDS}
    head = list(controls.head[-1]) if isinstance(controls.head, tuple) else controls.head
    return {**shown, "emotion": dict(controls.emotion), "head": head}


class Upload(NamedTuple):
    """A file, its name, and what else the form says."""

    data: bytes
    name: str
    fields: dict[str, str]


async def file_of(request: Request, kind: str, *known: str) -> Upload:
    """An uploaded file: the form's field `file`, or the body itself.

    Parameters
    ----------
    kind : main type of the content, "image" or "audio"
    known : the form's other fields
    """
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content == "multipart/form-data":
        form = await form_of(request, ("file",), 1, 4)
        try:
            for name in form.keys() - {"file", *known}:
                raise Refused(422, f"field {name[:40]!r} is unknown. Send {', '.join(('file', *known))}.")
            upload = form.get("file")
            if upload is None or isinstance(upload, str):
                raise Refused(422, "the form has no file. Send it in the field 'file'.")
            data, name = await upload.read(), upload.filename or ""
            fields = {key: value for key, value in form.items() if isinstance(value, str)}
        finally:
            await form.close()
    elif content.startswith(f"{kind}/") or content in ("application/octet-stream", "video/mp4", "video/webm"):
        data, name, fields = await request.body(), "", {}
    else:
        raise Refused(415, f"content type {content[:60]!r} is not taken. Send {kind}/*, or a form with a 'file'.")
    if not data:
        raise Refused(422, "the file is empty. Send one with content.")
    return Upload(data, name, fields)


def keyframes_of(text: str | None) -> tuple[Keyframe, ...]:
    """Keyframes from a form's field, JSON or CSV as in a file; ControlError otherwise."""
    if not text:
        return ()
    text = text.removeprefix("\ufeff")
    try:
        entries = rows_of(text, "keyframes") if _TABLE.search(text[:HEAD_LINE]) else json.loads(text)
    except ControlError:
        raise
    except (ValueError, RecursionError):
        raise Refused(422, "keyframes are no JSON. Send a list of entries with at and what changes.") from None
    if not isinstance(entries, list):  # a text would be the path of a file on this machine
        raise Refused(422, "keyframes are no list. Send a list of entries with at and what changes.")
    if len(entries) > KEYFRAMES:
        raise Refused(422, f"{len(entries)} keyframes are too many (at most {KEYFRAMES}). Leave some out.")
    return Controls(keyframes=entries).cues
