"""Files of a training run: its folder, which is one run's alone, and states from which it goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

from .config import ConfigError

RESUME = "resume.pt"
"""State of a run, in its folder."""

LOCK = ".training"
"""File that a run holds in its folder as long as it lives."""


@contextmanager
def claimed(folder: Path, name: str = "") -> Iterator[Path]:
    """A run's folder, made where it is not there; another run is refused as long as this one lives.

    Parameters
    ----------
    name : of the run, where one folder holds several

    Raises
    ------
    ConfigError if another run writes there, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (f"{LOCK}.{name}" if name else LOCK)
        lock = path.open("a")
    except OSError as error:
        raise _unwritable(folder, error) from error
    with lock:
        try:
            _hold(lock.fileno())
        except OSError:
            raise ConfigError(f"{folder}: another training writes here. Wait for it, or give another folder.") from None
        try:
            yield folder
        finally:
            with suppress(OSError):
                path.unlink()


def _hold(file: int) -> None:
    """Lock a file until its process ends, however it ends; OSError if another one holds it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state with torch; an older one stands until the new one is whole.

    Raises
    ------
    ConfigError if there is no room for it, or nothing can be written there.
    """
    _written(path, lambda part: torch.save(state, part))


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write weights as safetensors, in the same way; raises as `write_state`."""
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    _written(path, lambda part: part.write_bytes(save(whole, metadata)))  # safetensors' own files are private


def _written(path: Path, write: Callable[[Path], object]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        part.replace(path)
    except (OSError, RuntimeError, SafetensorError) as error:  # writers of tensors have errors of their own
        raise _unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _unwritable(path: Path, error: Exception) -> ConfigError:
    reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:100]
    return ConfigError(f"{path}: can not be written ({reason}). Make room there, or give another folder.")


@contextmanager
def going_on(path: Path, device: torch.device | str = "cpu") -> Iterator[dict[str, Any]]:
    """The state in a file; what does not fit into the run, while it is taken over in here, is an error of the file.

    Raises
    ------
    ConfigError if the file is no state, or one of another run.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"holds {type(state).__name__}")
    except Exception as error:  # the unpickler has exceptions of its own
        raise ConfigError(f"{path}: not the state of a training. Use the {RESUME} that this run wrote.") from error
    try:
        yield state
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:100]
        raise ConfigError(f"{path}: not a state of this run ({reason}). Use its own {RESUME}.") from error
