"""The process that speaks: text in, sound out, apart from the server so that an engine's crash is not the server's.

Run by `speaker.Speaker` as `python -m server.voice_process`. Lines of JSON come in on stdin: {"job", "text", "voice"}
or {"cancel": job}. Records go out on stdout: four bytes of length, a JSON head, and, where it has "samples", that many
float32.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from speechhead.clocks import SAMPLE_RATE
from speechhead.errors import SpeechheadError
from speechhead.tts import Voice, open_voice
from speechhead.tts.text import clean_text

from .words import pieces, word_times

THREADS = 1
"""Worker threads of a neural voice: a few words are spoken no sooner by two, and the other core draws."""


AT_ONCE = 2
"""Pieces made at the same time."""


class Speakers:
    """Voices, opened once."""

    def __init__(self) -> None:
        self._open: dict[str, Voice] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Voice:
        """A voice by name."""
        with self._lock:
            if name not in self._open:
                self._open[name] = open_voice(name, threads=THREADS)
            return self._open[name]


def speak(voice: Voice, text: str) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Heads and sounds of a text, piece by piece."""
    for piece in pieces(clean_text(text)):
        for speech in voice.speak(piece.text):
            pause = np.zeros(round(piece.pause * SAMPLE_RATE), np.float32)
            words = word_times(piece.text, speech.phonemes, speech.seconds)
            yield {"text": piece.text, "words": words}, np.concatenate([speech.samples, pause])


class Turns:
    """Jobs that take turns, one piece each, in a few threads: a text that is no longer wanted blocks none that is."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._write_lock = out, threading.Lock()
        self._turns: queue.Queue[tuple[str, Iterator[tuple[dict[str, Any], np.ndarray]]]] = queue.Queue()
        self._cancelled: set[str] = set()
        self._alive: set[str] = set()
        for _ in range(AT_ONCE):
            threading.Thread(target=self._run, daemon=True).start()

    def begin(self, job: str, work: Iterator[tuple[dict[str, Any], np.ndarray]]) -> None:
        """Queue a job."""
        self._alive.add(job)
        self._turns.put((job, work))

    def cancel(self, job: str) -> None:
        """Give a job no further turn."""
        if job in self._alive:
            self._cancelled.add(job)

    def write(self, head: dict[str, Any], samples: np.ndarray | None = None) -> None:
        """One record to the server."""
        if samples is not None:
            head["samples"] = len(samples)
        data = json.dumps(head).encode()
        with self._write_lock:
            self._out.write(struct.pack("<I", len(data)) + data)
            if samples is not None:
                self._out.write(np.ascontiguousarray(samples, "<f4").tobytes())
            self._out.flush()

    def _run(self) -> None:
        while True:
            job, work = self._turns.get()
            if job not in self._cancelled and self._turn(job, work):
                self._turns.put((job, work))
            else:
                self._cancelled.discard(job)
                self._alive.discard(job)

    def _turn(self, job: str, work: Iterator[tuple[dict[str, Any], np.ndarray]]) -> bool:
        """Make one piece; whether more may come."""
        try:
            head, samples = next(work)
        except StopIteration:
            self.write({"job": job, "end": True})
        except SpeechheadError as error:
            self.write({"job": job, "error": str(error), "kind": type(error).__name__})
        except Exception as error:
            kind = type(error).__name__
            self.write({"job": job, "error": f"the voice failed ({kind}: {str(error)[:100]}).", "kind": kind})
        else:
            if job not in self._cancelled:
                self.write({"job": job, **head}, samples)
            return True
        return False


def main() -> None:
    """Serve jobs until stdin ends."""
    with contextlib.suppress(AttributeError, OSError):  # not on Windows
        os.nice(19)  # the sentence after next can wait; the picture of this moment can not
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process in its own time
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is neither a record nor for the log:
    logging.disable()  # it may quote the text
    turns, voices = Turns(out), Speakers()
    turns.write({"ready": True})
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if "cancel" in order:
            turns.cancel(order["cancel"])
        elif order.get("text") is None:  # only open the voice
            turns.begin("", _open(voices, order["voice"]))
        else:
            turns.begin(order["job"], _job(voices, order))
    os._exit(0)  # threads that are inside a network must not hold up the end


def _job(voices: Speakers, order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    yield from speak(voices.get(order["voice"]), order["text"])


def _open(voices: Speakers, name: str) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    with contextlib.suppress(Exception):  # it will be said where it matters, when a text is to be spoken
        next(voices.get(name).speak("Hello."), None)  # the first piece of an engine takes longer than the rest
    yield from ()


if __name__ == "__main__":
    main()
