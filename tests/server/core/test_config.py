"""Settings: options, then the environment; what cannot work is one line."""

from __future__ import annotations

import dataclasses

import pytest
from speechhead_server.core.config import SECRETS, ServerSettings, from_environment

from speechhead.core.errors import ServerError, SpeechheadError


def test_settings_come_from_options_then_the_environment():
    environment = {"SPEECHHEAD_PORT": "9000", "SPEECHHEAD_TOKEN": "x", "SPEECHHEAD_UDP_PORTS": "50000-50010"}
    environment |= {"SPEECHHEAD_ORIGINS": "https://a.org, https://b.org"}
    settings = from_environment({"port": 1234, "host": None, "stun": ["stun:s:1"]}, environment)
    assert (settings.port, settings.token, settings.udp_ports) == (1234, "x", (50000, 50010))
    assert settings.origins == ("https://a.org", "https://b.org") and settings.stun == ("stun:s:1",)
    assert from_environment({}, {}) == ServerSettings()


@pytest.mark.parametrize(
    "options",
    [
        {"port": 70000},
        {"size": 333},
        {"stun": "example.org"},
        {"stun": "stun:"},
        {"stun": "stun:a b"},
        {"stun": "stun:host:99999"},
        {"stun": "turn:host:3478"},
        {"turn": "turn:host:port", "turn_secret": "s"},
        {"turn": "turn:x:1"},
        {"udp_ports": "9-3"},
        {"udp_ports": "many"},
        {"public_ip": "here"},
        {"rate": "0"},
        {"max_sessions": 0},
    ],
)
def test_settings_that_can_not_work_are_refused_in_one_line(options):
    with pytest.raises(ValueError) as error:
        from_environment(options, {})
    assert "\n" not in str(error.value) and str(error.value)[-1] == "."


@pytest.mark.parametrize(
    ("origin", "remedy"),
    [
        ("foo", "Write https://example.org"),
        ("https://", "Write https://example.org"),
        ("null", "Write https://example.org"),
        ("https://a.org\n", "Write https://example.org"),
        ("https://a.org:port", "Write https://example.org"),
        ("https://a.org/", "Write https://a.org."),
        ("https://A.org:443/page?x=1", "Write https://a.org."),
        ("http://[::1]:80", "Write http://[::1]."),
    ],
)
def test_an_origin_is_one_that_browsers_send(origin, remedy):
    with pytest.raises(ServerError) as caught:
        ServerSettings(origins=(origin,))
    assert remedy in str(caught.value) and "\n" not in str(caught.value)
    ServerSettings(origins=("*", "https://a.org", "http://localhost:5173", "http://[::1]:81", "chrome-extension://ab"))


@pytest.mark.parametrize("name", [*SECRETS, "turn_user"])
def test_a_secret_that_no_header_carries_is_refused_and_not_shown(name):
    for wrong in ("hush\nmore", "hush\n", "hu sh", "hüsh", "hush\0"):
        with pytest.raises(ServerError) as caught:
            from_environment({}, {f"SPEECHHEAD_{name.upper()}": wrong})
        line = str(caught.value)
        assert line.startswith(name.replace("_", " ")) and "visible ASCII" in line and "hush" not in line, line
        assert "\n" not in line


def test_what_stands_in_a_header_is_quoted_there():
    settings = ServerSettings(turn=("turn:t:2",), turn_user='a"b', turn_password="c\\d")
    assert settings.ice_links == [
        r'<turn:t:2>; rel="ice-server"; username="a\"b"; credential="c\\d"; credential-type="password"'
    ]


def test_turn_is_given_to_both_ends():
    settings = ServerSettings(stun=("stun:s:1",), turn=("turn:t:2",), turn_user="u", turn_password="p")
    assert settings.ice_servers == [{"urls": ["stun:s:1"]}, {"urls": ["turn:t:2"], "username": "u", "credential": "p"}]


NUMBERS = [field.name for field in dataclasses.fields(ServerSettings) if str(field.type).startswith(("int", "float"))]


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_may_be_negative_endless_or_none(name):
    """Whatever setting comes: one without a range would let a server wait for ever, or not at all."""
    for value in ("-1", "nan", "inf", "-inf", "much", "1e999"):
        with pytest.raises(SpeechheadError) as caught:
            from_environment({}, {f"SPEECHHEAD_{name.upper()}": value})
        assert name.replace("_", " ") in str(caught.value).replace("_", " "), value
        assert "\n" not in str(caught.value)
    assert "idle_timeout" in NUMBERS and len(NUMBERS) > 30
