"""The process that decodes one upload, under limits that end it whatever the file does to its decoder.

Run by `decode.UploadDecoder` as `python -m speechhead_server.uploads.decode_process sound|picture FOLDER LIMIT`. The
upload comes in on stdin. What is made of it lies in the folder afterwards: `16000.pcm` and `48000.pcm`, or
`picture.npy`. Exit code 2 stands for a file that is refused; the folder's `error` says why, in one line. Exit code 3
stands for a disk without room, which is not the file's fault.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np

from speechhead.audio.io import audio_pieces
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.disk import disk_full
from speechhead.core.errors import AudioError, ImageError, SpeechheadError
from speechhead_server.stage.clock import RATE

PRIORITY = 10
"""Niceness: it takes a tenth of what a thread gets that draws, and still comes to its end beside several."""

CPU_SECONDS = 20
"""Of computing: ten times what ten minutes of sound take."""

WALL_SECONDS = 60
"""After which it ends by itself, should nobody be there to end it."""

MEMORY = {"sound": 384 << 20, "picture": 1 << 30}
"""Bytes that it may allocate. Sound is written as it is decoded; 40 million pixels exist several times over."""

LIBRARIES = 1 << 30
"""Bytes of addresses, beyond those, that libraries are mapped to."""

FILE = 1 << 30
"""Bytes of one file that it writes."""

CONTAINERS = (
    "wav", "w64", "aiff", "au", "caf", "flac", "mp3", "aac", "ogg", "amr", "asf", "avi", "matroska", "webm", "mov",
    "mp4", "m4a", "3gp", "3g2", "mpegts", "mpeg", "ac3", "wv", "ape", "tta",
)  # fmt: skip
"""Of sound, by libav's names: those that hold sound themselves, and none that names other files or addresses."""

NO_DISK = 3
"""Exit code where the disk has no room."""

BLOCK = 1 << 18
"""Samples that are converted at a time."""


def limit(kind: str) -> None:
    """Take the limits on; from then on the process can only become smaller."""
    with contextlib.suppress(AttributeError, OSError):  # not on Windows
        os.nice(PRIORITY)
        signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        memory = MEMORY[kind]
        limits = {"RLIMIT_CPU": CPU_SECONDS, "RLIMIT_DATA": memory, "RLIMIT_AS": memory + LIBRARIES}
        for name, most in {**limits, "RLIMIT_FSIZE": FILE, "RLIMIT_CORE": 0}.items():
            with contextlib.suppress(AttributeError, OSError, ValueError):  # what a system lacks or forbids
                resource.setrlimit(getattr(resource, name), (most, most))


def sound(file: Path, longest: float) -> None:
    """Write a recording beside itself as int16, at 16 kHz and at 48 kHz."""
    for rate in (SAMPLE_RATE, RATE):
        raw, count, peak = file.with_name(f"{rate}.raw"), 0, 1.0
        with raw.open("wb") as out:
            for piece in audio_pieces(file, rate, longest, CONTAINERS):
                piece = np.nan_to_num(piece)
                count, peak = count + len(piece), max(peak, float(np.abs(piece).max(initial=0)))
                out.write(piece.tobytes())
        if not count:
            raise AudioError(f"{file}: the sound has 0 samples. Give a recording of some length.")
        with raw.open("rb") as read, file.with_name(f"{rate}.pcm").open("wb") as out:
            while len(block := np.frombuffer(read.read(4 * BLOCK), np.float32)):
                out.write((block * (32767 / peak)).round().astype(np.int16).tobytes())
        raw.unlink()


def picture(file: Path, most: float) -> None:
    """Write a picture beside itself as uint8 [H, W, 3], and notes, if its header states no more than `most` pixels."""
    from speechhead.media.image import open_picture, read_picture

    width = height = 0
    with contextlib.suppress(Exception), open_picture(file) as opened:  # `read_picture` says what is wrong with it
        width, height = opened.size
    if width * height > most:
        side = int(most**0.5)
        raise ImageError(f"picture of {width}x{height} pixels is too large. Scale it to {side}x{side} or less.")
    pixels, notes = read_picture(file)
    np.save(file.with_name("picture.npy"), pixels)
    lines = "\n".join(notes).replace(str(file), "picture")
    file.with_name("notes").write_text(lines, encoding="utf-8")


def main(kind: str, folder: str, most: str) -> int:
    """Decode what comes on stdin; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process in its own time
    limit(kind)
    file = Path(folder) / "upload"
    try:
        with file.open("wb") as out:
            shutil.copyfileobj(sys.stdin.buffer, out)
        {"sound": sound, "picture": picture}[kind](file, float(most))
    except SpeechheadError as error:
        reason = str(error).replace(str(file), {"sound": "recording", "picture": "picture"}[kind])
    except OSError as error:
        if disk_full(error, folder):
            return NO_DISK
        reason = f"the {kind} can not be decoded ({type(error).__name__}). Convert it first."
    except MemoryError:
        reason = f"the {kind} takes more than {MEMORY[kind] >> 20} MB to decode. Convert it to a smaller one."
    else:
        return 0
    try:
        file.with_name("error").write_text(reason, encoding="utf-8")
    except OSError:
        return NO_DISK
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
