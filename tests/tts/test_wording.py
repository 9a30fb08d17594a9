"""Numbers and signs as a reader says them, in the languages that voices speak; what is not known stays as it is."""

from __future__ import annotations

import pytest

from speechhead.tts import wording
from speechhead.tts.wording import in_words


@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        ("en-us", "We paid $5.20 for 3 kg.", "We paid five dollars and twenty cents for three kilograms."),
        ("en-us", "$1.5M, €3 million, £1,000",
         "one point five million dollars, three million euros, one thousand pounds"),
        ("en-us", "On 3/4/2024 at 5:30 pm", "On March fourth twenty twenty four at five thirty PM"),
        ("en-gb", "On 3/4/2024", "On April third twenty twenty four"),
        ("en-us", "Dr. Who vs. Mr. Lee, No. 5", "Doctor Who versus Mister Lee, number five"),
        ("en-us", "Baker St. near St. Paul", "Baker Street near Saint Paul"),
        ("en-us", "the U.S. president", "the U S president"),
        ("en-us", "the 21st of 100", "the twenty first of one hundred"),
        ("en-us", "20 °C, 60 km/h, 3.5%",
         "twenty degrees Celsius, sixty kilometers per hour, three point five percent"),
        ("en-us", "10:30-11:45, pages 3–5", "ten thirty to eleven forty five, pages three to five"),
        ("en-us", "+1 (555) 123-4567", "plus one five five five one two three four five six seven"),
        ("en-us", "24/7, #1", "twenty-four seven, number one"),
        ("en-us", "a < b, x<y, c -> d", "a less than b, x less than y, c -> d"),
        ("en-us", "See example.com now", "See example.com now"),
        ("de", "Am 3.5.2024 um 17:30 Uhr: 1.234,50 €, z.B. 5 kg.",
         "Am dritten Mai zweitausendvierundzwanzig um siebzehn Uhr dreißig: eintausendzweihundertvierunddreißig Euro "
         "fünfzig Cent, zum Beispiel fünf Kilogramm."),
        ("fr", "Le 1er mai à 17h30, 50 %", "Le premier mai à dix-sept heures trente, cinquante pour cent"),
        ("es", "Sr. López, 3,5 kg a las 17:30", "Señor López, tres coma cinco kilogramos a las diecisiete y treinta"),
        ("it", "Sig. Rossi, 50%, 5–7 km", "Signor Rossi, cinquanta percento, cinque a sette chilometri"),
        ("pt-br", "custa R$ 5,20 às 17:30", "custa cinco reais e vinte centavos às dezessete horas e trinta"),
        ("pt-br", "às 10h30, às 9h00, às 8h", "às dez horas e trinta, às nove horas, às oito horas"),
        ("en-us", "€3,50, or $1,234", "three euros and fifty cents, or one thousand two hundred thirty four dollars"),
        ("hi", "₹500 में", "500 रुपये में"),
    ],
)  # fmt: skip
def test_words(language: str, text: str, wanted: str) -> None:
    pytest.importorskip("spokenform")
    assert in_words(text, language) == wanted


@pytest.mark.parametrize("language", ["", "mul", "xx", "cmn"])
def test_unknown_languages_keep_their_signs(language: str) -> None:
    assert in_words("Dr. Müller kostet $5", language) == "Dr. Müller kostet $5"


def test_without_the_package_the_voice_reads_numbers(monkeypatch, caplog) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    wording._preparer.cache_clear()
    try:
        assert [in_words("It is 5 kg", "en-us") for _ in range(2)] == ["It is 5 kg"] * 2
        assert len(caplog.messages) == 1 and "pip install spokenform" in caplog.messages[0]
    finally:
        wording._preparer.cache_clear()


def test_a_failure_inside_the_package_leaves_the_text(monkeypatch) -> None:
    def fail(text, language):
        raise RuntimeError("a case not thought of")

    monkeypatch.setattr(wording, "_preparer", lambda: fail)
    assert in_words("It is 5 kg", "en-us") == "It is 5 kg"
