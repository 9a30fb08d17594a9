"""Which language a text is in, and who speaks it."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from speechhead.tts import VoiceInfo, tongue

ABLE = [
    VoiceInfo("joe", "male", "en-US", ""),
    VoiceInfo("jo", "female", "en-US", ""),
    VoiceInfo("em_alex", "male", "es", "", rank=13),
    VoiceInfo("ef_dora", "female", "es", "", rank=13),
    VoiceInfo("http", "unknown", "mul", ""),
]


class Identifier:
    """Stands for py3langid's: what has an upside-down mark is Spanish, by far; and it is not sure of names."""

    nb_classes = ["en", "es"]

    @classmethod
    def from_model_file(cls, path: str) -> Identifier:
        return cls()

    def set_languages(self, languages: list[str] | None) -> None:
        self.languages = self.nb_classes if languages is None else languages

    def rank(self, text: str) -> list[tuple[str, float]]:
        lead = 30.0 if "¿" in text else 3.0
        return [(language, lead if language == "es" else 0.0) for language in self.languages]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module, in place of the real one."""
    module = ModuleType("py3langid.langid")
    module.LanguageIdentifier, module.MODEL_FILE = Identifier, ""  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "py3langid", ModuleType("py3langid"))
    monkeypatch.setitem(sys.modules, "py3langid.langid", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setattr(tongue, "_identifier", Identifier)


@pytest.mark.usefixtures("known")
def test_a_text_of_another_language_has_a_speaker_of_it_like_the_portraits() -> None:
    assert tongue.speaker_of("Buenos días, ¿cómo estás?", ("joe",), ABLE) == ("em_alex", "joe")
    assert tongue.speaker_of("Buenos días, ¿cómo estás?", ("af_none", "jo"), ABLE) == ("ef_dora", "af_none", "jo")


@pytest.mark.usefixtures("known")
def test_where_it_is_not_sure_the_portraits_voice_stays() -> None:
    assert tongue.speaker_of("Captain Grace Hopper", ("joe",), ABLE) == ("joe",)
    assert tongue.speaker_of("¿Qué tal?", ("joe",), ABLE) == ("joe",)  # too short
    assert tongue.speaker_of("Buenos días, ¿cómo estás?", ("joe",), ABLE[:2]) == ("joe",)  # nobody speaks it
    assert tongue.speaker_of("Buenos días, ¿cómo estás?", ("nobody",), ABLE) == ("nobody",)


def test_without_the_package_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert tongue.speaker_of("Buenos días, ¿cómo estás?", ("joe",), ABLE) == ("joe",)


def test_real_texts() -> None:
    pytest.importorskip(tongue.MODULE)
    texts = {
        "es": "Buenos días, ¿cómo estás?",
        "fr": "Bonjour tout le monde.",
        "it": "Ciao, come stai oggi?",
        "pt": "Bom dia, tudo bem com você?",
        "en": "My name is Pierre Dupont and I live in Paris.",
    }
    for language, text in texts.items():
        assert tongue.language_of(text, "en", texts) == language
    assert tongue.language_of("Good morning, Señor Garcia.", "en", texts) == "en"
    for own in ("cm", "un"):  # Cantonese and unknown: languages that the package does not know
        assert tongue.language_of("Good morning to all of you.", own, texts) == own
    assert tongue.language_of("Buenos días, ¿cómo estás?", "en", ("es", "un")) == "es"


def test_a_language_that_nobody_speaks_is_named(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip(tongue.MODULE)
    english = ("joe",)
    assert tongue.speaker_of("Guten Morgen, ich wohne in einer kleinen Stadt.", english, ABLE) == english
    assert "the text's language is 'de', which no voice here speaks: joe reads it as 'en'" in caplog.text
    caplog.clear()
    for text in ("Good morning, Señor Garcia.", "Hmm hmm hmm ah", "Lorem ipsum dolor sit amet", "Das ist"):
        tongue.speaker_of(text, english, ABLE)
    assert not caplog.records
