"""Results on their way from a device to the host, while the device computes the next ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Bytes = NDArray[np.uint8]


def sent(made: Tensor) -> Callable[[], Bytes]:
    """Begin to bring a result to the host; what comes back waits until it is there.

    From a GPU it is copied into memory that the system does not move, which alone is copied while the GPU goes on; an
    event tells when it has come. What is on the CPU is there already.
    """
    if made.device.type == "cpu":
        return lambda: np.asarray(made.numpy())
    host, event = _pinned(made), _event()
    host.copy_(made, non_blocking=True)
    event.record(torch.cuda.current_stream(made.device))

    def wait() -> Bytes:
        event.synchronize()
        return np.asarray(host.numpy())

    return wait


def arrived(results: Iterable[Tensor]) -> Iterator[Bytes]:
    """Results on the host in their order, each copied while the next one is computed: two are on their way at most."""
    waiting = None
    for made in results:
        now = sent(made)
        if waiting is not None:
            yield waiting()
        waiting = now
    if waiting is not None:
        yield waiting()


def _pinned(like: Tensor) -> Tensor:
    """Page-locked memory; torch keeps what is let go for the next one."""
    return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)


def _event() -> Any:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]
