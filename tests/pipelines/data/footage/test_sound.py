"""Sound on the pictures' clock, piece by piece."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from support.films import write

from pipelines.data.footage.sound import FootageAudio
from speechhead.audio import load_audio


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((32, 32, 3), 5 * number % 250, np.uint8) for number in range(count)]


def test_pieces_are_the_whole(tmp_path, noise):
    path = write(tmp_path / "a.mp4", pictures(75), noise)
    whole, track = load_audio(path), FootageAudio(path)
    samples, there = track.between(-1600, 16_000)
    assert not there[:1600].any() and there[1600:].all() and not samples[:1600].any()
    np.testing.assert_allclose(samples[1600:], whole[:16_000], atol=1e-6)
    samples, there = track.between(8_000, 60_000)
    end = len(whole) - 8_000
    np.testing.assert_allclose(samples[:40_000], whole[8_000:48_000], atol=1e-6)
    assert there[:40_000].all() and not there[end + 10 :].any() and not samples[end + 10 :].any()
    track.close()


def test_late_sound_and_gaps_stay_where_their_time_stamps_say(tmp_path, noise):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for number, picture in enumerate(pictures(75)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start, stop in ((0, 8_000), (16_000, 24_000)):  # 0.5 s late, and half a second missing in the middle
            frame = av.AudioFrame.from_ndarray((noise[None, start:stop] * 32767).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, start + 8_000, Fraction(1, 16_000)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    samples, there = FootageAudio(path).between(0, 40_000)
    expected = np.zeros(40_000, np.float32)
    expected[8_000:16_000], expected[24_000:32_000] = noise[:8_000], noise[16_000:24_000]
    np.testing.assert_allclose(samples, expected, atol=1e-3)
    assert not there[:8_000].any() and there[8_000:16_000].all() and not there[32_100:].any()


def test_a_silent_film_has_no_sound(tmp_path):
    track = FootageAudio(write(tmp_path / "a.mp4", pictures(10)))
    assert not track.exists
    assert not track.between(0, 640)[1].any()
