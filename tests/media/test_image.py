"""Any picture that Pillow reads becomes upright RGB; anything else is one clear line."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from support.hostile import LOOP, fake_ghostscript

from speechhead.core.errors import ImageError
from speechhead.media.image import BACKGROUND, as_picture, load_image, yuv420


@pytest.fixture
def gradient() -> np.ndarray:
    ramp = np.linspace(0, 255, 96, dtype=np.uint8)
    return np.stack([np.tile(ramp, (80, 1)), np.full((80, 96), 90, np.uint8), np.tile(ramp[::-1], (80, 1))], -1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr", "LAB", "HSV"])
def test_colour_modes(tmp_path, gradient, mode):
    image = Image.fromarray(gradient)
    if mode == "LAB":
        image = Image.frombytes("LAB", image.size, bytes(image.width * image.height * 3))
        path = tmp_path / "a.tif"
    else:
        image = image.convert(mode)
        path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")
        if mode == "HSV":
            image = image.convert("RGB")
    image.save(path)
    picture = load_image(path)
    assert picture.shape == (80, 96, 3) and picture.dtype == np.uint8
    if mode in ("RGB", "RGBA", "CMYK"):
        assert np.abs(picture.astype(int) - gradient).max() <= 2


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "F"])
def test_greyscale_and_16_bit(tmp_path, gradient, mode):
    grey = gradient[..., 0]
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 255)
    else:
        image = Image.fromarray(grey).convert(mode)
    path = tmp_path / ("a.tif" if mode == "F" else "a.png")
    image.save(path)
    picture = load_image(path)
    assert (picture[..., 0] == picture[..., 2]).all()
    if mode != "1":
        assert np.abs(picture[..., 0].astype(int) - grey).max() <= 1


def test_transparency_is_laid_over_grey(tmp_path, gradient):
    image = np.dstack([gradient, np.zeros((80, 96), np.uint8)])
    Image.fromarray(image).save(tmp_path / "a.png")
    assert (load_image(tmp_path / "a.png") == BACKGROUND).all()


def test_exif_rotation(tmp_path, gradient):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    Image.fromarray(gradient).save(tmp_path / "a.jpg", exif=exif, quality=95)
    picture = load_image(tmp_path / "a.jpg")
    assert picture.shape == (96, 80, 3)
    assert np.abs(picture.astype(int) - np.rot90(gradient, -1)).mean() < 8


def test_animation_gives_its_first_frame(tmp_path, gradient):
    frames = [Image.fromarray(gradient), Image.fromarray(255 - gradient)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.abs(load_image(tmp_path / "a.gif").astype(int) - gradient).mean() < 12


def test_bad_files_are_one_line(tmp_path, gradient):
    Image.fromarray(gradient).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:600])
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    Image.fromarray(gradient[:40, :40]).save(tmp_path / "tiny.png")
    for name, reason in {
        "missing.jpg": "no such",
        ".": "not a file",
        "cut.jpg": "can not be read",
        "text.jpg": "not a picture",
        "empty.png": "not a picture",
        "tiny.png": "40x40",
    }.items():
        with pytest.raises(ImageError, match=reason) as caught:
            load_image(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "order",
    [
        ("say", "hello", "--portrait"),
        ("animate", "--driver", "x.mp4", "--source"),
        ("render", "--audio", "x.wav", "--source"),
    ],
)
def test_postscript_starts_no_interpreter(tmp_path, order):
    mark = fake_ghostscript(tmp_path)
    (tmp_path / "loop.eps").write_bytes(LOOP)
    (tmp_path / "loop.png").write_bytes(LOOP)  # the name does not matter
    for name in ("loop.eps", "loop.png"):
        with pytest.raises(ImageError, match="not a picture"):
            load_image(tmp_path / name)
        run = subprocess.run(
            [sys.executable, "-m", "speechhead", *order, str(tmp_path / name), "-o", str(tmp_path / "out.mp4")],
            env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 2 and run.stderr.count("\n") == 1, run.stderr
    assert not mark.exists()


def test_a_large_transparent_picture_is_laid_over_grey_band_by_band():
    array = np.random.default_rng(0).integers(0, 256, (600, 64, 4), np.uint8)
    alpha = array[..., 3:] / 255.0
    wanted = array[..., :3] * alpha + np.array(BACKGROUND) * (1 - alpha)
    assert np.abs(as_picture(array) - wanted).max() <= 0.6


def test_arrays():
    assert as_picture(np.zeros((70, 80))).shape == (70, 80, 3)
    assert as_picture(np.ones((70, 80, 3))).max() == 255
    assert as_picture(np.full((70, 80, 3), 65535, np.uint16)).max() == 255
    for bad in (np.zeros(5), np.zeros((70, 80, 2)), np.zeros((70, 80, 3), np.int64), np.zeros((9, 80, 3), np.uint8)):
        with pytest.raises(ImageError):
            as_picture(bad)


@pytest.mark.parametrize("size", [(64, 96), (66, 34)])
def test_planar_colours_are_those_of_libswscale(size):
    import av
    from av.video.reformatter import Colorspace, Interpolation

    smooth = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), size[::-1])
    frame = av.VideoFrame.from_ndarray(smooth, format="rgb24")
    wanted = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, interpolation=Interpolation.BILINEAR)
    found = yuv420(smooth)
    assert found.shape == (size[0] * 3 // 2, size[1])
    assert np.abs(found.astype(int) - wanted.to_ndarray().astype(int)).max() <= 3
