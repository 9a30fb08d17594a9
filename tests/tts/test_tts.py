"""Voices: one form and loudness of speech, timed phonemes, streaming, and one clear line when an engine is missing."""

from __future__ import annotations

import io
import json
import threading
import time
import wave
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from speechhead import tts
from speechhead.core.errors import SpeechSynthesisError
from speechhead.tts import SILENCE, Phoneme, Speech, espeak, piper
from speechhead.tts.speech import concatenate, finish, phonemes_from


def check(speech: Speech) -> None:
    x = speech.samples
    assert x.dtype == np.float32 and x.ndim == 1 and np.isfinite(x).all()
    assert 0.05 < np.abs(x).max() <= 0.951 and abs(x.mean()) < 1e-3
    ends = [(p.start_s, p.end_s) for p in speech.phonemes]
    assert all(a < b for a, b in ends) and all(abs(a[1] - b[0]) < 1e-6 for a, b in zip(ends, ends[1:], strict=False))
    assert not ends or ends[-1][1] == pytest.approx(speech.seconds, abs=0.01)


@pytest.mark.skipif(bool(piper.missing()), reason="piper-tts is not installed")
def test_piper_streams_with_phonemes() -> None:
    pieces = list(tts.open_voice("joe", threads=1).speak("Bob. Pam!"))
    assert [piece.text for piece in pieces] == ["Bob.", "Pam!"]
    for piece in pieces:
        check(piece)
    assert [p.symbol for p in pieces[0].phonemes if p.symbol != SILENCE] == ["b", "ɑ", "b"]
    again = tts.synthesize("Bob. Pam!", "joe")
    np.testing.assert_array_equal(again.samples, np.concatenate([piece.samples for piece in pieces]))


def pitch(samples: np.ndarray) -> float:
    """Median Hz of the loud frames of a sound at 16 kHz, by autocorrelation."""
    found = []
    for at in range(0, len(samples) - 800, 320):
        frame = samples[at : at + 800]
        if np.square(frame).mean() > 0.03**2:
            likeness = np.fft.irfft(np.abs(np.fft.rfft(frame - frame.mean(), 2048)) ** 2)[:267] / (800 - np.arange(267))
            lag = 53 + int(likeness[53:].argmax())
            found += [16000 / lag] if likeness[lag] > 0.6 * likeness[0] else []
    return float(np.median(found))


@pytest.mark.skipif(bool(piper.missing()), reason="piper-tts is not installed")
def test_jo_is_higher_than_joe_at_the_same_tempo() -> None:
    text = "Bob may move a yellow moon along the main road."
    joe, jo = (tts.synthesize(text, tts.open_voice(name, threads=1)) for name in ("joe", "jo"))
    check(jo)
    assert [p.symbol for p in jo.phonemes] == [p.symbol for p in joe.phonemes]
    assert jo.seconds == pytest.approx(joe.seconds, rel=0.15)
    assert 1.4 < pitch(jo.samples) / pitch(joe.samples) < 2 and 130 < pitch(jo.samples) < 180
    assert {v.name: v.gender for v in tts.voices()}["jo"] == "female"


def test_formants_move_and_pitch_stays() -> None:
    rate = 22050
    time, harmonics = np.arange(rate) / rate, 90 * np.arange(1, 80)
    loudness = np.exp(-(((harmonics - 1500) / 400) ** 2)) + 0.01  # one formant, at 1500 Hz
    voice = (0.05 * loudness @ np.sin(2 * np.pi * harmonics[:, None] * time)).astype(np.float32)
    moved = piper.move_formants(voice, 0.7)
    assert moved.dtype == np.float32 and moved.shape == voice.shape
    np.testing.assert_allclose(piper.move_formants(voice, 1.0), voice, atol=1e-4)
    spectrum = np.abs(np.fft.rfft(moved))  # bins of 1 Hz
    assert spectrum[harmonics].sum() > 0.95 * spectrum[harmonics[:, None] + np.array([-20, 0, 20])].sum()
    assert abs(int(spectrum.argmax()) - 1050) <= 90


@pytest.mark.skipif(not espeak.program(), reason="espeak-ng is not installed")
def test_espeak() -> None:
    check(tts.synthesize("Hello there.", "espeak"))
    check(tts.synthesize("Guten Tag.", "espeak:de"))
    with pytest.raises(SpeechSynthesisError, match="espeak-ng"):
        tts.synthesize("Hello", "espeak:nonsense")


