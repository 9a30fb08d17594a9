"""Pictures and videos as people have them: HEIC, animations, colons in names, huge ones, and files that are others."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.paths import ROOT
from support.stand_ins import STAND_INS

from speechhead.audio.io import load_audio, save_wav
from speechhead.core import weights
from speechhead.core.errors import AudioError, ImageError, MediaError, SpeechheadError, WeightsError
from speechhead.engines.onnx import load_session
from speechhead.media import image as images
from speechhead.media.image import is_picture, load_image, read_picture
from speechhead.media.reader import VideoReader
from speechhead.media.writer import VideoWriter
from speechhead.render.redub import is_video

HEIC = ROOT / "tests" / "data" / "gradient.heic"
needs_heic = pytest.mark.skipif(importlib.util.find_spec("pi_heif") is None, reason="pi-heif is not installed")


@pytest.fixture
def gradient() -> np.ndarray:
    ramp = np.linspace(0, 255, 96, dtype=np.uint8)
    return np.stack([np.tile(ramp, (80, 1)), np.full((80, 96), 90, np.uint8), np.tile(ramp[::-1], (80, 1))], -1)


@needs_heic
def test_heic_is_a_picture(gradient):
    picture, notes = read_picture(HEIC)
    assert picture.shape == (80, 96, 3) and notes == ()
    assert np.abs(picture.astype(int) - gradient).mean() < 3
    assert is_picture(HEIC) and not is_video(HEIC)


def test_heic_without_its_package_is_refused_everywhere_alike(monkeypatch, tmp_path):
    monkeypatch.setattr(images, "_heic_opener", lambda: False)
    with pytest.raises(ImageError, match="HEIC needs a package. pip install pi-heif, or save it as JPEG"):
        load_image(HEIC)
    assert not is_video(HEIC)  # so `render` says the same
    assert not images.is_heic(Path(__file__))


@pytest.mark.parametrize("name", ["gradient.heic", "still.jpg", "still.png"])
def test_a_picture_is_no_driver(tmp_path, gradient, name):
    shutil.copy(HEIC, tmp_path) if name.endswith("heic") else Image.fromarray(gradient).save(tmp_path / name)
    with pytest.raises(MediaError, match="is a picture, not a video"):
        VideoReader(tmp_path / name)


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_an_animation_is_its_first_picture_with_a_note(tmp_path, gradient, ending):
    file = tmp_path / f"a.{ending}"
    frames = [Image.fromarray(gradient), Image.fromarray(255 - gradient)]
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=100)
    picture, notes = read_picture(file)
    assert notes == (f"{file}: an animation. Its first picture is taken.",)
    assert np.abs(picture.astype(int) - gradient).mean() < 12
    if ending != "webp":  # which libav does not play
        played = [int(picture[0, 0, 0]) for picture in VideoReader(file).frames()]
        assert played[0] < 40 and played[-1] > 215
    frames[0].save(file)
    assert read_picture(file)[1] == ()


def test_sixteen_bits_a_channel_and_inks(tmp_path, gradient):
    import cv2

    cv2.imwrite(str(tmp_path / "a.tif"), gradient[..., ::-1].astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "a.png"), gradient[..., ::-1].astype(np.uint16) * 257)
    for file in ("a.tif", "a.png"):
        assert np.abs(load_image(tmp_path / file).astype(int) - gradient).max() <= 1
    Image.fromarray(gradient).convert("CMYK").save(tmp_path / "inks.jpg", quality=95)
    assert np.abs(load_image(tmp_path / "inks.jpg").astype(int) - gradient).mean() < 4


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK"])
@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_huge_pictures_are_read_smaller(tmp_path, monkeypatch, gradient, mode, ending):
    if (mode, ending) in (("CMYK", "png"), ("P", "jpg"), ("RGBA", "jpg")):
        pytest.skip("no such file")
    monkeypatch.setattr(images, "MOST_PIXELS", 40_000)
    large = Image.fromarray(gradient.repeat(6, 0).repeat(6, 1)).convert(mode)  # 576 x 480
    large.save(tmp_path / f"a.{ending}")
    picture, _ = read_picture(tmp_path / f"a.{ending}")
    height, width = picture.shape[:2]
    assert 10_000 <= height * width <= 40_000 and width / height == pytest.approx(1.2, rel=0.02)
    wanted = np.asarray(large.convert("RGB").resize((width, height), Image.Resampling.BOX)).astype(int)
    assert np.abs(picture.astype(int) - wanted).mean() < 6


HUGE = """
import resource, sys
from speechhead.media.image import load_image
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(*load_image(sys.argv[1]).shape, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is told in another unit there")
def test_a_hundred_million_pixels_stay_in_bounded_memory(tmp_path):
    file = tmp_path / "a.jpg"
    Image.new("RGB", (12_000, 9_000), (200, 90, 40)).save(file)
    done = subprocess.run([sys.executable, "-c", HUGE, str(file)], capture_output=True, text=True, check=True)
    height, width, _, megabytes = map(int, done.stdout.split())
    assert (height, width) == (4500, 6000) and megabytes < 300, done.stdout


def test_colons_in_names_are_no_protocols(tmp_path, gradient, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a name alone is what libav would take for an address
    Image.fromarray(gradient).save("a:b.png")
    assert load_image("a:b.png").shape == (80, 96, 3) and not is_video("a:b.png")
    save_wav("http:x.wav", np.zeros(1600, np.float32))
    assert len(load_audio("http:x.wav")) == 1600
    with VideoWriter("a:b.mp4", 64, 64, sample_rate=None) as writer:
        writer.write(np.full((64, 64, 3), 90, np.uint8))
    assert len(list(VideoReader("a:b.mp4").frames())) == 1 and is_video("a:b.mp4")
    assert sorted(os.listdir()) == ["a:b.mp4", "a:b.png", "http:x.wav"]


@pytest.mark.parametrize("kind", STAND_INS)
def test_files_that_stand_for_others_are_named(tmp_path, monkeypatch, kind):
    opened: dict[str, tuple[type[SpeechheadError], object]] = {
        "me.jpg": (ImageError, load_image),
        "film.mp4": (MediaError, VideoReader),
        "talk.wav": (AudioError, load_audio),
        "family.safetensors": (WeightsError, weights.read_metadata),
        "net.onnx": (WeightsError, load_session),
        "rows.npz": (WeightsError, lambda path: weights.path(path.name)),
    }
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    for name, (error, read) in opened.items():
        (tmp_path / name).write_bytes(STAND_INS[kind])
        with pytest.raises(error, match=f"{name}: is a {kind}, not the file itself") as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", STAND_INS)
def test_a_checkpoint_that_is_another_file_is_named(tmp_path, kind):
    pytest.importorskip("torch")
    from speechhead.generators.checkpoints.published import import_checkpoint

    for name in ("vox.pth.tar", "vox.safetensors"):
        (tmp_path / name).write_bytes(STAND_INS[kind])
        with pytest.raises(WeightsError, match=f"{name}: is a {kind}"):
            import_checkpoint([tmp_path / name], "fomm", tmp_path / "out.safetensors")
