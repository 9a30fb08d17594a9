"""Tickets end, and end with the token that signed them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

pytest.importorskip("jwt")

import jwt
from speechhead_server.core.tickets import Ticket

TOKEN = "operator"


@pytest.mark.parametrize(
    "said", [{"sessions": 3, "session_seconds": 90.0, "offline": True}, {"session": "0123456789abcdef"}]
)
def test_a_ticket_comes_back_as_it_was(said):
    ticket = Ticket(time.time() + 600, **said)
    back = Ticket.opened(ticket.sealed(TOKEN), TOKEN)
    assert back == replace(ticket, expires=float(int(ticket.expires)))
    assert 500 < back.left <= 600


def test_its_time_is_over_once():
    with pytest.raises(LookupError):
        Ticket.opened(Ticket(time.time() - 1).sealed(TOKEN), TOKEN)


def test_another_token_or_none_signs_nothing():
    good = Ticket(time.time() + 60).sealed(TOKEN)
    head, body, seal = good.split(".")
    unsigned = jwt.encode({"exp": time.time() + 60, "jti": "x"}, "", "none")
    # What is signed with the token itself and not with the key made of it was signed by somebody else.
    plain = jwt.encode({"exp": time.time() + 60, "jti": "x"}, TOKEN * 8, "HS256")
    for text in (f"{head}.{body[:-2]}AA.{seal}", good + "x", unsigned, plain, "", "a.b.c", "öäü"):
        with pytest.raises(ValueError):
            Ticket.opened(text, TOKEN)
    with pytest.raises(ValueError):
        Ticket.opened(good, "another")
