"""What the decoding process leaves in its folder, run in this process and without its limits."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("aiortc")

from speechhead_server.uploads import decode_process

from speechhead.audio.io import save_wav


@pytest.fixture
def decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the process's main function on some bytes; gives its exit code and its folder."""
    monkeypatch.setattr(decode_process, "limit", lambda kind: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(kind: str, data: bytes, most: float) -> tuple[int, Path]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        return decode_process.main(kind, str(tmp_path), str(most)), tmp_path

    return run


def recording(folder: Path, seconds: float) -> bytes:
    """A tone as WAV."""
    time = np.arange(round(16000 * seconds)) / 16000
    return save_wav(folder / "tone.wav", (0.5 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)).read_bytes()


def test_sound_lies_there_at_both_rates(decode, tmp_path):
    code, folder = decode("sound", recording(tmp_path, 0.5), 60)
    assert code == 0 and not list(folder.glob("*.raw"))
    slow, fast = (np.fromfile(folder / f"{rate}.pcm", np.int16) for rate in (16000, 48000))
    assert len(slow) == pytest.approx(8000, abs=40) and len(fast) == pytest.approx(24000, abs=120)
    assert np.abs(slow).max() == pytest.approx(0.5 * 32767, rel=0.02)


@pytest.mark.parametrize("data", [b"", b"no sound at all" * 20])
def test_what_is_no_sound_is_refused_in_one_line(decode, data):
    code, folder = decode("sound", data, 60)
    reason = (folder / "error").read_text()
    assert code == 2 and reason and "\n" not in reason and str(folder) not in reason


def test_sound_that_is_too_long_is_refused(decode, tmp_path):
    code, folder = decode("sound", recording(tmp_path, 3), 1)
    assert code == 2 and "\n" not in (folder / "error").read_text()


def test_a_picture_lies_there_as_pixels(decode):
    out = io.BytesIO()
    Image.new("RGB", (80, 70), (200, 10, 20)).save(out, "PNG")
    code, folder = decode("picture", out.getvalue(), 1e6)
    pixels = np.load(folder / "picture.npy")
    assert code == 0 and pixels.shape == (70, 80, 3) and pixels[0, 0].tolist() == [200, 10, 20]
    code, folder = decode("picture", out.getvalue(), 1000)
    assert code == 2 and "80x70" in (folder / "error").read_text()


def test_a_picture_that_needs_too_much_memory_is_refused(decode, monkeypatch):
    def swell(file: Path, most: float) -> None:
        raise MemoryError

    monkeypatch.setattr(decode_process, "picture", swell)
    code, folder = decode("picture", b"x", 1e6)
    assert code == 2 and "MB to decode" in (folder / "error").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("kind", ["sound", "picture"])
@pytest.mark.parametrize("name", ["upload", "error"])
def test_a_disk_without_room_is_not_the_files_fault(decode, tmp_path: Path, kind: str, name: str):
    (tmp_path / name).symlink_to("/dev/full")
    assert decode(kind, b"neither sound nor picture" * 1000, 600)[0] == decode_process.NO_DISK
