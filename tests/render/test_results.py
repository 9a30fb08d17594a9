"""What comes out besides a plain video: cut-outs, backgrounds, subtitles, motion."""

from __future__ import annotations

import csv

import av
import numpy as np
import pytest
from PIL import Image
from support.fakes import FakeGenerator, FakeSpeech, Parrot, speech_like

from speechhead import api
from speechhead.avatar.portrait import Avatar
from speechhead.core.controls import Controls
from speechhead.core.errors import SpeechheadError
from speechhead.core.options import RenderOptions
from speechhead.core.results import ResultOptions
from speechhead.generators.open import open_generator
from speechhead.media.sound import write_wav
from speechhead.render import cutout
from speechhead.render.captions import Caption, Captions, cut, folded, srt, vtt
from speechhead.render.cutout import Cutout
from speechhead.tts import Phoneme, Speech

SIZE = 64


@pytest.fixture
def parrot(monkeypatch):
    monkeypatch.setattr("speechhead.tts.open_voice", lambda name: Parrot())


@pytest.fixture(scope="module")
def cast():
    """A portrait in front of a plain wall, and the generator that has its matte."""
    return Avatar.default(SIZE), open_generator(size=SIZE)


def options(**given):
    return RenderOptions(**{"size": SIZE, "generator": FakeGenerator(SIZE), "speech2landmarks": FakeSpeech(), **given})


