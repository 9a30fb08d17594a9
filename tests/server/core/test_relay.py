"""Credentials of a TURN relay, as coturn checks them."""

from __future__ import annotations

import pytest
from speechhead_server.core.config import ServerSettings
from speechhead_server.core.relay import relay_credentials

from speechhead.core.errors import ServerError


def test_credentials_as_openssl_makes_them():
    # printf '1700003600:speechhead' | openssl dgst -sha1 -hmac north -binary | base64
    assert relay_credentials("north", 3600, now=1_700_000_000) == {
        "username": "1700003600:speechhead",
        "credential": "6E+YYM11qQ4HQeWolM5NoHVPpSY=",
    }


def test_a_server_makes_them_anew_for_whoever_asks(monkeypatch):
    settings = ServerSettings(turn=("turn:t:3478",), turn_secret="north", turn_seconds=600)
    monkeypatch.setattr("speechhead_server.core.relay.time.time", lambda: 1000.0)
    (first,) = settings.ice_servers
    monkeypatch.setattr("speechhead_server.core.relay.time.time", lambda: 2000.0)
    (second,) = settings.ice_servers
    assert (first["username"], second["username"]) == ("1600:speechhead", "2600:speechhead")
    assert first["credential"] != second["credential"] and "north" not in str(first)
    with pytest.raises(ServerError, match="--turn-secret-file"):
        ServerSettings(turn=("turn:t:3478",))
