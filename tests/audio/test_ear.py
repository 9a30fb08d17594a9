"""Sound for the ear keeps channels, rate and time; sound for the face streams, and is that of the whole file."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from speechhead.audio.ear import EarSound, spliced
from speechhead.audio.face_sound import FaceSound
from speechhead.audio.io import load_audio


def sound_film(path, late: float, layout: str = "stereo", rate: int = 44100):
    """A film of two seconds whose sound, a tone that differs in every channel, starts late or early."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height = 32, 32
        track = out.add_stream("pcm_s16le" if path.suffix == ".mkv" else "aac", rate=rate, layout=layout)
        channels = len(track.codec_context.layout.channels)
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 90, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number + 25, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        at = np.arange(rate) / rate
        tones = np.stack([0.3 * np.sin(2 * np.pi * (300 + 200 * n) * at) for n in range(channels)]).astype(np.float32)
        for start in range(0, rate, 1024):
            piece = np.ascontiguousarray(tones[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = start + round((1 + late) * rate)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return path


@pytest.mark.parametrize("late, layout, rate", [(0.44, "stereo", 44100), (-0.3, "5.1", 48000), (0.8, "mono", 22050)])
def test_channels_rate_and_beginning_are_the_files_own(tmp_path, late, layout, rate):
    ear = EarSound.of(sound_film(tmp_path / "a.mkv", late, layout, rate))
    heard = np.concatenate(list(ear.pieces()), axis=1)
    assert (ear.layout, ear.rate) == (layout, rate)
    assert heard.shape[0] == {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    begins = np.flatnonzero(np.abs(heard[0]) > 0.1)[0] / rate
    ends = np.flatnonzero(np.abs(heard[0]) > 0.1)[-1] / rate
    assert begins == pytest.approx(max(0, late), abs=0.01) and ends == pytest.approx(1 + late, abs=0.01)
    tones = [np.argmax(np.abs(np.fft.rfft(channel[-rate // 2 :]))) for channel in heard]
    assert len(set(tones)) == len(tones)


def test_a_float_is_heard_within_full_scale(tmp_path):
    with av.open(str(tmp_path / "loud.wav"), "w") as out:
        track = out.add_stream("pcm_f32le", rate=16000, layout="mono")
        loud = 3 * np.sin(np.arange(16000) / 5).astype(np.float32)
        loud[10] = np.nan
        frame = av.AudioFrame.from_ndarray(loud[None], format="flt", layout="mono")
        frame.sample_rate = 16000
        out.mux([*track.encode(frame), *track.encode(None)])
    heard = np.concatenate(list(EarSound.of(tmp_path / "loud.wav").pieces()), axis=1)
    assert np.isfinite(heard).all() and np.abs(heard).max() == 1
    face = FaceSound.of(tmp_path / "loud.wav")
    whole = load_audio(tmp_path / "loud.wav")
    assert np.array_equal(np.concatenate(list(face.pieces())), whole) and face.samples == len(whole)
    assert np.array_equal(np.concatenate(list(face.pieces(5000))), whole[5000:])


def test_a_passage_in_a_films_sound():
    film = (np.full((2, size), 0.5, np.float32) for size in (100, 150, 250))
    passage = (np.full((2, size), -0.5, np.float32) for size in (30, 30, 30))
    mixed = np.concatenate(list(spliced(film, passage, 80, 320, 10)), axis=1)
    assert mixed.shape == (2, 500)
    assert (mixed[:, :80] == 0.5).all() and (mixed[:, 320:] == 0.5).all()
    assert (mixed[:, 90:170] == -0.5).all() and (mixed[:, 170:310] == 0).all()
    assert np.abs(np.diff(mixed[0, :170])).max() < 0.11
