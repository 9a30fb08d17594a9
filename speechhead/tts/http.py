"""Any speech service with OpenAI's interface (POST /v1/audio/speech), hosted or on this machine."""

from __future__ import annotations

import json
import os
import tempfile
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from speechhead.audio.io import load_audio
from speechhead.core.clocks import SAMPLE_RATE
from speechhead.core.errors import AudioError, SpeechSynthesisError

from .engine import VoiceEngine
from .speech import Speech, VoiceInfo, finish
from .text import Piece, clean_text, split_text

LICENCE = "the service's terms"
REMEDY = "set SPEECHHEAD_TTS_URL or OPENAI_BASE_URL, and OPENAI_API_KEY if the service wants one"
_MOST = 64 << 20  # bytes of one answer


def endpoint() -> str:
    """Address from SPEECHHEAD_TTS_URL or OPENAI_BASE_URL, or OpenAI's own if only a key is set; empty if none."""
    base = os.environ.get("SPEECHHEAD_TTS_URL") or os.environ.get("OPENAI_BASE_URL") or ""
    if not base and os.environ.get("OPENAI_API_KEY"):
        base = "https://api.openai.com/v1"
    base = base.rstrip("/")
    if not base or base.endswith("/audio/speech"):
        return base
    return f"{base}/audio/speech" if base.endswith("/v1") else f"{base}/v1/audio/speech"


class HttpVoice:
    """A voice of a speech service.

    Parameters
    ----------
    name : "http" or "http:VOICE" with the service's name of the voice (default alloy)
    url : address of the service; `endpoint()` if None
    model : the service's name of the model; SPEECHHEAD_TTS_MODEL or tts-1 if None
    timeout : seconds to wait for one sentence
    """

    def __init__(
        self, name: str = "http", url: str | None = None, model: str | None = None, timeout: float = 60
    ) -> None:
        self.name = name
        self._url = url or endpoint()
        if not self._url.startswith(("http://", "https://")):
            shown = f"address '{self._url}' is not http(s)" if self._url else "no speech service is set"
            raise SpeechSynthesisError(f"voice '{name}': {shown}. To use one, {REMEDY}.")
        self._voice = name.partition(":")[2] or "alloy"
        self._model = model or os.environ.get("SPEECHHEAD_TTS_MODEL") or "tts-1"
        self._timeout = timeout

    def speak(self, text: str) -> Iterator[Speech]:
        """Say a text sentence by sentence; see `Voice`. While one is heard, the next is asked for already."""
        with ThreadPoolExecutor(1) as ahead:
            waiting: deque[tuple[Piece, Future[bytes]]] = deque()
            pieces = split_text(clean_text(text))
            try:
                while True:
                    while len(waiting) < 2 and (piece := next(pieces, None)):
                        waiting.append((piece, ahead.submit(self._request, piece.text)))
                    if not waiting:
                        return
                    piece, answer = waiting.popleft()
                    yield self._heard(piece, answer.result())
            finally:  # whoever stops listening does not wait for what was asked ahead
                ahead.shutdown(wait=False, cancel_futures=True)

    def _heard(self, piece: Piece, sound: bytes) -> Speech:
        """A service's answer as speech."""
        with tempfile.TemporaryDirectory(prefix="speechhead-") as folder:
            file = Path(folder) / "speech"
            file.write_bytes(sound)
            try:
                samples = load_audio(file)
            except AudioError as error:
                raise SpeechSynthesisError(f"{self._url}: the answer is not sound. Check the address.") from error
        return finish(samples, SAMPLE_RATE, piece.text, piece.pause)

    def _request(self, text: str) -> bytes:
        body = {"model": self._model, "voice": self._voice, "input": text, "response_format": "wav"}
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                sound: bytes = answer.read(_MOST + 1)
        except urllib.error.HTTPError as error:
            with error:
                detail = " ".join(error.read(300).decode(errors="replace").split())[:120]
            raise SpeechSynthesisError(f"{self._url}: HTTP {error.code} {detail}. Check voice, model, key.") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise SpeechSynthesisError(f"{self._url}: no answer ({reason}). Is the service running?") from error
        if len(sound) > _MOST:
            raise SpeechSynthesisError(f"{self._url}: answer over {_MOST >> 20} MiB for one sentence.")
        return sound


def missing() -> str:
    """What to set before a service can speak; empty if nothing."""
    return "" if endpoint() else REMEDY


ENGINE = VoiceEngine(
    name="http",
    voices=(VoiceInfo("http", "unknown", "mul", LICENCE, rank=40),),
    missing=missing,
    open=lambda name, threads: HttpVoice(name),
    others=True,
)
