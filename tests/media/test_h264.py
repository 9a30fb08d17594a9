"""Videos are encoded by NVENC where it can be used and is wanted; where it can not, that is said or done otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from speechhead.core.errors import MediaError
from speechhead.media import h264
from speechhead.media.formats import is_form
from speechhead.media.h264 import H264, NVENC, X264
from speechhead.media.image import yuv420
from speechhead.media.reader import VideoReader
from speechhead.media.writer import VideoWriter


class FakeContext:
    """NVENC of a GPU that takes pictures up to 4096 pixels wide."""

    def __init__(self, packets: int = 1) -> None:
        self.width = self.height = 0
        self.options: dict[str, str] = {}
        self.packets = packets

    def encode(self, frame):
        if self.width > 4096:
            raise av.error.ExternalError(542398533, "Generic error in an external library", "avcodec_open2")
        return [b"packet"] * self.packets if frame is None else []


@pytest.fixture
def gpu(monkeypatch):
    """An encoder as PyAV looks it up; the codecs asked for."""
    asked = []

    def create(name, mode):
        asked.append((name, mode))
        return FakeContext()

    monkeypatch.setattr("speechhead.media.h264.av.CodecContext", type("Fake", (), {"create": staticmethod(create)}))
    h264.unusable.cache_clear()
    yield asked
    h264.unusable.cache_clear()


@pytest.fixture
def no_gpu(monkeypatch):
    h264.unusable.cache_clear()
    yield
    h264.unusable.cache_clear()


def test_nvenc_is_taken_with_cuda_where_it_encodes_that_size(gpu):
    assert H264.chosen("auto", "cuda:0", (512, 512)) == H264(NVENC)
    assert H264.chosen("nvenc", "cpu", (512, 512)) == H264(NVENC)
    assert gpu == [(NVENC, "w")]  # one trial a size
    assert H264.chosen("auto", "cpu", (512, 512)) == H264.chosen("cpu", "cuda", (512, 512)) == H264(X264)
    assert H264.chosen("auto", "cuda", (8000, 512)) == H264(X264)
    with pytest.raises(MediaError, match=r"'nvenc': no GPU here encodes 8000x512 \(.*Generic error.*Use --encoder cpu"):
        H264.chosen("nvenc", "cuda", (8000, 512))
    told = H264(NVENC, crf=20).options(Fraction(25), 512)
    assert (told["cq"], told["g"]) == ("20", "100") and H264(crf=20).options(Fraction(25), 512)["crf"] == "20"


def test_a_codec_that_is_not_there_or_gives_nothing_is_none(monkeypatch, no_gpu):
    def none(name, mode):
        raise ValueError(name)

    monkeypatch.setattr("speechhead.media.h264.av.CodecContext", type("Fake", (), {"create": staticmethod(none)}))
    assert h264.unusable(64, 64) == f"this build of PyAV has no {NVENC}"
    empty = type("Fake", (), {"create": staticmethod(lambda *_: FakeContext(packets=0))})
    monkeypatch.setattr("speechhead.media.h264.av.CodecContext", empty)
    assert h264.unusable(96, 64) == "it encodes nothing of 96x64"


def test_this_machine_writes_a_video_whatever_is_wanted(tmp_path, no_gpu):
    coding = H264.chosen("auto", "cuda", (128, 96))
    with VideoWriter(tmp_path / "a.mp4", 128, 96, 25, None, coding=coding) as writer:
        writer.write(np.full((96, 128, 3), 90, np.uint8))
    assert len(list(VideoReader(tmp_path / "a.mp4").frames())) == 1


def test_planes_from_a_device_are_written_as_they_are(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (3, 96, 128, 3), np.uint8)
    for name, made in (("a.mp4", list(frames)), ("b.mp4", [yuv420(frame) for frame in frames])):
        with VideoWriter(tmp_path / name, 128, 96, 25, None) as writer:
            for frame in made:
                writer.write(frame)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with (
        pytest.raises(MediaError, match=r"frame of shape \[144, 128\]"),
        VideoWriter(tmp_path / "c.mp4", 128, 96, 25, None, watermark="x") as writer,
    ):
        writer.write(yuv420(frames[0]))  # the mark is drawn into RGB


def test_forms_without_h264(tmp_path):
    assert is_form(tmp_path / "a.gif") and is_form(tmp_path / "%03d.png") and is_form(tmp_path / "a.mov", alpha=True)
    assert not is_form(tmp_path / "a.mov") and not is_form(tmp_path / "a.mp4")


MOVING = """
import sys
from fractions import Fraction
import av
import numpy as np
from speechhead.media.h264 import H264
width, height = int(sys.argv[1]), 80
context = av.CodecContext.create("libx264", "w")
context.width, context.height, context.pix_fmt = width, height, "yuv420p"
context.time_base, context.options = Fraction(1, 25), H264(crf=16).options(Fraction(25), width)
coarse = np.random.default_rng(1).integers(0, 255, (20, 48))
ground = sum(np.roll(np.kron(coarse, np.ones((8, 8))), (i, j), (0, 1)) for i in range(8) for j in range(8)) / 64
for at in range(14):
    picture = ground[at : at + height * 3 // 2, 2 * at : 2 * at + width].copy()
    picture[26:40, 30:60] = 15 * at
    frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), "yuv420p")
    frame.pts = at
    sys.stdout.buffer.write(b"".join(map(bytes, context.encode(frame))))
sys.stdout.buffer.write(b"".join(map(bytes, context.encode(None))))
"""


def encoded(fill, width):
    """Packets of a process whose fresh memory is filled with a number."""
    where = {**os.environ, "MALLOC_PERTURB_": str(fill), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", MOVING, str(width)]
    return subprocess.run(command, env=where, check=True, stdout=-1).stdout


@pytest.mark.parametrize("width", [96, 128])
def test_memory_that_nobody_wrote_does_not_change_a_video(width):
    assert encoded(1, width) == encoded(170, width)