def test_missing_engines_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name in ("SPEECHHEAD_TTS_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("joe", "jo", "af_heart", "espeak", "http", "nobody", "no/such.onnx"):
        with pytest.raises(SpeechSynthesisError) as caught:
            tts.open_voice(name)
        assert "\n" not in str(caught.value) and name in str(caught.value)
    assert not any(voice.available for voice in tts.voices())
    with pytest.raises(SpeechSynthesisError):
        tts.voice_for("female")


def test_damaged_piper_voice(tmp_path: Path) -> None:
    if piper.missing():
        pytest.skip("piper-tts is not installed")
    (tmp_path / "v.onnx").write_bytes(b"nonsense")
    (tmp_path / "v.onnx.json").write_text("{}")
    with pytest.raises(SpeechSynthesisError, match="not a readable Piper voice"):
        tts.open_voice(str(tmp_path / "v.onnx"))


class Service(BaseHTTPRequestHandler):
    """Answers any text with a tone of 0.1 s per word, 24 kHz; "fail" with an error, "junk" with no sound."""

    seen: list[dict[str, object]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Service.seen.append({**body, "path": self.path, "key": self.headers.get("Authorization")})
        if "fail" in body["input"]:
            self.send_error(401, "bad key")
            return
        count = 2400 * len(body["input"].split())
        tone = (12000 * np.sin(2 * np.pi * 300 * np.arange(count) / 24000)).astype("<i2")
        sound = io.BytesIO()
        with wave.open(sound, "wb") as out:
            out.setparams((1, 2, 24000, 0, "NONE", ""))
            out.writeframes(tone.tobytes())
        data = b"junk" * 50 if "junk" in body["input"] else sound.getvalue()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("SPEECHHEAD_TTS_URL", raising=False)
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Service.seen.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_http_service(service: str) -> None:
    speech = tts.synthesize("One two three. Four five.", "http:nova")
    check(speech)
    assert speech.seconds == pytest.approx(0.5 + 0.35, abs=0.1)
    assert [seen["input"] for seen in Service.seen] == ["One two three.", "Four five."]
    asked = Service.seen[0]
    assert (asked["path"], asked["voice"], asked["key"]) == ("/v1/audio/speech", "nova", "Bearer secret-key")


def test_the_next_sentence_is_asked_for_while_one_is_heard(service: str) -> None:
    spoken = tts.open_voice("http:nova").speak("One. Two. Three.")
    assert next(spoken).text == "One."
    end = time.monotonic() + 10
    while len(Service.seen) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert [seen["input"] for seen in Service.seen] == ["One.", "Two."]  # and no more than one
    spoken.close()  # type: ignore[attr-defined]
    assert len(Service.seen) == 2


@pytest.mark.parametrize(("text", "words"), [("please fail", "401"), ("junk", "not sound")])
def test_http_errors_are_one_line_without_the_key(service: str, text: str, words: str) -> None:
    with pytest.raises(SpeechSynthesisError, match=words) as caught:
        tts.synthesize(text, "http")
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_http_service_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHHEAD_TTS_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(SpeechSynthesisError, match="no answer"):
        tts.synthesize("Hello", "http")


def test_finish_trims_levels_and_keeps_time() -> None:
    rate = 22050
    tone = 0.02 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)
    raw = np.concatenate([np.zeros(rate), tone, np.zeros(rate)]).astype(np.float32) + 0.01
    speech = finish(raw, rate, "x", 0.25, [Phoneme(SILENCE, 0, 1), Phoneme("a", 1, 2), Phoneme(SILENCE, 2, 3)])
    check(speech)
    assert speech.seconds == pytest.approx(1.0 + 0.04 + 0.10 + 0.25, abs=0.03)
    voiced = next(p for p in speech.phonemes if p.symbol == "a")
    heard = np.flatnonzero(np.abs(speech.samples) > 0.02)
    assert voiced.start_s == pytest.approx(heard[0] / 16000, abs=0.01)
    assert voiced.end_s == pytest.approx(heard[-1] / 16000, abs=0.01)
    both = concatenate([speech, speech])
    assert both.phonemes[-1].end_s == pytest.approx(2 * speech.seconds, abs=0.01)
    with pytest.raises(SpeechSynthesisError, match="no sound"):
        finish(np.zeros(100, np.float32), rate, "x", 0)


def test_marks_belong_to_their_sounds() -> None:
    tokens = [("^", 0.1), ("ˈ", 0.1), ("a", 0.1), ("ː", 0.1), (" ", 0.1), ("b", 0.1), (".", 0.1), ("$", 0.1)]
    assert [(p.symbol, round(p.start_s, 2), round(p.end_s, 2)) for p in phonemes_from(tokens)] == [
        (SILENCE, 0.0, 0.1),
        ("a", 0.1, 0.45),
        ("b", 0.45, 0.6),
        (SILENCE, 0.6, 0.8),
    ]


@pytest.mark.skipif(bool(piper.missing()), reason="piper-tts is not installed")
def test_one_caller_at_a_time_is_in_the_library_behind_the_phonemiser(monkeypatch: pytest.MonkeyPatch) -> None:
    voice, seen = piper.PiperVoice(), []

    def phonemize(text: str) -> list[list[str]]:
        seen.append(espeak.LOCK.locked())
        return [list("hi")]

    monkeypatch.setattr(voice._voice, "phonemize", phonemize)
    assert list(voice.speak("Hi.")) and seen == [True] and not espeak.LOCK.locked()
