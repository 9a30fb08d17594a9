"""Who writes down what a visitor said: a service with OpenAI's interface, or Whisper in a process of its own."""

from __future__ import annotations

import io
import json
import uuid
import wave
from typing import Protocol

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.clocks import SAMPLE_RATE

from .wire import ServiceAddress, ServiceError, post, refusal, usable

LONGEST = 4000
"""Characters of one turn: nobody says more in half a minute."""


class Transcriber(Protocol):
    """Somebody who writes down."""

    async def transcribe(self, samples: Samples) -> str:
        """The words in float32 [n] at 16 kHz, empty if there are none.

        Raises
        ------
        ServiceError, in one line, if that fails.
        """

    async def close(self) -> None:
        """Free what it holds."""


class RemoteTranscriber:
    """A service with OpenAI's interface, POST /v1/audio/transcriptions.

    Parameters
    ----------
    model : its name there
    key : empty for none
    seconds : that it may take
    """

    def __init__(self, address: ServiceAddress, model: str, key: str, seconds: float) -> None:
        self._address, self._model, self._key, self._seconds = address, model, key, seconds

    async def transcribe(self, samples: Samples) -> str:
        """See `Transcriber`."""
        boundary = uuid.uuid4().hex
        body = form(boundary, {"model": self._model, "response_format": "json"}, wav(samples))
        content = f"multipart/form-data; boundary={boundary}"
        async with post(self._address, content, body, self._key, self._seconds, self._seconds) as answer:
            if answer.status != 200:
                raise refusal(self._address, answer.status)
            said = await answer.body()
        try:
            text = json.loads(said)["text"]
            assert isinstance(text, str)
        except (ValueError, LookupError, TypeError, AssertionError, RecursionError):
            raise ServiceError(f"{self._address.name} gave no text. See {self._address.option}.", "no text") from None
        return " ".join(usable(text[:LONGEST]).split())

    async def close(self) -> None:
        """See `Transcriber`."""


def wav(samples: Samples) -> bytes:
    """float32 [n] at 16 kHz as a file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def form(boundary: str, fields: dict[str, str], file: bytes) -> bytes:
    """multipart/form-data of fields and one WAV file."""
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="speech.wav"\r\n'
    head += "Content-Type: audio/wav\r\n\r\n"
    return "".join([*parts, head]).encode() + file + f"\r\n--{boundary}--\r\n".encode()
