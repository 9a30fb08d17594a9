"""What the routes answer, as the schema tells it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """An answer: what is named, and what later versions add."""

    model_config = ConfigDict(extra="allow")


class ErrorResult(BaseModel):
    """A refusal: one line that says what is wrong and what to do."""

    error: str


class Health(Result):
    """Whether the server works."""

    status: str
    version: str
    sessions: int
    capacity: int


class AvatarResult(Result):
    """A portrait."""

    id: str
    name: str
    state: str
    picture: str
    voice: str | None = None


class AvatarsResult(Result):
    """The portraits that ship."""

    default: str
    avatars: list[AvatarResult]


class VoicesResult(Result):
    """Voices that can speak here."""

    default: str | None
    voices: list[dict[str, str]]


class SessionResult(Result):
    """A session."""

    id: str
    whep: str
    avatar: str
    voice: str
    size: int
    generator: str
    seed: int


class RunningResult(SessionResult):
    """A session, and what it is doing."""

    state: str
    viewers: int


class StatsResult(Result):
    """What a session costs, and how punctual it is."""

    id: str
    uptime: float
    size: int
    generator: str
    fps: float
    frames: int
    late: int
    state: str
    speaking: bool
    queued: int
    viewers: list[dict[str, Any]]


class GeneratorResult(Result):
    """What sessions may be drawn by."""

    name: str
    size: int
    sizes: list[int]
    device: str
    capacity: int
    viewers: dict[str, Any] | None = None


class ConfigResult(Result):
    """What a client needs to know."""

    version: str
    size: int
    sizes: list[int]
    generators: list[GeneratorResult]
    fps: int
    ice_servers: list[dict[str, Any]]
    emotions: list[str]
    limits: dict[str, int]
    talk: dict[str, bool] | None


class ControlsResult(Result):
    """The controls as they are."""

    emotion: dict[str, float]
    gaze: tuple[float, float] | None
    head: str | tuple[float, float, float] | None


class SaidResult(Result):
    """An utterance that was queued; seconds: of a recording; note: what of a text is left out."""

    utterance: str
    seconds: float | None = None
    note: str | None = None


class InterruptResult(Result):
    """Whether there was anything to stop."""

    interrupted: bool


MEANINGS = {
    400: "The request is malformed.",
    401: "The token is missing or wrong, or a ticket's time is over.",
    403: "It may not be changed.",
    404: "It is unknown, or has ended.",
    406: "The answer is of a type that is not accepted.",
    408: "The body did not come in time.",
    409: "It is not ready yet.",
    412: "Another ICE session is named.",
    413: "The body is too large.",
    415: "The content type is not taken.",
    422: "A value is not usable.",
    428: "The ICE session is not named.",
    429: "Too much at once: wait.",
    503: "No room, or closing: wait.",
    507: "The server's disk has no room.",
}


def file_body(kind: str, **fields: str) -> dict[str, Any]:
    """What a route that takes a file says of its body: a form, or the bytes; `fields` are others of the form."""
    binary = {"type": "string", "format": "binary", "minLength": 1}
    more = {name: {"type": "string", "description": about} for name, about in fields.items()}
    form: dict[str, Any] = {"type": "object", "properties": {"file": binary, **more}, "required": ["file"]}
    form["additionalProperties"] = False
    content = {"multipart/form-data": {"schema": form}, kind: {"schema": binary}}
    return {"requestBody": {"required": True, "content": content}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that are refusals, as the schema tells them, those of every route among them."""
    return {status: {"model": ErrorResult, "description": MEANINGS[status]} for status in sorted({*statuses, 429})}
