"""The clips of the documentation are made small enough for a page."""

from __future__ import annotations

import numpy as np

from pipelines.judge import showcase
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.media.reader import VideoReader
from speechhead.media.writer import VideoWriter


def test_a_take_is_shrunk_to_what_a_page_may_hold(tmp_path):
    asked = {}

    def speak(text, output, portrait, **options):
        asked.update(options, text=text, portrait=portrait)
        random = np.random.default_rng(0)
        with VideoWriter(output, 128, 128, sample_rate=SAMPLE_RATE) as writer:
            writer.write_audio(np.zeros(SAMPLE_RATE, np.float32))
            for _ in range(25):
                writer.write(random.integers(0, 256, (128, 128, 3), dtype=np.uint8))

    path = showcase.make(showcase.TAKES[1], tmp_path, speak)
    assert asked["portrait"] == showcase.TAKES[1].portrait and asked["options"].crop
    assert asked["controls"].emotion == {"happy": 0.7, "surprised": 0.3}
    frames = list(VideoReader(path).frames(0, None))
    assert len(frames) == 25 and frames[0].shape == (showcase.SIZE, showcase.SIZE, 3)
    full = path.stat().st_size
    assert showcase.shrunk(path, tmp_path / "small.mp4", 64, full // 20).stat().st_size <= full // 20
