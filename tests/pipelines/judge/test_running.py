"""The table of ways to run a family: every way is drawn, measured, and compared with one frame after the other."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from support.small_families import SIZE, small  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from pipelines.judge.running import WAYS, app, compared  # noqa: E402
from speechhead.generators.checkpoints.stored import save_family  # noqa: E402
from speechhead.media.writer import VideoWriter  # noqa: E402


def test_every_way_is_told_beside_one_frame_after_the_other():
    pictures = list(np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8))
    lines = [line.strip("| ").split(" | ") for line in compared(small("fomm"), pictures, rounds=1)[2:]]
    assert [line[0] for line in lines] == [way.name for way in WAYS]
    assert lines[0][2:] == ["1.00", "0.00", "0", "0"]
    assert all(float(line[5]) <= 1 for line in lines[1:3]) and all(0 < float(line[3]) < 3 for line in lines[3:])


def test_the_command(tmp_path):
    path = save_family(small("fomm"), tmp_path / "fomm.safetensors")
    with VideoWriter(tmp_path / "a.mp4", 96, 64, 25, None) as writer:
        for level in range(17):
            writer.write(np.full((64, 96, 3), 5 * level, np.uint8))
    done = CliRunner().invoke(app, [str(path), str(tmp_path / "a.mp4"), "--frames", "2", "--rounds", "1"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("fomm, 64 px, 2 frames\n| way |")
