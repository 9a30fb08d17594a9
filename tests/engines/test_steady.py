"""Graphs give what the function gives, for batches of any size, and one that can not be made never ends a rendering."""

from __future__ import annotations

import logging
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from speechhead.core.errors import DeviceError  # noqa: E402
from speechhead.engines import outlet, steady  # noqa: E402
from speechhead.engines.running import Running  # noqa: E402
from speechhead.engines.steady import Steady  # noqa: E402

CPU = torch.device("cpu")


def doubled(parts):
    """The rows and what is one for all of them."""
    return 2 * parts["rows"] + parts["one"]


def asked(count, one=3.0):
    return {"rows": torch.arange(float(count))[:, None], "one": torch.full((1, 1), one)}


def recorder(runs):
    """A graph as CUDA records it: the same memory is read and written at every launch."""

    def record(run, device):
        made = run()
        runs.append(tuple(made.shape))
        return (lambda: made.copy_(run())), made

    return record


def test_graphs_are_made_for_few_sizes_and_read_new_values():
    runs: list[tuple[int, ...]] = []
    graph = Steady(doubled, Running(CPU, graph="cuda"), "toy", recorder(runs))
    for count in (3, 4, 1, 3, 40):
        assert torch.equal(graph(asked(count, count), count), doubled(asked(count, count)))
    assert runs == [(4, 1), (1, 1), (40, 1)]  # three and four share a graph
    graph.free()
    assert torch.equal(graph(asked(2), 2), doubled(asked(2))) and runs[-1] == (2, 1)


def test_graphs_used_longest_ago_go():
    runs: list[tuple[int, ...]] = []
    graph = Steady(doubled, Running(CPU, graph="cuda"), "toy", recorder(runs))
    for count in (*range(40, 40 + steady.MOST + 1), 41, 40):
        graph(asked(count), count)
    assert [shape[0] for shape in runs] == [*range(40, 40 + steady.MOST + 1), 40]


def fails(*_):
    raise RuntimeError("no compiler here\nwith details")


@pytest.mark.parametrize("running", ["compile", "cuda"])
def test_what_can_not_be_made_is_said_once_and_runs_without(running, caplog):
    caplog.set_level(logging.WARNING, "speechhead")
    steady._note.cache_clear()
    for count in (2, 3):
        graph = Steady(doubled, Running(CPU, graph=running), "toy", fails, backend=fails)
        assert torch.equal(graph(asked(count), count), doubled(asked(count)))
        assert torch.equal(graph(asked(4), 4), doubled(asked(4)))
    assert len(caplog.messages) == 1 and graph.graph == "none"
    assert (
        caplog.messages[0].startswith(f"toy: graph '{running}' can not be made (") and "\n" not in caplog.text.strip()
    )


def test_torch_compile_gives_what_the_function_gives():
    calls = []

    def backend(module, _):
        calls.append(module)
        return module.forward

    graph = Steady(doubled, Running(CPU, graph="compile"), "toy", backend=backend)
    assert torch.equal(graph(asked(3), 3), doubled(asked(3))) and torch.equal(graph(asked(4), 4), doubled(asked(4)))
    assert len(calls) == 1 and graph.graph == "compile"


def test_errors_that_are_the_users_or_of_memory_are_not_swallowed():
    for error in (DeviceError("device is gone."), torch.OutOfMemoryError("none left")):

        def raises(_, error=error):
            raise error

        with pytest.raises(type(error)):
            Steady(raises, Running(CPU, graph="cuda"), "toy", recorder([]))(asked(2), 2)


def test_a_cuda_graph_is_warmed_up_and_captured(monkeypatch):
    """Without a GPU: what is launched, on which stream and in which order."""
    done: list[str] = []

    class Noted:
        def __init__(self, name="stream"):
            self.name = name

        def __enter__(self):
            done.append(f"in {self.name}")

        def __exit__(self, *_):
            done.append(f"out of {self.name}")

        def wait_stream(self, other):
            done.append(f"{self.name} waits")

    fake = types.SimpleNamespace(
        Stream=lambda device: Noted("side"),
        current_stream=lambda device: Noted("main"),
        stream=lambda side: side,
        CUDAGraph=lambda: types.SimpleNamespace(replay=lambda: done.append("replay")),
        graph=lambda graph, stream, capture_error_mode: Noted(f"capture on {stream.name}, {capture_error_mode}"),
    )
    monkeypatch.setattr(steady.torch, "cuda", fake)
    replay, made = steady.record_cuda(lambda: (done.append("run"), torch.zeros(1))[1], torch.device("cuda:1"))
    replay()
    warm = ["side waits", "in side", *["run"] * steady.WARM, "out of side", "main waits"]
    capture = "capture on side, thread_local"
    assert done == [*warm, f"in {capture}", "run", f"out of {capture}", "replay"] and made.shape == (1,)


def test_results_arrive_in_order_while_the_next_is_computed(monkeypatch):
    order = []

    def made():
        for number in range(3):
            order.append(f"computed {number}")
            yield torch.full((2,), number, dtype=torch.uint8)

    def fake_sent(result):
        number = int(result[0])
        order.append(f"sent {number}")
        return lambda: (order.append(f"taken {number}"), result.numpy())[1]

    assert [int(one[0]) for one in outlet.arrived(made())] == [0, 1, 2]
    order.clear()
    monkeypatch.setattr(outlet, "sent", fake_sent)
    assert [int(one[0]) for one in outlet.arrived(made())] == [0, 1, 2]
    assert order == ["computed 0", "sent 0", "computed 1", "sent 1", "taken 0", "computed 2", "sent 2", "taken 1",
                     "taken 2"]  # fmt: skip


def test_a_copy_from_a_gpu_is_waited_for_by_its_event(monkeypatch):
    done = []
    monkeypatch.setattr(outlet.torch.cuda, "current_stream", lambda device: f"stream of {device}")
    event = types.SimpleNamespace(record=done.append, synchronize=lambda: done.append("waited"))
    monkeypatch.setattr(outlet, "_event", lambda: event)
    monkeypatch.setattr(outlet, "_pinned", lambda like: torch.empty(like.shape, dtype=like.dtype))

    class OnGpu:
        device, shape, dtype = torch.device("cuda:1"), (3,), torch.uint8

        def __torch_function__(self, *_):
            raise AssertionError

    made = torch.tensor([1, 2, 3], dtype=torch.uint8)
    copied = torch.Tensor.copy_
    monkeypatch.setattr(
        torch.Tensor, "copy_", lambda self, other, non_blocking=False: copied(self, made if non_blocking else other)
    )
    wait = outlet.sent(OnGpu())
    assert done == ["stream of cuda:1"]
    np.testing.assert_array_equal(wait(), [1, 2, 3])
    assert done == ["stream of cuda:1", "waited"]
