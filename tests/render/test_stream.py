"""Sound in any chunks gives the frames of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from support.fakes import FakeDevice, FakeGenerator, FakeSpeech, speech_like

from speechhead.avatar.portrait import Avatar
from speechhead.core import weights
from speechhead.core.clocks import frames_in
from speechhead.core.controls import Controls
from speechhead.core.errors import ControlError, DeviceError, MediaError, WeightsError
from speechhead.core.head_track import HeadTrack
from speechhead.core.options import RenderOptions
from speechhead.core.threads import WORKERS
from speechhead.generators.open import chosen_generator, open_generator
from speechhead.motion.surroundings import Surroundings
from speechhead.render.clock import FrameClock
from speechhead.render.stream import Renderer


@pytest.fixture(scope="module")
def avatar(portrait):
    return Avatar.from_image(portrait, generator=FakeGenerator(128))


def renderer(avatar, **options):
    return Renderer(avatar, options.pop("controls", None), FakeGenerator(128), FakeSpeech(), **options)


def test_a_file_of_head_motion_is_read(avatar, tmp_path):
    file = tmp_path / "head.csv"
    file.write_text("yaw,pitch,roll\n1,2,3\n")
    assert renderer(avatar, controls=Controls(head=file)).motion.controls.head == HeadTrack([(1, 2, 3)])


def whole(avatar, sound, **options):
    speaker = renderer(avatar, **options)
    return np.stack([*speaker.push(sound), *speaker.flush()])


@pytest.mark.parametrize("milliseconds", [20, 33, 100, 500, 2000])
def test_chunks_give_the_frames_of_the_whole(avatar, milliseconds):
    sound = speech_like(4.17)
    expected = whole(avatar, sound, paste=False)
    speaker, frames = renderer(avatar, paste=False), []
    step = 16 * milliseconds
    for start in range(0, len(sound), step):
        frames += list(speaker.push(sound[start : start + step]))
    frames += list(speaker.flush())
    assert len(frames) == frames_in(len(sound)) == len(expected)
    assert (np.stack(frames) == expected).all()
    assert len({frame.tobytes() for frame in frames}) > 50  # it moves


class Listening(FakeGenerator):
    """Draws all that faces carry: any difference in what was before a frame is a difference in pixels."""

    surroundings = Surroundings(past=1, sound=2)

    def render(self, source, normalised, pose):
        assert normalised.shape == (70 + self.surroundings.rows, 3)
        frame = super().render(source, normalised[:70], pose)
        heard = np.frombuffer(np.round(normalised[70:] * 4).astype(np.int8).tobytes(), np.uint8)
        frame[8 : 8 + len(heard) // 96, :96] = heard[: len(heard) // 96 * 96].reshape(-1, 96, 1)
        return frame


@pytest.mark.parametrize("fps", [25, 30])
def test_what_faces_carry_is_the_same_for_any_chunks(avatar, fps):
    sound = speech_like(2.0)

    def frames(chunk):
        speaker = Renderer(avatar, None, Listening(128), FakeSpeech(), paste=False, fps=fps)
        shown = [frame for start in range(0, len(sound), chunk) for frame in speaker.push(sound[start : start + chunk])]
        return np.stack([*shown, *speaker.flush()])

    expected = frames(len(sound))
    assert len(expected) == 2 * fps and (frames(700) == expected).all()
    assert len({frame[8:12].tobytes() for frame in expected}) > 20


@pytest.mark.parametrize("milliseconds", [33, 500])
def test_an_emotion_changes_where_its_sound_begins(avatar, milliseconds):
    sound, step = speech_like(3.0), 16 * milliseconds

    def pictures(chunk):
        speaker, frames = renderer(avatar, paste=False), []
        for part, mood in ((sound[:16_000], {"happy": 1.0}), (sound[16_000:], {"sad": 1.0})):
            speaker.feel(mood)
            for start in range(0, len(part), chunk):
                frames += list(speaker.push(part[start : start + chunk]))
        return np.stack([*frames, *speaker.flush()])

    expected = pictures(len(sound))
    assert (pictures(step) == expected).all()
    keys = [{"at": 0, "emotion": "happy"}, {"at": 1, "emotion": "sad"}]
    keyed = whole(avatar, sound, paste=False, controls=Controls(keyframes=keys))
    assert (keyed[-10:] == expected[-10:]).mean() > 0.99 and (
        keyed[20:60] != whole(avatar, sound, paste=False)[20:60]
    ).any()


@pytest.mark.parametrize("fps", [1, 12.5, 24, 29.97, 30, 60])
def test_other_frame_rates(avatar, fps):
    sound = speech_like(2.0)
    frames = whole(avatar, sound, fps=fps, paste=False)
    assert len(frames) == int(np.ceil(50 * fps / 25))
    if fps == 12.5:
        assert (frames == whole(avatar, sound, paste=False)[::2]).all()
    speaker = renderer(avatar, fps=fps, paste=False)
    streamed = [f for i in range(0, len(sound), 1000) for f in speaker.push(sound[i : i + 1000])]
    assert (np.stack([*streamed, *speaker.flush()]) == frames).all()


def test_frames_are_the_full_picture_or_the_crop(avatar):
    sound = speech_like(0.3)
    assert whole(avatar, sound).shape == (8, *avatar.picture.shape)
    assert whole(avatar, sound, paste=False).shape == (8, 128, 128, 3)


def test_seeds(avatar):
    sound = speech_like(3.0)
    first, again, other = (whole(avatar, sound, controls=Controls(seed=seed), paste=False) for seed in (1, 1, 2))
    assert (first == again).all() and (first != other).any()


def test_a_second_utterance_after_flush(avatar):
    sound = speech_like(0.5)
    speaker = renderer(avatar, paste=False)
    counts = [len([*speaker.push(sound), *speaker.flush()]) for _ in range(3)]
    assert counts == [13, 13, 13]
    assert list(speaker.flush()) == []


def test_long_chunks_are_rendered_as_they_are_read(avatar):
    generator = FakeGenerator(128)
    drawn = []
    generator.render = lambda source, face, pose: drawn.append(1) or source
    frames = Renderer(avatar, generator=generator, speech2landmarks=FakeSpeech()).push(speech_like(5.0))
    assert not drawn
    next(frames)
    assert len(drawn) <= WORKERS + 1


def test_a_generator_of_another_size_is_refused(avatar):
    with pytest.raises(ControlError, match=r"'fake': it draws 96 px .* crop has 128\. Use avatar\.resampled\(96\), or"):
        Renderer(avatar, generator=FakeGenerator(96), speech2landmarks=FakeSpeech())
    ready = FakeDevice(96)
    chosen = chosen_generator(RenderOptions(generator=ready), avatar.size)
    assert chosen.size == 128 and chosen_generator(RenderOptions(generator=ready), 96) is ready
    assert Renderer(avatar, generator=chosen, speech2landmarks=FakeSpeech()).generator is chosen


def test_unusable_choices():
    for options, error in (
        ({"name": "gan"}, WeightsError),
        ({"engine": "tpu"}, DeviceError),
        ({"engine": "onnx", "device": "cuda"}, DeviceError),  # on a GPU compact draws with torch
        ({"device": "tpu"}, DeviceError),
    ):
        with pytest.raises(error) as caught:
            open_generator(**options)
        assert "\n" not in str(caught.value)
    with pytest.raises(MediaError):
        FrameClock(0)


@pytest.mark.skipif(not (weights.folder() / "speech2landmarks.onnx").is_file(), reason="weights are not here")
def test_the_shipped_networks_stream_like_the_whole(portrait):
    speaker = Avatar.from_image(portrait, 128)
    sound = speech_like(0.7)
    one = Renderer(speaker)
    expected = np.stack([*one.push(sound), *one.flush()]).astype(int)
    other = Renderer(speaker, generator=one.generator)
    frames = [frame for start in range(0, len(sound), 320) for frame in other.push(sound[start : start + 320])]
    frames += list(other.flush())
    assert len(frames) == 18
    assert np.abs(np.stack(frames) - expected).max() <= 1
