"""Torch networks of the published generator families: found, opened, and put on a device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechhead.core.errors import DeviceError
from speechhead.core.options import check_device
from speechhead.media.image import Picture


def torch_device(device: str = "auto") -> torch.device:
    """The device for 'cpu', 'cuda' (also 'cuda:1'), or 'auto': cuda where there is one.

    Raises
    ------
    DeviceError if cuda is asked for and torch has none, or the name is unknown.
    """
    check_device(device)
    there = torch.cuda.is_available()
    if device.startswith("cuda"):
        if not there:
            raise DeviceError(
                f"device '{device}': torch finds no GPU here. pip install 'speechhead[gpu]' or --device cpu."
            )
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise DeviceError(
                f"device '{device}': not usable ({str(error).splitlines()[0][:80]}). Use cuda."
            ) from error
        return torch.device(device)
    return torch.device("cuda" if there and device == "auto" else "cpu")


def to_tensor(pictures: list[Picture], device: torch.device) -> Tensor:
    """Pictures uint8 [H, W, 3] of one size to float32 [B, 3, H, W] in 0..1."""
    stacked = torch.from_numpy(np.ascontiguousarray(np.stack(pictures)))
    if device.type == "cuda":  # from memory that stays where it is, the copy runs beside the work before it
        stacked = stacked.pin_memory()
    return stacked.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255


def to_pictures(images: Tensor) -> NDArray[np.uint8]:
    """Images [B, 3, H, W], in 0..1 or a little beyond, to uint8 [B, H, W, 3]."""
    return (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def use_threads(count: int) -> None:
    """Let each network of torch on the CPU use so many threads, in this process, from now on.

    Where frames are drawn in a thread for each core, threads of networks would wait for one another instead: on a
    machine in use, one picture took ten times as long.
    """
    torch.set_num_threads(count)
