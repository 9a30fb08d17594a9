"""Spans, with OpenTelemetry's packages and without."""

from __future__ import annotations

import pytest
from speechhead_server.core import tracing
from speechhead_server.core.tracing import Span


def test_without_its_packages_a_span_is_nothing(monkeypatch):
    monkeypatch.setattr(tracing, "trace", None)
    span = Span("session", session="a")
    Span("utterance", span).end(failed="x")
    span.event("first frame")
    span.end()


def test_spans_lie_within_each_other_and_end_once(monkeypatch):
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing.trace, "get_tracer", provider.get_tracer)
    outer = Span("session", session="a", size=512)
    inner = Span("utterance", outer, kind="text", note=None)
    inner.event("first frame", late=2)
    inner.end(failed="VoiceError", seconds=1.5)
    inner.end(seconds=9.0)
    outer.end()
    told, whole = exporter.get_finished_spans()
    assert (told.name, whole.name) == ("speechhead.utterance", "speechhead.session")
    assert told.parent.span_id == whole.context.span_id
    assert dict(told.attributes) == {"speechhead.kind": "text", "speechhead.seconds": 1.5}
    assert [event.name for event in told.events] == ["first frame"]
    assert (told.status.is_ok, told.status.description) == (False, "VoiceError")
