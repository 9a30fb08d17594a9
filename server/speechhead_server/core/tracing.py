"""Spans of OpenTelemetry, where its packages are installed; nothing otherwise.

`opentelemetry-instrument speechhead serve` sends them where its own variables say (OTEL_EXPORTER_OTLP_ENDPOINT).
"""

from __future__ import annotations

from typing import Any

try:
    from opentelemetry import trace
except ImportError:
    trace = None  # type: ignore[assignment]

NAME = "speechhead"

Value = str | bool | int | float


class Span:
    """Something that takes a while. It begins when it is made and ends once, by `end`.

    Parameters
    ----------
    name : as "session" or "utterance"
    within : the span that it is a part of
    attributes : ids and numbers; never what a user wrote. None is left out.
    """

    def __init__(self, name: str, within: Span | None = None, **attributes: Value | None) -> None:
        self._span: Any = None
        if trace is not None:
            context = None if within is None or within._span is None else trace.set_span_in_context(within._span)
            self._span = trace.get_tracer(NAME).start_span(f"{NAME}.{name}", context, attributes=_known(attributes))

    def event(self, name: str, **attributes: Value | None) -> None:
        """A moment of it."""
        if self._span is not None:
            self._span.add_event(name, _known(attributes))

    def end(self, failed: str = "", **attributes: Value | None) -> None:
        """It is over; `failed` is the kind of error that ended it."""
        span, self._span = self._span, None
        if span is None:
            return
        span.set_attributes(_known(attributes))
        if failed:
            span.set_status(trace.Status(trace.StatusCode.ERROR, failed))
        span.end()


def _known(attributes: dict[str, Value | None]) -> dict[str, Value]:
    return {f"{NAME}.{name}": value for name, value in attributes.items() if value is not None}
