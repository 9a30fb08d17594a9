"""Whatever is wrong with the input: one clear line and exit code 2, or the right result. Never a half-written file."""

from __future__ import annotations

import io
import os
import signal
import sys
import wave

import numpy as np
import pytest
from PIL import Image
from support.fakes import FakeGenerator, FakeSpeech, Parrot, speech_like

from speechhead.audio import save_wav
from speechhead.avatar.named import shipped
from speechhead.avatar.portrait import Avatar
from speechhead.cli import main as cli
from speechhead.generators.open import open_generator
from speechhead.media.reader import VideoReader


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run `python -m speechhead.say` or `speechhead` with the networks replaced: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("speechhead.generators.open.open_generator", lambda name, size, *_: FakeGenerator(size))
    monkeypatch.setattr("speechhead.speech.model.Speech2Landmarks.load", lambda *_: FakeSpeech())
    before = signal.getsignal(signal.SIGTERM)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["speechhead", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            cli.main() if arguments[0] in ("render", "voices", "weights", "avatars") else cli.main_say()
        out, err = capsys.readouterr()
        assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]
        assert "Traceback" not in err
        return done.value.code, out, err

    yield call
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def wav(tmp_path):
    return save_wav(tmp_path / "speech.wav", speech_like(0.5))


def refused(result, *words):
    code, out, err = result
    assert code == 2 and out == "" and err.count("\n") == 1 and len(err) < 300, err
    for word in words:
        assert word in err, err


def spoken(result, name="say.mp4"):
    code, out, err = result
    assert code == 0 and out.splitlines()[-1] == name, err
    return len(list(VideoReader(name).frames()))


def test_a_recording_speaks(run, wav):
    assert spoken(run(wav)) == 13


@pytest.mark.parametrize("kind", ["grey", "rgba", "cmyk", "palette", "16 bit", "exif"])
def test_unusual_pictures_speak(run, wav, tmp_path, portrait, kind):
    image, name, extra = Image.fromarray(portrait), "a.png", {}
    if kind == "grey":
        image = image.convert("L")
    elif kind == "rgba":
        image.putalpha(200)
    elif kind == "cmyk":
        image, name = image.convert("CMYK"), "a.jpg"
    elif kind == "palette":
        image = image.quantize(128)
    elif kind == "16 bit":
        image = Image.fromarray(portrait[..., 1].astype(np.uint16) * 257)
    elif kind == "exif":
        image, name = image.transpose(Image.Transpose.ROTATE_90), "a.jpg"
        extra = {"exif": Image.Exif()}
        extra["exif"][0x0112] = 6
    image.save(tmp_path / name, **extra)
    assert spoken(run(wav, "--portrait", name, "--size", 128)) == 13


def test_a_huge_picture_speaks_at_a_size_that_plays(run, wav, tmp_path, portrait):
    large = np.full((1200, 8000, 3), 120, np.uint8)
    large[:, 5000:6024] = portrait.repeat(2, 0).repeat(2, 1)
    Image.fromarray(large).save(tmp_path / "a.jpg", quality=60)
    assert spoken(run(wav, "--portrait", "a.jpg", "--size", 256)) == 13
    reader = VideoReader("say.mp4")
    assert (reader.width, reader.height) == (2048, 306)


