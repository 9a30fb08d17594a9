"""Spans of a session and of what it says, see `core.tracing`."""

from __future__ import annotations

from speechhead_server.core.tracing import Span
from speechhead_server.stage.drawing import Easel
from speechhead_server.stage.events import Message
from speechhead_server.stage.segment import Segment


class Traces:
    """The span of one session, and within it one of every utterance."""

    def __init__(self, session: str, size: int) -> None:
        self._session = Span("session", session=session, size=size)
        self._utterances: dict[str, Span] = {}

    def begin(self, segment: Segment) -> None:
        """An utterance was queued."""
        self._utterances[segment.name] = Span("utterance", self._session, utterance=segment.name, kind=segment.kind)

    def follow(self, message: Message) -> None:
        """What viewers are told of it."""
        span = self._utterances.get(message.get("utterance") or "")
        if span is None:
            return
        if message["type"] == "state" and message["state"] == "speaking":
            span.event("first frame")
        elif message["type"] == "done":
            span.end(seconds=message.get("position"), interrupted=bool(message.get("interrupted")))
            del self._utterances[message["utterance"]]

    def end(self, pictures: Easel) -> None:
        """The session is over, and so is what it was saying."""
        for span in self._utterances.values():
            span.end(interrupted=True)
        self._session.end(frames=pictures.drawn, late=pictures.late)
