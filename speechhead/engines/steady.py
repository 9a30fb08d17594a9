"""A function of tensors that is run over and over for few shapes: as it is, compiled, traced, or as CUDA graphs."""

from __future__ import annotations

import logging
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from speechhead.core.errors import SpeechheadError

from .running import Running, ran_out

log = logging.getLogger("speechhead")

Parts = dict[str, Tensor]
Function = Callable[[Parts], Tensor]

SIZES = (1, 2, 4, 8, 16, 32)
"""Batches that a graph is made for: one of another size is filled up with its last frame."""

MOST = 8
"""Graphs that are kept, the ones used last."""

WARM = 3
"""Runs before a graph is captured: libraries choose their kernels and reserve memory in them."""


class Recorder(Protocol):
    """What makes a graph of the launches of a function."""

    def __call__(self, run: Callable[[], Tensor], device: torch.device) -> tuple[Callable[[], None], Tensor]:
        """How to launch them again, and the tensor into which they write."""


def record_cuda(run: Callable[[], Tensor], device: torch.device) -> tuple[Callable[[], None], Tensor]:
    """A CUDA graph of a function of tensors that stay where they are; other threads may use the GPU meanwhile."""
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(WARM):
            run()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
        made = run()
    return graph.replay, made


def traced(function: Function, parts: Parts) -> Function:
    """What a function did to tensors, to be done again to others of these shapes: the same bits, without Python."""
    names = list(parts)
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of shapes in Python's hands, which are those of these tensors
        own = tuple(value.clone() for value in parts.values())
        trace: Any = torch.jit.trace
        run = trace(lambda *given: function(dict(zip(names, given))), own, check_trace=False)

    as_it_is: Any = vars(torch.jit)["optimized_execution"]  # no fusing, whose bits would be others

    def again(parts: Parts) -> Tensor:
        with torch.inference_mode(), as_it_is(False):
            made: Tensor = run(*(parts[name] for name in names))
        return made

    return again


@dataclass(frozen=True)
class _Recorded:
    """A graph: the tensors that it reads, how it is launched, and what it writes."""

    inputs: Parts
    replay: Callable[[], None]
    output: Tensor


class Steady:
    """A function that is run as `running.graph` says.

    A graph that can not be made never ends a rendering: one warning, and the function runs as it is from then on.

    Parameters
    ----------
    function : of tensors [B, ...], or [1, ...] for all of a batch, to [B, ...]
    name : of what is run, for the warning
    recorder, backend : of graphs and of torch.compile; others in tests
    """

    def __init__(
        self,
        function: Function,
        running: Running,
        name: str,
        recorder: Recorder = record_cuda,
        backend: str | Callable[..., Any] = "inductor",
    ) -> None:
        self._function, self._name, self._recorder, self._backend = function, name, recorder, backend
        self.graph, self._device = running.graph, running.device
        self._compiled: Function | None = None
        self._recorded: OrderedDict[tuple[object, ...], _Recorded] = OrderedDict()
        self._traced: OrderedDict[tuple[object, ...], Function] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, parts: Parts, count: int) -> Tensor:
        """The function's result [B, ...] for a batch of `count`; a graph writes the next one into the same memory."""
        if self.graph == "none":
            return self._function(parts)
        if self.graph == "trace":
            return self._traced_for(parts)(parts)
        size = next((size for size in SIZES if size >= count), count)
        filled = _filled(parts, count, size)
        try:
            return (self._run_compiled(filled) if self.graph == "compile" else self._replay(filled))[:count]
        except Exception as error:
            if ran_out(error) or isinstance(error, SpeechheadError):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        _note(f"{self._name}: graph '{self.graph}' can not be made ({reason}); it runs without.")
        self.graph = "none"
        self.free()
        return self._function(parts)

    def free(self) -> None:
        """Let go of all graphs."""
        self._recorded.clear()
        self._traced.clear()
        self._compiled = None

    def _run_compiled(self, parts: Parts) -> Tensor:
        if self._compiled is None:
            self._compiled = torch.compile(self._function, backend=self._backend, dynamic=False)
        return self._compiled(parts)

    def _traced_for(self, parts: Parts) -> Function:
        """The trace for these shapes; where none can be made, which is no harm, the function itself."""
        key = _shapes(parts)
        with self._lock:  # several threads draw
            found = self._traced.get(key)
            if found is None:
                try:
                    found = traced(self._function, parts)
                except Exception as error:
                    if ran_out(error) or isinstance(error, SpeechheadError):
                        raise
                    log.debug("%s: can not be traced (%s).", self._name, str(error).splitlines()[0][:120])
                    found = self._function
                self._traced[key] = found
                while len(self._traced) > MOST:
                    self._traced.popitem(last=False)
            self._traced.move_to_end(key)
        return found

    def _replay(self, parts: Parts) -> Tensor:
        key = _shapes(parts)
        recorded = self._recorded.get(key)
        if recorded is None:
            with torch.inference_mode():
                inputs = {name: value.clone() for name, value in parts.items()}
            replay, output = self._recorder(lambda: self._function(inputs), self._device)
            recorded = self._recorded[key] = _Recorded(inputs, replay, output)
            while len(self._recorded) > MOST:
                self._recorded.popitem(last=False)
        self._recorded.move_to_end(key)
        with torch.inference_mode():
            for name, value in parts.items():
                recorded.inputs[name].copy_(value)
        recorded.replay()
        return recorded.output


def _shapes(parts: Parts) -> tuple[object, ...]:
    return tuple((name, tuple(value.shape), value.dtype) for name, value in sorted(parts.items()))


@cache
def _note(line: str) -> None:
    """Warn once, however many functions of a model fail alike."""
    log.warning("%s", line)


def _filled(parts: Parts, count: int, size: int) -> Parts:
    """A batch of `count` filled up to `size` frames with its last one; what is one for all stays so."""
    if size == count:
        return parts

    def fill(value: Tensor) -> Tensor:
        # A batch of one is spread over the others, which are one as well where count is.
        if len(value) != count or count == 1:
            return value
        return torch.cat([value, value[-1:].expand(size - count, *value.shape[1:])])

    return {name: fill(value) for name, value in parts.items()}