def test_a_person_is_put_before_another_wall_without_a_rim(cast):
    avatar, generator = cast
    source = avatar.source(generator)
    frame, matte = generator.render_with_matte(source, avatar.neutral, avatar.pose)
    assert np.array_equal(frame, generator.render(source, avatar.neutral, avatar.pose))
    assert matte.shape == (SIZE, SIZE) and matte[SIZE // 2, SIZE // 2] == 255 and matte[2, 2] < 30
    green = Cutout(avatar, generator, SIZE, "#00ff00").cut(frame, matte)
    clear = Cutout(avatar, generator, SIZE, None).cut(frame, matte)
    assert green.shape == (SIZE, SIZE, 3) and clear.shape == (SIZE, SIZE, 4)
    share = clear[..., 3:] / 255
    laid = clear[..., :3] * share + np.array([0, 255, 0]) * (1 - share)
    sure = (share[..., 0] > 0.3) | (share[..., 0] < 0.02)
    assert np.abs(laid - green)[sure].mean() < 2, "both ways give one picture"
    face = share[..., 0] == 1
    assert np.array_equal(green[face], avatar.face(frame, SIZE)[face])


def test_the_whole_portrait_has_a_matte(cast, tmp_path):
    avatar, generator = cast
    source = avatar.source(generator)
    picture = np.zeros((70, 90, 3), np.uint8)
    picture[:, :, 2] = 200
    Image.fromarray(picture).save(tmp_path / "wall.png")
    shown = Cutout(avatar, generator, None, str(tmp_path / "wall.png")).cut(
        *generator.render_with_matte(source, avatar.neutral, avatar.pose)
    )
    assert shown.shape == avatar.picture.shape and tuple(shown[2, 2]) == (0, 0, 200)
    assert cutout.backdrop("red", (4, 6)).shape == (4, 6, 3)


def test_what_has_no_matte_or_is_no_background_is_refused(cast):
    avatar, generator = cast
    with pytest.raises(SpeechheadError, match="generator fake has no matte"):
        Cutout(avatar, FakeGenerator(SIZE), None, None)
    with pytest.raises(SpeechheadError, match="is no colour, and no file"):
        Cutout(avatar, generator, None, "nowhere.png")
    with pytest.raises(SpeechheadError, match="Leave one of them out"):
        ResultOptions(alpha=True, background="red")
    with pytest.raises(SpeechheadError, match="export-motion are not written as '.txt'"):
        ResultOptions(export_motion="a.txt")


def test_a_cut_out_speaks(tmp_path):
    write_wav(tmp_path / "voice.wav", [speech_like(0.12)], 16_000)
    asked = options(generator="compact", crop=True)
    path = api.say(tmp_path / "voice.wav", tmp_path / "a.apng", options=asked, results=ResultOptions(alpha=True))
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
    assert len(frames) == 3 and frames[0].shape == (SIZE, SIZE, 4)
    assert frames[1][SIZE // 2, SIZE // 2, 3] == 255 and frames[1][..., 3].min() == 0


def test_text_leaves_subtitles_and_motion(tmp_path, parrot):
    results = ResultOptions(
        subtitles=tmp_path / "a.vtt", export_motion=tmp_path / "a.npz", blendshapes=tmp_path / "b.csv"
    )
    path = api.say("one two three\n", tmp_path / "a.gif", options=options(), controls=Controls(seed=2), results=results)
    text = results.subtitles.read_text()
    assert (
        path.is_file() and text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.200\none\n") and "00:00:00.400" in text
    )
    with np.load(results.export_motion) as kept:
        count = len(kept["landmarks"])
        assert count == 15 and kept["landmarks"].shape == (15, 70, 3) and kept["blendshapes"].shape == (15, 52)
        shown = kept["landmarks"]
    portrait = Avatar.default(SIZE)
    eyes = shown[0, 36:48, :2].mean(0)
    assert np.linalg.norm(eyes - portrait.picture.shape[1::-1] * np.array([0.5, 0.35])) < portrait.box[2] / 3
    rows = list(csv.reader(results.blendshapes.read_text().splitlines()))
    assert rows[0][:6] == ["frame", "seconds", "yaw", "pitch", "roll", "eyeBlinkLeft"] and len(rows) == 16
    assert max(float(row[rows[0].index("jawOpen")]) for row in rows[1:]) > 0.05


def test_a_crop_s_landmarks_are_in_its_own_pixels(tmp_path):
    write_wav(tmp_path / "voice.wav", [speech_like(0.1)], 16_000)
    results = ResultOptions(export_motion=tmp_path / "a.csv")
    api.say(tmp_path / "voice.wav", tmp_path / "a.mp4", options=options(crop=True), results=results)
    rows = np.loadtxt(results.export_motion, delimiter=",", skiprows=1)
    points = rows[:, 5:].reshape(len(rows), 70, 3)
    assert ((points[..., :2] > 0) & (points[..., :2] < SIZE)).all()


def test_results_that_can_not_be_are_refused_first(tmp_path, parrot):
    write_wav(tmp_path / "voice.wav", [speech_like(0.1)], 16_000)
    words = ResultOptions(subtitles=tmp_path / "a.srt")
    with pytest.raises(SpeechheadError, match="the words of a recording are not known"):
        api.say(tmp_path / "voice.wav", tmp_path / "a.mp4", options=options(), results=words)
    with pytest.raises(SpeechheadError, match="does not exist"):
        api.say("Hi.", tmp_path / "a.mp4", results=ResultOptions(subtitles=tmp_path / "gone" / "a.srt"))
    assert [path.name for path in tmp_path.iterdir()] == ["voice.wav"]


def test_a_text_is_read_out_for_a_film(tmp_path, parrot):
    api.read_out("one two", tmp_path / "a.wav", subtitles=tmp_path / "a.srt")
    assert (tmp_path / "a.wav").stat().st_size == 44 + 2 * 6400
    assert "2\n00:00:00,200 --> 00:00:00,400\ntwo\n" in (tmp_path / "a.srt").read_text()
    with pytest.raises(SpeechheadError, match=r"Use \.wav"):
        api.read_out("one", tmp_path / "a.mp3")


def test_long_sentences_become_captions_that_can_be_read():
    text = (
        "The quick brown fox jumps over the lazy dog, and then it sleeps for a very long while under the old oak tree."
    )
    heard = Captions()
    heard.hear(Speech(np.zeros(48_000, np.float32), [Phoneme("a", 0.0, 2.0), Phoneme("sil", 2.0, 3.0)], text))
    first, second = heard.captions
    assert first.text.endswith("dog,") and second.end == pytest.approx(2.0) and first.end == second.start
    assert list(cut("x" * 100)) == ["x" * 84, "x" * 16] and " ".join(cut(text)) == text
    assert folded("aaaa bbbb " * 6).count("\n") == 1 and folded("short") == "short" and folded("x" * 50) == "x" * 50
    assert "a &lt;b&gt; &amp; c" in vtt([Caption(3661.5, 3662, "a <b> & c")])
    assert srt([Caption(3661.5, 3662, "a <b>")]) == "1\n01:01:01,500 --> 01:01:02,000\na <b>\n"


def test_what_is_exported_moves_a_head_the_same_again(tmp_path):
    write_wav(tmp_path / "voice.wav", [speech_like(0.8)], 16_000)
    angles = []
    for name, head in (("a.csv", "generated"), ("b.csv", tmp_path / "a.csv")):
        results = ResultOptions(export_motion=tmp_path / name)
        controls = Controls(seed=2, head=head)
        api.say(tmp_path / "voice.wav", tmp_path / "a.mp4", options=options(), controls=controls, results=results)
        angles.append(np.loadtxt(tmp_path / name, delimiter=",", skiprows=1)[:, 2:5])
    assert np.abs(angles[0] - angles[0][0]).max() > 0.3
    np.testing.assert_allclose(angles[1], angles[0], atol=0.1)
