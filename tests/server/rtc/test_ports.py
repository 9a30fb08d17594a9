"""Ports for media."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("aiortc")

from speechhead_server.rtc.ports import use_ports


def test_media_ports_stay_in_their_range():
    first = 42_310

    async def bind():
        use_ports(asyncio.get_running_loop(), first, first + 2)
        made = []
        for _ in range(3):
            made.append(
                await asyncio.get_running_loop().create_datagram_endpoint(
                    asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
                )
            )
        ports = sorted(transport.get_extra_info("sockname")[1] for transport, _ in made)
        with pytest.raises(OSError, match="taken"):
            await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
            )
        for transport, _ in made:
            transport.close()
        return ports

    assert asyncio.run(bind()) == [first, first + 1, first + 2]
