"""Text or sound and a portrait become a video."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest
from support.fakes import FakeGenerator, FakeSpeech, Parrot, speech_like

import speechhead
from speechhead import api
from speechhead.api import render, say
from speechhead.audio import save_wav
from speechhead.avatar.portrait import Avatar
from speechhead.core.errors import AudioError, SpeechSynthesisError
from speechhead.core.options import RenderOptions
from speechhead.core.threads import background
from speechhead.media.reader import VideoReader
from speechhead.render.track import MOST_TEXT, speech_file, text_of, text_track


@pytest.fixture(scope="module")
def avatar(portrait):
    return Avatar.from_image(portrait, generator=FakeGenerator(128))


def fakes(**options):
    return RenderOptions(generator=FakeGenerator(128), speech2landmarks=FakeSpeech(), **options)


@pytest.fixture
def wav(tmp_path):
    return save_wav(tmp_path / "speech.wav", speech_like(1.1))


def test_a_recording(avatar, wav, tmp_path):
    seen = []
    path = say(
        wav, tmp_path / "a.mp4", avatar, options=fakes(), progress=lambda done, total: seen.append((done, total))
    )
    assert path == tmp_path / "a.mp4"
    assert seen == [(i + 1, 28) for i in range(28)]
    reader = VideoReader(path)
    assert (reader.height, reader.width) == avatar.picture.shape[:2] and reader.fps == 25
    assert len(list(reader.frames())) == 28
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "speech.wav"]


def test_face_crop_and_frame_rate(avatar, wav, tmp_path):
    path = render(avatar, wav, tmp_path / "a.mp4", fakes(size=200, crop=True, fps=30))
    reader = VideoReader(path)
    assert (reader.height, reader.width, reader.fps) == (200, 200, 30)
    assert len(list(reader.frames())) == 34


def test_text_is_spoken_sentence_by_sentence_in_bounded_memory(avatar, tmp_path, monkeypatch):
    monkeypatch.setattr("speechhead.tts.open_voice", lambda name: Parrot())
    monkeypatch.setattr(Parrot, "spoken", 0)
    ahead = []

    def watch(done, total):
        assert total is None
        ahead.append(Parrot.spoken - done // 5)

    path = say("word " * 60, tmp_path / "a.mp4", avatar, "parrot", fakes(), progress=watch)
    assert len(list(VideoReader(path).frames())) == 300
    assert max(ahead) <= 12


def test_the_error_of_a_voice_arrives_and_nothing_stays(avatar, tmp_path, monkeypatch):
    def broken(text):
        yield from Parrot().speak("one two")
        raise SpeechSynthesisError("the engine failed.")

    monkeypatch.setattr("speechhead.tts.open_voice", lambda name: type("V", (), {"speak": staticmethod(broken)}))
    with pytest.raises(SpeechSynthesisError, match="engine failed"):
        say("hello", tmp_path / "a.mp4", avatar, options=fakes())
    assert list(tmp_path.iterdir()) == []


def test_what_is_a_file_and_what_is_text(tmp_path, caplog):
    (tmp_path / "noext").touch()
    (tmp_path / "a b").mkdir()
    for file in (tmp_path / "noext", "missing.wav", "missing.txt", tmp_path / "a b" / "no such.MP3"):
        assert speech_file(str(file))
    assert caplog.messages == []
    assert speech_file("Please open talk.mp4") is None and "'Please open talk.mp4' is no file here" in caplog.text
    caplog.clear()
    assert speech_file("report.pdf") is None and "'report.pdf' is no file here" in caplog.text
    with pytest.raises(AudioError, match="https://example.com/a.mp3: an address, not a file. Download it"):
        speech_file("https://example.com/a.mp3")
    assert speech_file("https://example.com") is None
    for text in ("Hello there.", "", "   ", "word " * 10_000, "a\nb.wav", "x\0y", str(tmp_path), "3.5", "😀"):
        assert speech_file(text) is None, text[:20]
    with pytest.raises(SpeechSynthesisError, match="empty"):
        text_track(" \n", ("joe",))
    with pytest.raises(AudioError, match="missing.wav"):
        say("missing.wav", tmp_path / "a.mp4")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_texts_in_files(tmp_path, encoding):
    file = tmp_path / "script.txt"
    file.write_bytes("Grüße, \u201cyou\u201d.\n".encode(encoding))
    assert text_of(file) == "Grüße, \u201cyou\u201d.\n"
    assert text_of(tmp_path / "sound.wav") is None
    for bad, reason in (
        (b"\0\x01\x02", "is no text"),
        (b" \n", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a git-LFS pointer"),
        (b"a" * (MOST_TEXT + 1), "more than 4 MB"),
        (None, "no such file"),
    ):
        file.unlink() if bad is None else file.write_bytes(bad)
        with pytest.raises(SpeechSynthesisError, match=reason) as caught:
            text_of(file)
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)


def test_voices_of_portraits(avatar):
    assert api._voices(None, None, "Hi.")[-1] == "jo"
    assert api._voices("me.jpg", None, "Hi.") == ("joe",)
    assert api._voices("me.jpg", "espeak", "Hi.") == ("espeak",)
    assert api._voices(np.zeros((2, 2, 3)), None, "Hi.") == api._voices(avatar, None, "Hi.") == ("joe",)


def test_a_portrait_whose_voice_is_gone_speaks_with_another(avatar, caplog):
    gone = dataclasses.replace(avatar, voice=("nobody",))
    assert api._voices(gone, None, "Hi.") == ("joe",)
    assert "voice 'nobody', the portrait's, can not speak here, so joe does" in caplog.text
    caplog.clear()
    own = dataclasses.replace(avatar, voice=("mine.onnx",))
    assert api._voices(own, None, "Hi.") == ("mine.onnx",) and not caplog.records


def test_background_runs_ahead_and_stops():
    made, before = [], threading.active_count()

    def items():
        for number in range(100):
            made.append(number)
            yield number

    with background(items(), depth=2) as numbers:
        assert next(numbers) == 0
        time.sleep(0.05)
        assert 2 <= len(made) <= 4
    time.sleep(0.5)
    assert len(made) <= 5 and threading.active_count() <= before
    with background(iter([1, 2, 3])) as numbers:
        assert list(numbers) == [1, 2, 3]


def test_the_package_is_the_api():
    assert speechhead.Avatar is Avatar and speechhead.Renderer and speechhead.Controls
    with pytest.raises(AttributeError):
        speechhead.nothing  # noqa: B018
