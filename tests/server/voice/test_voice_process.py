"""The protocol between the voice process and the server."""

from __future__ import annotations

import struct

from support.fakes import speech_like


def test_the_voice_process_speaks_its_protocol(monkeypatch):
    """Heads and sounds as `Speaker` reads them, from a voice of our own."""
    import io

    from speechhead_server.voice import voice_process

    from speechhead.tts import Speech

    class Voice:
        name = "test"

        def speak(self, text):
            yield Speech(speech_like(0.1), [], text)

    out = io.BytesIO()
    turns = voice_process.Turns(out)
    head, samples = next(voice_process.speak(Voice(), "Hello there."))
    turns.write(dict(head), samples)
    data = out.getvalue()
    (size,) = struct.unpack("<I", data[:4])
    assert b'"Hello there."' in data[4 : 4 + size] and len(data) == 4 + size + 4 * 1600
