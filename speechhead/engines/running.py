"""How networks run on a device: their numbers, the order of their memory, graphs, and what is done when memory ends."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from speechhead.core.errors import DeviceError, DeviceMemoryError
from speechhead.core.options import GRAPHS, PRECISIONS

from .torch import torch_device

T = TypeVar("T")

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Formats of numbers by the names that users give them."""

AMPERE = (8, 0)
"""Compute capability from which a GPU multiplies bfloat16; older ones are quick in float16 alone."""

_FLAGS = threading.RLock()
"""Settings of cuDNN are the process's: one thread at a time changes them."""


@dataclass(frozen=True)
class Running:
    """How networks run.

    device : where
    dtype : of convolutions and matrix products; keypoints, poses, grids and losses stay float32
    channels_last : pictures lie in memory pixel by pixel, as tensor cores read them
    graph : 'none'; 'cuda', CUDA graphs, which spare the launch of every kernel; 'compile', torch.compile; 'trace', the
        kernels of a CPU one after the other without Python, whose threads wait for one another between any two
    finishes : pictures are pasted and turned to planes on the device, so that less of them travels
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    graph: str = "none"
    finishes: bool = False

    @classmethod
    def of(cls, device: str = "auto", precision: str = "auto", graph: str = "auto") -> Running:
        """What suits a device, where nothing else is asked.

        Parameters
        ----------
        device : 'auto', 'cpu', 'cuda', 'cuda:1'
        precision : 'fp32', 'bf16', 'fp16'; auto is the GPU's quickest, and fp32 on a CPU
        graph : 'none', 'compile'; auto is CUDA graphs on a GPU, and a trace on a CPU in float32

        Raises
        ------
        DeviceError for a device that is not there, and an unknown word.
        """
        place = torch_device(device)
        quick = place.type == "cuda"
        if precision not in PRECISIONS:
            raise DeviceError(f"precision '{precision}' is unknown. Choose {', '.join(PRECISIONS)}.")
        if graph not in GRAPHS:
            raise DeviceError(f"graph '{graph}' is unknown. Choose {', '.join(GRAPHS)}.")
        if precision == "auto":
            modern = quick and torch.cuda.get_device_capability(place) >= AMPERE
            precision = "fp32" if not quick else "bf16" if modern else "fp16"
        if graph == "auto":
            graph = "cuda" if quick else "trace" if precision == "fp32" else "none"
        channels_last = quick or precision != "fp32"  # measured by `python -m pipelines.judge.running`
        return cls(place, DTYPES[precision], channels_last, graph, quick)

    def __str__(self) -> str:
        """One line for a reader, as 'cuda:0, bf16, channels-last, CUDA graphs'."""
        names = {dtype: name for name, dtype in DTYPES.items()}
        order = ["channels-last"] if self.channels_last else []
        graphs = {"cuda": ["CUDA graphs"], "compile": ["torch.compile"], "trace": ["traced"]}.get(self.graph, [])
        return ", ".join([str(self.device), names[self.dtype], *order, *graphs])

    def place(self, model: nn.Module) -> None:
        """Move a model to the device, its convolutions in this order of memory; DeviceMemoryError without room."""
        within_memory(lambda: model.to(self.device), lambda: None, "the weights", self.device)
        if not self.channels_last:
            return
        orders = {4: torch.channels_last, 5: torch.channels_last_3d}
        for parameter in model.parameters():
            if parameter.dim() in orders:
                parameter.data = parameter.data.to(memory_format=orders[parameter.dim()])

    @contextmanager
    def exact(self) -> Iterator[None]:
        """Networks run in float32 in here, on a GPU without TensorFloat-32: what finds keypoints and poses."""
        with torch.inference_mode(), torch.autocast(self.device.type, enabled=False):
            if self.device.type != "cuda":
                yield
                return
            with _FLAGS, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                yield

    @contextmanager
    def quick(self) -> Iterator[None]:
        """Convolutions and matrix products run in `dtype` in here: what draws."""
        half = self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype if half else None, enabled=half):
            yield


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, on a GPU or for the CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def within_memory(step: Callable[[], T], free: Callable[[], None], what: str, device: torch.device) -> T:
    """The result of `step`; where memory ends everything that it held is freed, and a DeviceMemoryError says so.

    Parameters
    ----------
    free : lets go of what is kept beside it, such as buffers of graphs
    what : is being done, for the message
    """
    try:
        return step()
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
    # Outside of `except`: until here the error's traceback holds the tensors.
    free()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    other = ", or --device cpu" if device.type == "cuda" else ""
    raise DeviceMemoryError(
        f"device '{device}': no memory is left for {what}. Use a smaller --size or --batch, fewer sessions{other}."
    )
