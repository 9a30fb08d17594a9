"""One or many processes: what `torchrun` sets up, and what must be the same in all of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from speechhead.core.errors import DeviceError

Network = TypeVar("Network", bound=nn.Module)
Value = TypeVar("Value")

PATIENCE = timedelta(days=7)
"""How long processes wait for each other while clips are read; the usual ten minutes are for steps."""


@dataclass(frozen=True)
class Workers:
    """This process among those that train together: number `rank` of `world`, on `device`.

    place, places : its number among those of this machine, and how many they are
    patient : group of all processes that wait as long as it takes, None where there is one process
    """

    rank: int
    world: int
    device: torch.device
    place: int = 0
    places: int = 1
    patient: Any = None

    @classmethod
    def join(cls, device: str = "auto") -> Workers:
        """As `torchrun` (RANK, WORLD_SIZE, LOCAL_RANK) has it, or alone. GPUs talk by NCCL, CPUs by gloo.

        Raises
        ------
        DeviceError for a device that is not there.
        """
        if device not in ("auto", "cpu", "cuda"):
            raise DeviceError(f"device '{device}' is unknown. Use auto, cpu or cuda.")
        if device == "cuda" and not torch.cuda.is_available():
            raise DeviceError("device 'cuda' is not available. Use device cpu, or install torch for your GPU.")
        cuda = device != "cpu" and torch.cuda.is_available()
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        own = int(os.environ.get("LOCAL_RANK", "0"))
        chip = torch.device("cuda", own) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(chip)
        if world == 1:
            return cls(rank, world, chip)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        patient = dist.new_group(backend="gloo", timeout=PATIENCE)
        return cls(rank, world, chip, own, int(os.environ.get("LOCAL_WORLD_SIZE", "1")), patient)

    @property
    def first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over processes; itself if there is one."""
        if self.world == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        # Buffers are shared after each step (`share_buffers`): in a pass they would overwrite what gradients need.
        return DistributedDataParallel(module, ids, broadcast_buffers=False, find_unused_parameters=True)

    def synchronised(self, module: Network) -> Network:
        """BatchNorm over all processes' batches (FOMM's SyncBN), where the device has it."""
        if self.world > 1 and self.device.type == "cuda":
            return cast(Network, nn.SyncBatchNorm.convert_sync_batchnorm(module))
        return module

    def share_buffers(self, module: nn.Module) -> None:
        """The first process's running means and singular vectors in every process."""
        if self.world > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, 0)

    def agree(self, value: bool) -> bool:
        """The first process's decision."""
        if self.world == 1:
            return value
        flag = torch.tensor([int(value)], device=self.device)
        dist.broadcast(flag, 0)
        return bool(flag.item())

    def gather(self, value: Value) -> list[Value]:
        """What every process has, once the last one has come here, however long that takes."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value, group=self.patient)
        return found

    def leave(self) -> None:
        """End of the common work."""
        if self.world > 1 and dist.is_initialized():
            dist.barrier()
            dist.destroy_process_group()
