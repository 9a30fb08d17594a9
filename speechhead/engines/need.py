"""Where torch is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechhead.core.errors import DeviceError

if TYPE_CHECKING:
    pass


def need_torch(what: str) -> None:
    """DeviceError, with the remedy, where torch is not installed; `what` needs it."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise DeviceError(f"{what} needs torch, which is not installed. pip install 'speechhead[train]'.") from error
