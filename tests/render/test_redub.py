"""A video says something new and stays as it is elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from support.fakes import FakeGenerator, FakeSpeech, speech_like

from pipelines.data.covers import mask
from speechhead.api import render
from speechhead.audio import save_wav
from speechhead.core.controls import Controls
from speechhead.core.errors import AudioError, ControlError, FaceError, MediaError
from speechhead.core.options import RenderOptions
from speechhead.face.landmarks import from_mesh, remove_pose
from speechhead.face.tracker import FaceTracker
from speechhead.media.reader import VideoReader
from speechhead.media.writer import VideoWriter
from speechhead.render.mouths import Wanted, portrait_patch
from speechhead.render.redub import is_video


def shifted(picture: np.ndarray, by: int) -> np.ndarray:
    return np.ascontiguousarray(np.roll(picture, by, axis=1))


@pytest.fixture(scope="module")
def film(portrait, tmp_path_factory):
    """Twelve frames of a portrait that moves to the right, at 20 per second."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with VideoWriter(path, 256, 300, 20, None) as writer:
        for number in range(12):
            writer.write(shifted(np.ascontiguousarray(portrait[::2, ::2]), 2 * number))
    return path


def fakes():
    return RenderOptions(generator=FakeGenerator(256), speech2landmarks=FakeSpeech())


@pytest.mark.parametrize("seconds, count", [(0.4, 8), (1.5, 30)])
def test_length_of_the_sound_size_and_rate_of_the_video(film, tmp_path, seconds, count):
    sound = save_wav(tmp_path / "a.wav", speech_like(seconds))
    path = render(film, sound, tmp_path / "a.mp4", fakes())
    reader = VideoReader(path)
    assert (reader.width, reader.height, reader.fps) == (256, 300, 20)
    assert len(list(reader.frames())) == count


def test_only_mouth_and_jaw_change(portrait):
    face = FaceTracker().locate(portrait)
    normalised, poses = remove_pose(from_mesh(face.mesh)[None])
    driven = normalised[0].copy()
    driven[55:60, 1] += 0.1
    driven[64:68, 1] += 0.1
    edited = portrait.copy()
    portrait_patch(portrait, Wanted(face.mesh, poses[0], face.mesh, driven), FakeGenerator(512)).onto(edited)
    changed = np.abs(edited.astype(int) - portrait).max(axis=2) > 8
    rows, columns = np.nonzero(changed)
    eyes, chin = face.landmarks[36:48, 1].max(), face.landmarks[8, 1]
    assert changed.any() and rows.min() > eyes and rows.max() < chin + 40
    assert face.box[0] - 30 < columns.min() and columns.max() < face.box[2] + 30


def test_video_or_picture(film, tmp_path, portrait):
    from PIL import Image

    Image.fromarray(portrait).save(tmp_path / "a.png")
    assert is_video(film)
    assert not is_video(tmp_path / "a.png") and not is_video("grace_hopper") and not is_video(tmp_path / "none.mp4")


def test_the_file_that_is_wrong_is_named(tmp_path, portrait):
    save_wav(tmp_path / "talk.wav", speech_like(0.4))
    Image.fromarray(portrait).save(tmp_path / "me.jpg")
    with pytest.raises(MediaError, match="talk.wav: has no video track. Use a video or a picture"):
        render(tmp_path / "talk.wav", tmp_path / "me.jpg", tmp_path / "a.mp4")
    with pytest.raises(AudioError, match="me.jpg: this is a picture, without sound"):
        render(tmp_path / "me.jpg", tmp_path / "me.jpg", tmp_path / "a.mp4")


def test_options_for_portraits_are_refused(film, tmp_path):
    with pytest.raises(ControlError, match="this is a video"):
        render(film, tmp_path / "a.wav", tmp_path / "a.mp4", RenderOptions(crop=True))


def test_controls_of_what_a_film_keeps_are_told_once(film, tmp_path, caplog):
    sound = save_wav(tmp_path / "a.wav", speech_like(0.4))
    moods = [{"at": 0.2, "emotion": "happy"}]
    render(film, sound, tmp_path / "a.mp4", fakes(), Controls(gaze=(5, 0), blink_rate=3, keyframes=moods))
    said = [line for line in caplog.messages if "a film keeps" in line]
    assert len(said) == 1 and "so gaze, blink-rate is not used" in said[0]


def test_a_video_without_a_face(tmp_path):
    path = tmp_path / "grey.mp4"
    with VideoWriter(path, 128, 128, 25, None) as writer:
        for _ in range(5):
            writer.write(np.full((128, 128, 3), 90, np.uint8))
    sound = save_wav(tmp_path / "a.wav", speech_like(0.5))
    with pytest.raises(FaceError, match="no face"):
        render(path, sound, tmp_path / "a.mp4", fakes())
    assert not (tmp_path / "a.mp4").exists()


def test_frames_with_a_covered_mouth_stay(portrait, tmp_path, caplog):
    small = np.ascontiguousarray(portrait[::2, ::2])
    mesh = FaceTracker().locate(small).mesh
    masked = mask(small, mesh, [], np.random.default_rng(0))[0]
    path = tmp_path / "film.mp4"
    with VideoWriter(path, 256, 300, 20, None) as writer:
        for number in range(36):
            writer.write(masked if number >= 18 else small)
    sound = save_wav(tmp_path / "a.wav", speech_like(1.8))
    frames = list(VideoReader(render(path, sound, tmp_path / "a.mp4", fakes())).frames())
    source = list(VideoReader(path).frames())
    away = np.array([np.abs(a.astype(int) - b).mean() for a, b in zip(frames, source)])
    assert np.ptp(away[:14]) > 10 * np.ptp(away[24:])  # what is left is the codec
    assert "something covers the mouth in 2" in caplog.text