def test_pictures_without_a_usable_face(run, wav, tmp_path, portrait):
    Image.new("RGB", (300, 300), (90, 120, 150)).save(tmp_path / "none.png")
    Image.fromarray(portrait).resize((90, 105)).save(tmp_path / "tiny.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(400))
    (tmp_path / "folder.png").mkdir()
    refused(run(wav, "--portrait", "none.png"), "none.png", "no face")
    refused(run(wav, "--portrait", "tiny.png"), "tiny.png", "px, need 64")
    refused(run(wav, "--portrait", "broken.jpg"), "broken.jpg", "can not be read")
    refused(run(wav, "--portrait", "folder.png"), "folder.png", "not a file")
    refused(run(wav, "--portrait", "missing.png"), "missing.png", "no such")
    refused(run(wav, "--portrait", "nobody"), "nobody", "grace_hopper")
    refused(run("render", "--source", "none.png", "--audio", wav, "-o", "a.mp4"), "no face")
    refused(run("render", "--source", "broken.jpg", "--audio", wav, "-o", "a.mp4"), "broken.jpg")
    assert not list(tmp_path.glob("*.mp4"))


def test_several_faces(run, wav, tmp_path, portrait):
    small = np.full_like(portrait, 90)
    small[100:400, 100:356] = portrait[::2, ::2]
    Image.fromarray(np.concatenate([small, portrait], axis=1)).save(tmp_path / "two.png")
    code, out, err = run(wav, "--portrait", "two.png", "--size", 128)
    assert code == 0 and out == "say.mp4\n"
    assert "2 faces" in err and "largest" in err and "--face" in err and err.count("\n") == 1
    assert spoken(run(wav, "--portrait", "two.png", "--face", 2, "--size", 128)) == 13
    refused(run(wav, "--portrait", "two.png", "--face", 3), "face 3")
    refused(run(wav, "--portrait", "two.png", "--face", 0), "face 0")


def test_sounds_that_are_unusual(run, tmp_path):
    save_wav(tmp_path / "silent.wav", np.zeros(8000, np.float32))
    save_wav(tmp_path / "fast.wav", speech_like(0.5, 96_000), 96_000)
    save_wav(tmp_path / "short.wav", speech_like(0.001))
    with wave.open(str(tmp_path / "bits.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(1)
        file.setframerate(11_025)
        file.writeframes((speech_like(0.5, 22_050) * 100 + 128).astype(np.uint8).tobytes())
    for name, count in {"silent.wav": 13, "fast.wav": 13, "short.wav": 1, "bits.wav": 13}.items():
        assert spoken(run(name, "--size", 128)) == count, name


def test_a_recording_with_a_speaker_on_each_channel(run, tmp_path):
    """The face speaks the channel that is chosen; the ear hears both."""
    both = np.stack([speech_like(0.5), speech_like(0.5, seed=1)], axis=1)
    with wave.open(str(tmp_path / "two.wav"), "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes((both * 32767).astype("<i2").tobytes())
    code, _, err = run("two.wav", "--size", 128)
    assert code == 0 and "each channel has a sound of its own" in err and "--speaker 1 or 2" in err
    code, _, err = run("two.wav", "--size", 128, "--speaker", 2)
    assert (code, err) == (0, "")
    refused(run("two.wav", "--speaker", 3), "two.wav", "speaker 3", "2 channels")
    refused(run("two.wav", "--speaker", 0), "0")
    refused(run("Hello.", "--speaker", 1), "a text has one speaker")
    refused(run(save_wav(tmp_path / "one.wav", speech_like(0.5)), "--speaker", 1), "one channel")


def test_sounds_that_are_unusable(run, tmp_path, portrait):
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
    (tmp_path / "corrupt.wav").write_bytes(b"RIFF" + bytes(range(256)))
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "nothing.wav").touch()
    Image.fromarray(portrait).save(tmp_path / "picture.png")
    for name in ("empty.wav", "corrupt.wav", "text.wav", "nothing.wav", "missing.wav", "picture.png"):
        refused(run(name), name)
        refused(run("render", "--source", "grace_hopper", "--audio", name, "-o", "a.mp4"), name)
    assert not list(tmp_path.glob("*.mp4"))


def test_texts(run, monkeypatch):
    monkeypatch.setattr("speechhead.tts.open_voice", lambda name: Parrot())
    for text in ("", "   ", "\n"):
        refused(run(text), "empty")
    assert spoken(run("One 😀 two")) == 15
    monkeypatch.undo()


def test_texts_in_files_and_on_stdin(run, monkeypatch, tmp_path):
    monkeypatch.setattr("speechhead.tts.open_voice", lambda name: Parrot())
    (tmp_path / "script.txt").write_text("One two three", encoding="utf-8")
    assert spoken(run("script.txt")) == 15
    refused(run("missing.txt"), "missing.txt: no such file")
    for given, frames in ((b"one two", 10), (b"script.txt", 5)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        assert spoken(run("-")) == frames
    (tmp_path / "say.mp4").unlink()
    for given, reason in ((b"", "empty"), (b"\0\1", "standard input: is no text")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        refused(run("-"), reason)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("😀🎉 — ...", ("has nothing to say",)),
        ("...!?", ("has nothing to say",)),
        ('<speak><break time="1s"/></speak>', ("has nothing to say",)),
        ("你好，世界", ("Chinese characters", "voice joe", "espeak:cmn")),
        ("Привет, мир", ("Cyrillic letters", "espeak:ru")),
    ],
)
def test_texts_that_a_voice_can_not_say(run, tmp_path, text, words):
    refused(run(text, "--voice", "joe", "--portrait", "missing.jpg"), *words)
    assert not list(tmp_path.glob("*.mp4"))


def test_unknown_choices(run, wav):
    for options in (
        ("--voice", "nobody"),
        ("--emotion", "bored"),
        ("--emotion", "happy:2"),
        ("--emotion", ""),
        ("--size", 511),
        ("--size", 20),
        ("--size", "large"),
        ("--fps", 0),
        ("--fps", "nan"),
        ("--fps", 1000),
        ("--seed", -1),
        ("--head", "shaking"),
        ("--amplitude", 9),
        ("--nonsense", 1),
        ("-o", "a.avi"),
        ("-o", "missing/a.mp4"),
        ("-o", "speech.wav/a.mp4"),
        ("-o", "."),
        ("-o", "/proc/a.mp4"),
    ):
        first = "Hello." if "--voice" in options else wav
        refused(run(first, *options))
    refused(run("render", "--audio", wav))
    assert sorted(os.listdir()) == ["speech.wav"]


@pytest.mark.parametrize("option", ["--generator", "--engine", "--device"])
def test_unknown_engines(option, run, monkeypatch, wav):
    monkeypatch.setattr("speechhead.generators.open.open_generator", open_generator)
    refused(run(wav, option, "abacus"), "abacus")


def test_a_home_that_can_not_be_written(run, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPEECHHEAD_HOME", str(tmp_path / "file"))
    added = run("avatars", "add", shipped()["mara"].path, "--name", "me")
    refused(added, "avatars: not a directory. Check the path, and what may be written there.")


def test_an_interrupt_leaves_nothing(run, wav, monkeypatch, tmp_path):
    (tmp_path / "say.mp4").write_bytes(b"before")

    def interrupt(self, source, face, pose):
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeGenerator, "render", interrupt)
    code, out, err = run(wav)
    assert (code, out) == (130, "") and "interrupted" in err
    assert (tmp_path / "say.mp4").read_bytes() == b"before"


def test_lists(run):
    assert "grace_hopper" in run("avatars")[1]
    assert "joe" in run("voices")[1]
    code, out, _ = run("weights", "verify")
    assert "face_mesh.onnx" in out and code in (0, 1)
    assert "sha" not in run("weights", "list")[1]


def test_a_saved_avatar_speaks_at_the_size_it_has(run, wav):
    Avatar.open("grace_hopper", 256).save("hopper.avatar")
    assert spoken(run(wav, "-p", "hopper.avatar")) > 0
    refused(run(wav, "-p", "hopper.avatar", "--size", 512), "size 512", "256", "Leave size out")
    assert spoken(run(wav, "-p", "hopper.avatar", "--size", 128, "--crop")) > 0
