"""What a machine can draw."""

from __future__ import annotations

import asyncio

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


@pytest.mark.parametrize("at_256, size", [(80.0, 256), (30.0, 256), (15.0, 96)])
def test_a_family_is_drawn_small_only_where_256_px_are_far_too_slow(portrait, at_256, size):
    from speechhead_server.live.studio import Studio
    from support.fakes import FakeGenerator, FakeSpeech

    class Family(FakeGenerator):
        native = 96

    studio = Studio(ServerSettings(workers=1), Family, FakeSpeech())
    speeds = {512: 5.0, 384: 10.0, 256: at_256, 96: 90.0}
    studio.measure = lambda staged, name=None: speeds[staged.size]
    studio.choose_sizes(Avatar.from_image(portrait))
    assert studio.size == size and 96 in studio.offer().sizes
    studio.close()


def test_a_machine_that_was_busy_at_the_start_is_measured_again_while_nobody_is_there(portrait):
    from types import SimpleNamespace

    from speechhead_server.live.growth import Growth
    from speechhead_server.live.studio import Studio
    from support.fakes import FakeGenerator, FakeSpeech

    studio, avatar = Studio(ServerSettings(workers=1), FakeGenerator, FakeSpeech()), Avatar.from_image(portrait)
    speeds = {512: 1.0, 384: 1.0, 256: 60.0}
    studio.measure = lambda staged, name=None: speeds[staged.size]
    studio.choose_sizes(avatar)
    staged = []

    async def stage(name, size):
        staged.append(size)

    async def scenario():
        growth = Growth(studio, SimpleNamespace(open_default=lambda: avatar, staged=stage), 0.0)
        await growth.look(False)
        speeds.update({256: 30.0})  # busier than at the start
        await growth.look(True)
        assert studio.size == 256 and studio.offer().sizes == [256] and studio.offer().speed[256] == 60
        speeds.update({512: 20.0, 384: 90.0})
        await growth.look(True)
        assert studio.size == 384 and studio.offer().sizes == [256, 384] and staged == [384]
        studio.measure = lambda staged, name=None: 1 / 0
        await growth.look(True)  # what fails leaves all as it was
        assert studio.size == 384 and studio.may_grow

    asyncio.run(scenario())
    studio.close()
