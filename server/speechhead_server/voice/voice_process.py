"""The process that speaks: text in, sound out, apart from the server so that an engine's crash is not the server's.

Run by `speaker.Speaker` as `python -m speechhead_server.voice.voice_process`. Lines of JSON come in on stdin: {"job",
"text", "voice", "after", "whole"}, where `after` is the number of the last piece that is not wanted again, -1 for none,
and `whole` asks for sentences from the first on; {"voice"} to open one; or {"cancel": job}. Records go out on stdout:
four bytes of length, a JSON head, and, where it has "samples", that many float32. {"job", "turn": true} goes before the
work at a piece and {"job", "turn": false} after it, so that the server knows what a process that hangs was working at.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import logging
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import SpeechheadError
from speechhead.tts import Voice, open_voice
from speechhead.tts.reading import ReadingVoice, read
from speechhead.tts.speech import concatenate

from .words import pieces, word_times

THREADS = 1
"""Worker threads of a neural voice: a few words are spoken no sooner by two, and the other core draws."""


URGENT, PATIENT = 0, 10
"""Nice values of work that is heard soon and of work that is not.

Measured with six busy processes beside it on two cores (voice jo, first word and delay of the later pieces): at 0 it
comes after 0.5 s and they are in time but for 0.1 to 0.4 s, at 5 after 1.5 s and they are 6 s late, at 10 after 5.3 s,
at 19 not in 30 s. But a voice that is always at 0 takes more time from drawing: see `SOON`."""

SOON = 1.5
"""Seconds until a piece is heard from which on it is patient, where a second of work takes a second; three times as
many where it takes three."""

RECOVERS = 0.3
"""Part by which the estimate of how long work takes follows a piece that took less; it follows longer ones at once."""

LANES = (URGENT, URGENT, PATIENT)
"""Nice values of the threads that speak: what is patient holds up nothing that is urgent."""

Work = Iterator[tuple[dict[str, Any], np.ndarray]]
"""Heads and sounds, piece by piece."""


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


def speak(voice: Voice, text: str, after: int = -1, whole: bool = False) -> Work:
    """Heads and sounds of a text, piece by piece, from the one after number `after` on; `whole` as in `pieces`."""
    engine_voice, language = voice, ""
    if isinstance(voice, ReadingVoice):
        engine_voice, language = voice.engine_voice, voice.language
    for number, piece in enumerate(pieces(read(text, language), whole)):
        if number <= after:
            continue
        spoken = list(engine_voice.speak(piece.text)) if piece.text else []
        if spoken or not piece.text:
            speech = concatenate(spoken)
            pause = np.zeros(round(piece.pause * SAMPLE_RATE), np.float32)
            words = word_times(piece.text, speech.phonemes, speech.seconds)
            head = {"piece": number, "text": piece.text, "words": words, "emotion": piece.emotion}
            yield head, np.concatenate([speech.samples, pause])


@dataclass(order=True)
class Turn:
    """A job that waits for its next piece to be made. due: when its sound runs out, on the monotonic clock."""

    due: float
    job: str = field(compare=False)
    work: Work = field(compare=False)
    heard_from: float | None = field(default=None, compare=False)  # when its first piece was there
    seconds: float = field(default=0.0, compare=False)  # of sound so far


class Turns:
    """Jobs that take turns, one piece each, in a few threads: the one whose sound runs out first is the next."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._write_lock = out, threading.Lock()
        self._changed = threading.Condition()
        self._waiting: list[Turn] = []
        self._cancelled: set[str] = set()
        self._alive: set[str] = set()
        self._stretch = 1.0  # seconds that a second of work takes
        for nice in LANES:
            threading.Thread(target=self._run, args=(nice,), daemon=True).start()

    def begin(self, job: str, work: Work) -> None:
        """Queue a job."""
        self._alive.add(job)
        self._wait(Turn(time.monotonic(), job, work))

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

    def _wait(self, turn: Turn) -> None:
        with self._changed:
            heapq.heappush(self._waiting, turn)
            self._changed.notify_all()

    def _next(self, nice: int) -> Turn:
        """The first turn that is of a thread's kind, when there is one."""
        with self._changed:
            while True:
                left = self._waiting[0].due - time.monotonic() - SOON * self._stretch if self._waiting else None
                if left is not None and (left > 0) == (nice == PATIENT):
                    turn = heapq.heappop(self._waiting)
                    self._changed.notify_all()
                    return turn
                self._changed.wait(None if nice == PATIENT else left)  # patience ends with time

    def _run(self, nice: int) -> None:
        if sys.platform == "linux":  # elsewhere a nice value is a whole process'
            with contextlib.suppress(OSError):
                own = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, own, os.getpriority(os.PRIO_PROCESS, own) + nice)
        while True:
            turn = self._next(nice)
            job = turn.job
            if job not in self._cancelled:
                self.write({"job": job, "turn": True})
                began, worked = time.monotonic(), time.thread_time()
                more = self._take(turn)
                self._learn(time.monotonic() - began, time.thread_time() - worked)
                self.write({"job": job, "turn": False})
                if more:
                    self._wait(turn)
                    continue
            self._cancelled.discard(job)
            self._alive.discard(job)

    def _learn(self, took: float, worked: float) -> None:
        """Follow how much longer work takes than its time on a core."""
        if worked > 0.01:  # less is too little to tell
            stretch = max(1.0, took / worked)
            rise = max(0.0, stretch - self._stretch)
            self._stretch += rise or RECOVERS * (stretch - self._stretch)

    def _take(self, turn: Turn) -> bool:
        """Make one piece; whether more may come."""
        job = turn.job
        try:
            head, samples = next(turn.work)
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
            turn.heard_from = turn.heard_from or time.monotonic()
            turn.seconds += len(samples) / SAMPLE_RATE
            turn.due = turn.heard_from + turn.seconds
            return True
        return False


def main() -> None:
    """Serve jobs until stdin ends."""
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
            turns.begin(f"open {order['voice']}", _open(voices, order["voice"]))
        else:
            turns.begin(order["job"], _job(voices, order))
    os._exit(0)  # threads that are inside a network must not hold up the end


def _job(voices: Speakers, order: dict[str, Any]) -> Work:
    yield from speak(voices.get(order["voice"]), order["text"], order["after"], order.get("whole", False))


def _open(voices: Speakers, name: str) -> Work:
    with contextlib.suppress(Exception):  # it will be said where it matters, when a text is to be spoken
        next(voices.get(name).speak("Hello, 1."), None)  # the first piece of an engine takes longer than the rest
    yield from ()


if __name__ == "__main__":
    main()
