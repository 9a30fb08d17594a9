"""Settings: options, then the environment; what cannot work is one line."""

from __future__ import annotations

import dataclasses

import pytest
from speechhead_server.core.config import ServerSettings, from_environment

from speechhead.core.errors import SpeechheadError


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
