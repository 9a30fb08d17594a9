"""Train the compact generator's Landmarks2Latents on tracked faces: 70 landmarks in, 478 keypoints out."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipelines.data.footage.shards import prepared_clips
from pipelines.train.config import ConfigError, read
from pipelines.train.run_files import RESUME, claimed, going_on, write_state, write_tensors
from pipelines.train.stopping import Stopping
from speechhead.core.arrays import Array
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_70, REFERENCE, TRIANGLES, from_mesh

CORNERS = (61, 291)
"""Mesh vertices of the mouth's outer corners."""


TELL = 500
"""Steps between two lines of the error, and two states that are written."""


@dataclass(frozen=True)
class LatentsTraining:
    """Sizes of the network and how it is trained; stored in the checkpoint."""

    data: str = "runs/data/train"
    output: str = "runs/landmarks2latents"
    hidden: int = 128
    basis: int = 64
    batch: int = 256
    steps: int = 6000
    learning_rate: float = 1e-3
    jitter: float = 0.004
    reach: float = 0.25
    """How far along the skin what the network misses of a landmark is made good, outer eye distances."""

    rounded: float = 0.3
    """Share of drivers from the tenth of a clip's frames that has the narrowest mouth."""

    seed: int = 0


def along_skin() -> NDArray[np.float64]:
    """Lengths [478, 478] of the shortest ways along the edges of the mesh, in outer eye distances; infinite where there
    is none. An opening is no way: lips and lids are as far from each other as around their corners."""
    ways = np.full((len(MESH_REFERENCE),) * 2, np.inf)
    np.fill_diagonal(ways, 0)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        here, there = TRIANGLES[:, a].astype(int), TRIANGLES[:, b].astype(int)
        ways[here, there] = ways[there, here] = np.linalg.norm(MESH_REFERENCE[here] - MESH_REFERENCE[there], axis=1)
    for through in range(len(ways)):  # Floyd and Warshall
        np.minimum(ways, ways[:, through : through + 1] + ways[through], out=ways)
    return ways


def spreading(reach: float) -> Array:
    """Weights [478, 70] by which what is missed of the landmarks is spread over the mesh, so that the places between
    landmarks go along with them: kernel interpolation with exp(-length / reach)."""
    kernel = np.exp(-along_skin() / reach)
    known = kernel[np.ix_(MESH_TO_70, MESH_TO_70)] + 1e-3 * np.eye(len(MESH_TO_70))
    return np.ascontiguousarray(np.linalg.solve(known, kernel[MESH_TO_70]).T, np.float32)


class LatentsNetwork(nn.Module):
    """raw = basis(linear(motion) + mlp(motion, shape) - mlp(0, shape)), and what it misses of the landmarks spread over
    their surroundings: zero motion gives exactly zero."""

    spread: Tensor
    landmarks: Tensor

    def __init__(self, config: LatentsTraining) -> None:
        super().__init__()
        self.linear = nn.Linear(210, config.basis, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(420, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.basis),
        )
        self.basis = nn.Linear(config.basis, 478 * 3, bias=False)
        nn.init.zeros_(self.mlp[4].get_parameter("weight"))
        self.register_buffer("spread", torch.from_numpy(spreading(config.reach)))
        self.register_buffer("landmarks", torch.from_numpy(MESH_TO_70.astype(np.int64)))

    def forward(self, motion: Tensor, shape: Tensor) -> Tensor:
        """Motion and shape [N, 210] (normalised units) to deltas [N, 478 * 3]."""
        bend = self.mlp(torch.cat([motion * 5, shape * 5], 1)) - self.mlp(
            torch.cat([torch.zeros_like(motion), shape * 5], 1)
        )
        raw = self.basis(self.linear(motion) + bend).reshape(-1, 478, 3)
        missed = motion.reshape(-1, 70, 3) - raw[:, self.landmarks]
        return (raw + torch.matmul(self.spread, missed)).reshape(-1, 478 * 3)


