"""The process that speaks: text in, sound out, apart from the server so that an engine's crash is not the server's.

Run by `speaker.Speaker` as `python -m server.voice_process`. Lines of JSON come in on stdin: {"job", "text", "voice"}
or {"cancel": job}. Records go out on stdout: four bytes of length, a JSON head, and, where it has "samples", that many
float32. Several jobs take turns piece by piece, so that a long text does not hold up a short one.
"""

from __future__ import annotations

import json
import os
import queue
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

THREADS = 2
"""Worker threads of a neural voice: the first words come sooner, and it is idle most of the time."""


class Speakers:
    """Voices, opened once."""

    def __init__(self) -> None:
        self._open: dict[str, Voice] = {}

    def get(self, name: str) -> Voice:
        """A voice by name."""
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


def main() -> None:
    """Serve jobs until stdin ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not be taken for a record
    orders: queue.Queue[dict[str, Any] | None] = queue.Queue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, orders), daemon=True).start()
    voices = Speakers()
    running: dict[str, Iterator[tuple[dict[str, Any], np.ndarray]]] = {}
    _write(out, {"ready": True})
    while True:
        while not running or not orders.empty():
            order = orders.get()
            if order is None:
                return
            if "cancel" in order:
                running.pop(order["cancel"], None)
            elif order.get("text") is None:  # only open the voice
                _open(voices, order["voice"])
            else:
                running[order["job"]] = _job(voices, order)
        job = next(iter(running))
        turn = running.pop(job)
        try:
            head, samples = next(turn)
            _write(out, {"job": job, **head}, samples)
            running[job] = turn
        except StopIteration:
            _write(out, {"job": job, "end": True})
        except SpeechheadError as error:
            _write(out, {"job": job, "error": str(error)})
        except Exception as error:
            _write(out, {"job": job, "error": f"the voice failed ({type(error).__name__}: {str(error)[:100]})."})


def _job(voices: Speakers, order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    yield from speak(voices.get(order["voice"]), order["text"])


def _open(voices: Speakers, name: str) -> None:
    try:
        next(voices.get(name).speak("Hello."), None)  # the first piece of an engine takes longer than the rest
    except Exception:  # it will be said where it matters, when a text is to be spoken
        return


def _read(stream: BinaryIO, orders: queue.Queue[dict[str, Any] | None]) -> None:
    for line in stream:
        orders.put(json.loads(line))
    orders.put(None)


def _write(out: BinaryIO, head: dict[str, Any], samples: np.ndarray | None = None) -> None:
    if samples is not None:
        head["samples"] = len(samples)
    data = json.dumps(head).encode()
    out.write(struct.pack("<I", len(data)) + data)
    if samples is not None:
        out.write(np.ascontiguousarray(samples, "<f4").tobytes())
    out.flush()


if __name__ == "__main__":
    main()
