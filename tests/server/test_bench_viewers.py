"""The bench's simulated viewers: what they count of each mode."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("aiortc")
pytest.importorskip("httpx")

from support.live import play

from server.bench_viewers import core_seconds, viewers


@pytest.mark.parametrize("mode", ["motion", "sound"])
def test_viewers_are_counted(mode):
    async def scenario(client, server):
        found = await viewers(str(client.base_url), os.getpid(), 2, mode, 1.0)
        assert (
            found["got"] == [mode] and found["cores"] > 0 and found["audio_kbit_s"] > 5 and found["video_kbit_s"] == 0
        )
        assert (found["motion_kbit_s"] > 5) == (mode == "motion")
        assert len(server.sessions) == 0

    play(scenario)


def test_time_of_this_process():
    assert core_seconds(os.getpid()) > 0.1 and core_seconds(2**30) == 0