class LatentsLearner:
    """State of a run: the network, its optimiser, chance and the step.

    A run that stops at any step and goes on from its state ends in the same bits as one that does not stop.
    """

    def __init__(self, options: LatentsTraining, clips: list[Array]) -> None:
        torch.manual_seed(options.seed)
        self._options, self._clips = options, clips
        self._narrow = [narrowest(clip) for clip in clips]
        lengths = np.sqrt([len(clip) for clip in clips])
        self._chances = lengths / lengths.sum()
        self._random = np.random.default_rng(options.seed)
        self.network = LatentsNetwork(options)
        self._optimiser = torch.optim.Adam(self.network.parameters(), options.learning_rate)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimiser, options.steps)
        self.step = 0

    def learn(self) -> float:
        """One step; its error as a share of the motion."""
        motion, shape, wanted = self._batch()
        loss = (self.network(motion, shape) - wanted).abs().mean()
        if not torch.isfinite(loss):
            raise ConfigError(f"step {self.step}: the error is not finite. Lower learning_rate, or prepare data anew.")
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        self._schedule.step()
        self.step += 1
        return loss.item() / max(wanted.abs().mean().item(), 1e-12)

    def _batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Motion and shape [batch, 210], and the mesh's motion [batch, 478 * 3], of pairs of frames of one clip."""
        options, random, pairs = self._options, self._random, []
        for number in random.choice(len(self._clips), max(1, options.batch // 8), p=self._chances):
            rows = random.integers(0, len(self._clips[number]), (8, 2))
            rounded = random.random(8) < options.rounded
            rows[rounded, 1] = random.choice(self._narrow[number], int(rounded.sum()))
            pairs.append(self._clips[number][rows])
        pair = np.concatenate(pairs)  # [batch, 2, 478, 3]: source, driving
        source, driving = from_mesh(pair[:, 0]), from_mesh(pair[:, 1])
        motion = torch.from_numpy((driving - source).reshape(len(pair), -1))
        motion = motion + options.jitter * torch.randn_like(motion)  # tracked landmarks tremble
        shape = torch.from_numpy((source - REFERENCE).reshape(len(pair), -1).astype(np.float32))
        return motion, shape, torch.from_numpy((pair[:, 1] - pair[:, 0]).reshape(len(pair), -1))

    def save(self, folder: Path) -> None:
        """Write the weights, config inside, and all that the run needs to go on."""
        metadata = {"config": json.dumps(asdict(self._options)), "family": "compact", "kind": "landmarks2latents"}
        write_tensors(folder / "checkpoint.safetensors", self.network.state_dict(), metadata)
        state = {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "step": self.step,
            "chance": torch.get_rng_state(),
            "random": self._random.bit_generator.state,
        }
        write_state(folder / RESUME, state)

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote; ConfigError for anything else."""
        with going_on(path) as state:
            self.network.load_state_dict(state["network"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._schedule.load_state_dict(state["schedule"])
            self._random.bit_generator.state = state["random"]
            torch.set_rng_state(state["chance"])
            self.step = int(state["step"])


def main(config: Path, minutes: float | None = None, resume: Path | None = None) -> None:
    """Train to `steps` or for `minutes`, then write a checkpoint, the state of the run and the ONNX file."""
    options = read(LatentsTraining, config)
    clips = [clip.normalised for clip in prepared_clips(Path(options.data)) if len(clip.normalised)]
    if not clips:
        raise ConfigError(f"{options.data}: no clips here. Make them with pipelines.data.prepare.")
    with claimed(Path(options.output)) as output, Stopping() as stopping:
        learner = LatentsLearner(options, clips)
        if resume is not None:
            learner.restore(resume)
        began, errors = time.monotonic(), []
        late = False
        while learner.step < options.steps and not late:
            errors.append(learner.learn())
            late = bool(stopping) or (minutes is not None and time.monotonic() - began > 60 * minutes)
            if learner.step % TELL == 0:
                print(f"step {learner.step}: error {np.mean(errors[-TELL:]):.3f} of the motion", flush=True)
                learner.save(output)
        learner.save(output)
        export(learner.network, output / "landmarks2latents_compact.onnx")
        stopping.tell(output / RESUME)


def narrowest(clip: Array) -> NDArray[np.int64]:
    """Rows of a clip [T, 478, 3] in which the mouth is narrowest: a tenth of them."""
    width = np.linalg.norm(clip[:, CORNERS[1]] - clip[:, CORNERS[0]], axis=-1)
    return np.argsort(width)[: max(1, len(width) // 10)]


def export(network: LatentsNetwork, path: Path) -> None:
    """Write the ONNX file, batch size free."""
    network.eval()
    example = (torch.zeros(2, 210), torch.zeros(2, 210))
    torch.onnx.export(
        network,
        example,
        str(path),
        input_names=["motion", "shape"],
        output_names=["delta"],
        dynamo=False,
        dynamic_axes={name: {0: "n"} for name in ("motion", "shape", "delta")},
        opset_version=17,
    )
