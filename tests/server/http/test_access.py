"""Who counts as the operator of a server without a token: who is on this machine, whatever a request says of itself."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi")

from speechhead_server.core.config import ServerSettings
from speechhead_server.core.problems import Refused
from speechhead_server.http.access import Access


def caller(path, address, token="", **headers):
    settings = ServerSettings(host="0.0.0.0", token=token)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Access(settings, frozenset({"/"}), lambda *_: False).caller(path, b"", named, address)


@pytest.mark.parametrize("path", ["/admin/sessions", "/tickets", "/%61dmin/sessions"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]", "x.localhost", "203.0.113.9"])
@pytest.mark.parametrize("address", ["203.0.113.5", "192.168.1.7", "", "localhost.example.org", "::ffff:203.0.113.5"])
def test_a_stranger_does_not_become_operator_by_what_it_calls_the_server(path, host, address):
    with pytest.raises(Refused) as refused:
        caller(path, address, host=host)
    assert refused.value.status == 403
    assert not caller("/sessions", address, host=host).operator


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_who_is_on_this_machine_and_not_behind_a_proxy_is(address):
    assert caller("/admin/sessions", address, host="localhost:8080").operator
    for header in ("x_forwarded_for", "x_forwarded_host", "x_forwarded_proto", "forwarded", "x_real_ip", "via"):
        with pytest.raises(Refused):
            caller("/admin/sessions", address, host="localhost:8080", **{header: "203.0.113.5"})
    with pytest.raises(Refused):
        caller("/admin/sessions", address, host="avatar.example.org")


def test_with_a_token_it_alone_counts():
    with pytest.raises(Refused) as refused:
        caller("/admin/sessions", "127.0.0.1", token="secret", host="localhost")
    assert refused.value.status == 401
    assert caller("/admin/sessions", "203.0.113.5", token="secret", authorization="Bearer secret").operator
