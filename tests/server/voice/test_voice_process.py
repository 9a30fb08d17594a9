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


def test_pauses_and_numbers_reach_the_process():
    """A pause is a piece of silence; a voice that is opened by name is given words in its language."""
    from speechhead_server.voice.voice_process import speak

    from speechhead.tts import Speech
    from speechhead.tts.reading import ReadingVoice

    class Voice:
        name, language = "test", "mul"

        def speak(self, text):
            yield Speech(speech_like(0.1), [], text)

    found = list(speak(ReadingVoice(Voice()), 'Hello <break time="500ms"/> a &amp; b.'))
    assert [(head["text"], len(sound)) for head, sound in found] == [("Hello", 1600), ("", 8000), ("a & b.", 1600)]
    assert [head["piece"] for head, _ in found] == [0, 1, 2] and found[1][0]["words"] == []
    assert [head["piece"] for head, _ in speak(ReadingVoice(Voice()), "Hello [pause 1s] there", after=1)] == [2]
