"""Videos come out whole or not at all, with sound and pictures of one length."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from fractions import Fraction

import av
import numpy as np
import pytest
from support.fakes import speech_like

from speechhead.audio import load_audio
from speechhead.core.errors import MediaError
from speechhead.core.outputs import undo_all
from speechhead.media import formats
from speechhead.media.reader import VideoReader
from speechhead.media.writer import COMMENT, VideoWriter, check_output


def moving(count: int, height: int = 96, width: int = 128) -> list[np.ndarray]:
    """Pictures whose left part of 2 x number columns is bright."""
    frames = [np.full((height, width, 3), (200, 60, 30), np.uint8) for _ in range(count)]
    for number, frame in enumerate(frames):
        frame[:, : number * 2] = (20, 180, 90)
    return frames


def bright(frame: np.ndarray) -> int:
    return int((frame[48, :, 1].astype(int) > 120).sum())


def write(path, count=50, fps=25.0, sound=None, **options):
    with VideoWriter(path, 128, 96, fps, 16_000, **options) as writer:
        writer.write_audio(speech_like(count / fps) if sound is None else sound)
        for frame in moving(count):
            writer.write(frame)
    return path


@pytest.mark.parametrize("fps", [25, 12.5, 30000 / 1001, 60])
@pytest.mark.parametrize("excess", [-0.7, 0.0, 0.7])
def test_sound_and_pictures_end_together(tmp_path, fps, excess):
    path = write(tmp_path / "a.mp4", 50, fps, speech_like(50 / fps + excess))
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        lengths = [float(s.duration * s.time_base) for s in (video, audio)]
        assert (video.codec.name, video.pix_fmt, audio.codec.name) == ("h264", "yuv420p", "aac")
        assert video.frames == 50
        assert abs(video.average_rate - Fraction(fps).limit_denominator(1001)) < 1e-6
        assert container.metadata["comment"] == COMMENT
    assert abs(lengths[0] - 50 / fps) < 1e-3
    assert abs(lengths[0] - lengths[1]) <= 1 / fps


def test_colours_survive_and_the_index_comes_first(tmp_path):
    path = write(tmp_path / "a.mp4")
    frames = list(VideoReader(path).frames())
    assert len(frames) == 50
    assert [bright(f) for f in frames[::10]] == pytest.approx([0, 20, 40, 60, 80], abs=1)
    assert np.abs(frames[40][48, 120].astype(int) - (200, 60, 30)).max() <= 4
    data = path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")  # a browser can start before all has arrived


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_sound_and_pictures_are_in_step(tmp_path, suffix, rate):
    click = np.zeros(2 * rate, np.float32)
    click[rate : rate + rate // 100] = 0.9 * np.sin(np.arange(rate // 100) * (2 * np.pi * 1000 / rate))
    with VideoWriter(tmp_path / f"a{suffix}", 128, 96, 25, rate) as writer:
        writer.write_audio(click)
        for number in range(50):
            writer.write(np.full((96, 128, 3), 255 * (number >= 25), np.uint8))
    heard = load_audio(tmp_path / f"a{suffix}", 48_000)
    assert np.flatnonzero(np.abs(heard) > 0.2)[0] / 48_000 == pytest.approx(1, abs=0.03)
    shown = [frame.mean() for frame in VideoReader(tmp_path / f"a{suffix}").frames()]
    assert np.flatnonzero(np.array(shown) > 100)[0] == 25


def test_watermark_is_seen_in_its_corner_only(tmp_path):
    plain = list(VideoReader(write(tmp_path / "a.mp4", 3)).frames())[2].astype(int)
    marked = list(VideoReader(write(tmp_path / "b.mp4", 3, watermark="AI")).frames())[2].astype(int)
    change = np.abs(plain - marked).max(axis=2)
    assert change[-12:, -12:].max() > 60 and change[:48, :64].max() < 12


@pytest.mark.parametrize("name", ["a.avi", "a", "a.mp4/b.mp4", "missing/a.mp4", "folder.mp4"])
def test_unusable_outputs_are_refused_at_once(tmp_path, name):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "a.mp4").touch()
    with pytest.raises(MediaError) as caught:
        check_output(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_device_is_never_replaced(tmp_path):
    (tmp_path / "a.mp4").symlink_to("/dev/null")
    with pytest.raises(MediaError, match="plain file"):
        check_output(tmp_path / "a.mp4")


def test_a_failed_run_leaves_the_folder_as_it_was(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"what was there before")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), VideoWriter(path, 128, 96) as writer:
            for frame in moving(40):
                writer.write(frame)
            raise error
    with pytest.raises(MediaError, match="no frames"), VideoWriter(path, 128, 96):
        pass
    with pytest.raises(MediaError, match="shape"), VideoWriter(path, 128, 96) as writer:
        writer.write(np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(MediaError, match="even"):
        VideoWriter(path, 127, 96)
    with pytest.raises(MediaError, match="1 to 120"):
        VideoWriter(path, 128, 96, 0)
    assert os.listdir(tmp_path) == ["a.mp4"] and path.read_bytes() == b"what was there before"


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no file size limit on this system")
@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a/%05d.png"])
@pytest.mark.parametrize("early", [True, False])
def test_an_interrupt_before_anybody_looks_after_the_file_leaves_nothing(tmp_path, monkeypatch, name, early):
    def interrupted(*given):
        raise KeyboardInterrupt

    if early:  # when the file is there, but who made it does not know of it yet
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        monkeypatch.setattr(formats, "_Film", interrupted)
        monkeypatch.setattr(formats, "_Frames", interrupted)
    with pytest.raises(KeyboardInterrupt):
        formats.open_writer(tmp_path / name, (64, 64), 25.0, 16_000)
        interrupted()
    undo_all()
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_line_and_no_file(tmp_path):
    script = textwrap.dedent(
        f"""
        import resource, signal, sys
        import numpy as np
        from speechhead.core.errors import MediaError
        from speechhead.media.writer import VideoWriter
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
        noise = np.random.default_rng(0)
        try:
            with VideoWriter({str(tmp_path / "a.mp4")!r}, 128, 96) as writer:
                for _ in range(100):
                    writer.write(noise.integers(0, 255, (96, 128, 3), np.uint8))
        except MediaError as error:
            sys.exit(0 if "disk full. Free some space. Choose" in str(error) else str(error))
        sys.exit("no error")
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path) == []
    assert signal.getsignal(signal.SIGXFSZ) is not None


