"""Segments of sound: what is heard and what is shown stay together."""

from __future__ import annotations

import numpy as np
import pytest
from support.fakes import speech_like

pytest.importorskip("aiortc")

from speechhead_server.stage.segment import LIVE_START, Segment


def test_a_segment_keeps_both_sounds_together():
    segment, sound = Segment("a"), speech_like(1.0)
    for i in range(0, len(sound), 777):
        segment.push(sound[i : i + 777])
    segment.close()
    blocks = []
    while (taken := segment.take(len(blocks))) is not None:
        blocks.append(taken)
    assert len(blocks) == 25 and segment.exhausted
    assert (np.concatenate([heard for heard, _, _ in blocks]) == sound).all()
    shown = np.concatenate([shown for _, shown, _ in blocks])
    assert np.corrcoef(shown[::3], sound)[0, 1] > 0.9
    assert segment.position(9) == pytest.approx(0.4)


def test_cues_come_with_the_block_of_their_time():
    segment = Segment("a")
    segment.push(speech_like(0.2), cues=[(0.0, {"n": 0}), (0.05, {"n": 1})])
    segment.push(speech_like(0.2), cues=[(0.1, {"n": 2})])
    segment.close()
    found = [cue for frame in range(100, 110) for cue in segment.take(frame)[2]]
    assert [event["n"] for _, event in found] == [0, 1, 2]
    assert [at for at, _ in found] == [100 * 1920, 100 * 1920 + 2400, 100 * 1920 + 14400]


def test_live_sound_waits_until_there_is_enough_and_a_microphone_keeps_no_backlog():
    pcm, microphone = Segment("a", "pcm"), Segment("b", "microphone")
    pcm.push(np.zeros(640 * (LIVE_START - 1), np.float32))
    assert not pcm.ready
    pcm.close()
    assert pcm.ready
    for _ in range(100):
        microphone.push(np.zeros(640, np.float32), np.zeros(1920, np.float32))
    assert LIVE_START <= microphone.waiting <= 2 * LIVE_START
