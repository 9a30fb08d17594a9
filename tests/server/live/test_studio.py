"""What a machine can draw."""

from __future__ import annotations

import pytest

pytest.importorskip("aiortc")

from speechhead_server.core.config import ServerSettings

from speechhead.avatar.portrait import Avatar


@pytest.mark.realtime
@pytest.mark.parametrize("milliseconds, size", [(1, 512), (4, 384), (40, 256)])
def test_the_server_chooses_the_largest_size_it_can_draw(milliseconds, size, portrait, monkeypatch):
    import time

    from speechhead_server.live.studio import Studio
    from support.fakes import FakeGenerator, FakeSpeech

    class Timed(FakeGenerator):
        def render(self, source, normalised, pose):
            time.sleep(milliseconds * (self.size / 256) ** 2 / 1000)
            return source

    studio = Studio(ServerSettings(workers=1), Timed, FakeSpeech())
    studio.choose_sizes(Avatar.from_image(portrait))
    assert studio.size == size
    assert studio.capacity >= 1
    studio.close()