def test_reading_at_other_rates_and_from_the_middle(tmp_path):
    path = write(tmp_path / "a.mp4", 50)
    reader = VideoReader(path)
    assert (reader.fps, reader.width, reader.height) == (25, 128, 96)
    frames = list(reader.frames())
    assert all((a == b).all() for a, b in zip(reader.frames(20, 30), frames[20:30], strict=True))
    assert len(list(VideoReader(path, 50).frames())) == 100
    slow = list(VideoReader(path, 10).frames())
    assert [bright(f) for f in slow] == pytest.approx([i * 5 for i in range(20)], abs=3)


def test_hidden_files_of_killed_runs_are_swept_when_old(tmp_path):
    old, young, other = (tmp_path / name for name in (".a.x1.part", ".a.x2.part", ".b.x1.part"))
    for path in (old, young, other):
        path.write_bytes(b"")
    for path in (old, other):
        os.utime(path, (0, 0))
    write(tmp_path / "a.mp4", 2)
    assert not old.exists() and young.exists() and other.exists()


def test_ping_pong(tmp_path):
    reader = VideoReader(write(tmp_path / "a.mp4", 20))
    order = [round(bright(f) / 2) for f in reader.ping_pong(50, 20, chunk=7)]
    assert order == [*range(20), *range(19, -1, -1), *range(10)]


@pytest.mark.parametrize("kind", ["missing", "text", "sound", "cut", "empty"])
def test_unreadable_videos(tmp_path, kind):
    path = tmp_path / "a.mp4"
    if kind == "text":
        path.write_text("not a video")
    elif kind == "empty":
        path.touch()
    elif kind == "cut":
        path.write_bytes(write(tmp_path / "b.mp4").read_bytes()[:3000])
    elif kind == "sound":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=48_000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), "fltp", "mono")
            frame.sample_rate = 48_000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(MediaError) as caught:
        list(VideoReader(path).frames())
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
