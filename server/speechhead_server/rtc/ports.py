"""UDP ports for media from a range that a firewall or a container publishes."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any


def use_ports(loop: asyncio.AbstractEventLoop, first: int, last: int) -> None:
    """Let this event loop bind UDP sockets whose port is left open to `first`..`last`, in turn.

    aioice binds its sockets to port 0 and has no setting for it. A socket that finds the whole range taken raises
    OSError, which the offer that asked for it is answered with.
    """
    bind = loop.create_datagram_endpoint
    turn = itertools.cycle(range(first, last + 1))

    async def create(factory: Any, local_addr: Any = None, **options: Any) -> Any:
        if local_addr is None or local_addr[1] != 0:
            return await bind(factory, local_addr=local_addr, **options)
        refused: OSError | None = None
        for port in itertools.islice(turn, last - first + 1):
            try:
                return await bind(factory, local_addr=(local_addr[0], port), **options)
            except OSError as error:
                refused = error
        raise OSError(f"all UDP ports {first}-{last} are taken. Give a wider range.") from refused

    loop.create_datagram_endpoint = create  # type: ignore[method-assign, assignment]
