"""Keys and shapes of weights, compared with a family's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from speechhead.core.errors import WeightsError
from speechhead.generators.families.registry import build

if TYPE_CHECKING:
    from torch import Tensor

    State = dict[str, Tensor]


MISFITS = (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError, ArithmeticError)
"""What building a network raises when its config makes no sense."""


MOST_NUMBERS, MOST_TENSORS = 2**29, 5_000
"""Of a network's weights: four times the numbers and seven times the tensors of the largest published one."""


def skeleton(name: str, config: Any) -> State:
    """A family's keys and shapes, without the numbers.

    Raises
    ------
    WeightsError if no network, or only one of absurd size, can be built from the config.
    """
    try:
        with _outline():
            return build(name, config).state_dict()
    except WeightsError:
        raise
    except MISFITS as error:
        reason = " ".join(str(error).split())[:100]
        raise WeightsError(
            f"config: no {name} can be built from it ({reason}). Use the model's published yaml."
        ) from error


def _outline() -> AbstractContextManager[object]:
    """Within it, weights that are made have a shape and no numbers, and there is an end to them.

    Not torch's own device "meta" for all: sums and ranges there load torch's compiler, which takes seconds.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    makers = (torch.empty, torch.zeros, torch.ones)

    class Outline(TorchFunctionMode):
        """What makes weights makes them on "meta", and is counted; all else is as ever."""

        numbers = tensors = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func not in makers:
                return func(*args, **(kwargs or {}))
            made = func(*args, **{**(kwargs or {}), "device": "meta"})
            self.numbers, self.tensors = self.numbers + made.numel(), self.tensors + 1
            if self.numbers > MOST_NUMBERS or self.tensors > MOST_TENSORS:
                raise ValueError(f"more than {MOST_NUMBERS:.1e} numbers or {MOST_TENSORS} tensors")
            return made

    return Outline()


def compare(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], label: str, name: str) -> None:
    """Check every key and shape of weights against a family's.

    Raises
    ------
    WeightsError that counts what is missing, unexpected or of another shape, and names the first of each; also for
    tensors of an odd kind.
    """
    missing = [key for key in wanted if key not in state]
    extra = [key for key in state if key not in wanted]
    other = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    complaints = []
    if missing:
        complaints.append(f"{len(missing)} keys missing ({first_of(missing)})")
    if extra:
        complaints.append(f"{len(extra)} unexpected ({first_of(extra)})")
    if other:
        key = other[0]
        sizes = f"{key} is {_shape(state[key])}, not {_shape(wanted[key])}"
        complaints.append(f"{len(other)} of another shape ({sizes})")
    if complaints:
        found = ", ".join(complaints)
        raise WeightsError(f"{label}: does not fit {name}: {found}. Give its own yaml with --config, or another file.")
    refuse_odd({key: state[key] for key in wanted}, label)


def refuse_odd(state: Mapping[str, Tensor], label: str) -> None:
    """Refuse tensors that are no plain rows of numbers: sparse, quantised, complex or empty ones.

    Raises
    ------
    WeightsError that names the first of them, and says what it is.
    """
    import torch

    plain = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    for key, value in state.items():
        stored = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        fits = value.dtype in plain or not (value.is_floating_point() or value.is_complex())
        if not (stored and fits):
            kind = ", ".join(str(one).removeprefix("torch.") for one in (value.dtype, value.layout, value.device))
            raise WeightsError(
                f"{label}: {key} holds no plain numbers ({kind}). Save it dense, on the CPU, as float32 or float16."
            )


COUNTERS = "num_batches_tracked"
"""BatchNorm's counter of batches: torch before 0.4.1 stored none, and a running average does not need it."""


def with_counters(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> State:
    """Weights with BatchNorm's counters, zero where its statistics are there and its counter is not."""
    import torch

    absent = [key for key in wanted if key.endswith(COUNTERS) and key not in state]
    kept = [key for key in absent if key.removesuffix(COUNTERS) + "running_mean" in state]
    return {**state, **{key: torch.zeros((), dtype=torch.int64) for key in kept}}


def refuse_broken(state: Mapping[str, Tensor], label: str) -> None:
    """Refuse weights with a number that is none.

    Raises
    ------
    WeightsError that names the first tensor with one, and says how many of its numbers are.
    """
    import torch

    for key, value in state.items():
        if value.is_floating_point() and not (fine := torch.isfinite(value)).all():
            raise WeightsError(
                f"{label}: {key} has NaN or infinity in {int((~fine).sum())} of {value.numel()} numbers. The training"
                " diverged, or the file is damaged: use another checkpoint."
            )


def first_of(keys: Sequence[str], count: int = 2) -> str:
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"
