"""Numbers for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The server's numbers, in a registry of its own so that several servers fit into one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._totals: dict[Counter, float] = {}
        self.sessions = Gauge("speechhead_sessions", "Sessions that run.", registry=registry)
        self.viewers = Gauge("speechhead_viewers", "Viewers that are connected.", registry=registry)
        self.capacity = Gauge("speechhead_capacity", "Sessions that the machine holds.", registry=registry)
        self.frames = Counter("speechhead_frames", "Pictures drawn since the start.", registry=registry)
        self.late = Counter("speechhead_late_frames", "Pictures left out since the start.", registry=registry)
        self.skew = Gauge("speechhead_skew_seconds", "Largest skew of picture after sound.", registry=registry)
        self.draw = Gauge("speechhead_draw_seconds", "Core time per picture, mean of sessions.", registry=registry)
        device = ["device"]
        self.calls = Counter("speechhead_device_calls", "Calls of a device.", device, registry=registry)
        self.pictures = Counter("speechhead_device_pictures", "Pictures drawn in them.", device, registry=registry)
        self.restarts = Counter("speechhead_voice_restarts", "Times the voice process died.", registry=registry)
        self.ended = Counter("speechhead_sessions_ended", "Sessions ended, by reason.", ["reason"], registry=registry)
        self.lost = Gauge("speechhead_viewer_loss", "Largest share of lost packets of a viewer.", registry=registry)
        self.rtt = Gauge("speechhead_viewer_rtt_seconds", "Largest round trip of a viewer.", registry=registry)
        self.jitter = Gauge("speechhead_viewer_jitter_seconds", "Largest jitter of a viewer.", registry=registry)
        self.opened = Counter("speechhead_sessions_opened", "Sessions since the start.", registry=registry)
        self.interrupts = Counter("speechhead_interrupts", "Interrupts since the start.", registry=registry)
        self.refused = Counter("speechhead_refused", "Requests refused, by status.", ["status"], registry=registry)
        self.errors = Counter("speechhead_errors", "Failures, by place.", ["place"], registry=registry)
        self.first_frame = Histogram(
            "speechhead_first_frame_seconds",
            "From a text to its first spoken picture.",
            registry=registry,
            buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.5, 2, 5),
        )

    def rise(self, counter: Counter, total: float) -> None:
        """Let a counter follow a total that is counted elsewhere; it never falls."""
        told = self._totals.get(counter, 0.0)
        if total > told:
            counter.inc(total - told)
            self._totals[counter] = total

    def text(self) -> bytes:
        """In Prometheus' own format."""
        return generate_latest(self.registry)
