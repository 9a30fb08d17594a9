"""The clocks of the project, derived once: 16 kHz sound, 10 ms feature hops, 25 frames per second."""

SAMPLE_RATE = 16_000
"""Samples per second of all sound inside the library (mono float32 in [-1, 1])."""

FPS = 25
"""Video frames per second of landmarks and pictures."""

HOP = SAMPLE_RATE // 100
"""Samples per audio feature frame: 10 ms."""

SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
"""Samples per video frame: 640."""

HOPS_PER_FRAME = SAMPLES_PER_FRAME // HOP
"""Audio feature frames per video frame: 4."""


def frames_in(samples: int) -> int:
    """Video frames that cover `samples` samples of sound (the last one may be partly silent)."""
    return -(-samples // SAMPLES_PER_FRAME)
