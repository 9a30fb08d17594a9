"""Where the server listens."""

from __future__ import annotations

import pytest

pytest.importorskip("aiortc")

from speechhead_server.http.serve import listen

from speechhead.core.errors import ServerError


def test_an_address_that_is_taken_is_one_clear_line():
    taken = listen("127.0.0.1", 0)
    with pytest.raises(ServerError, match="can not listen"):
        listen("127.0.0.1", taken.getsockname()[1])
    taken.close()
