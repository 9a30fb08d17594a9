"""The drawn portraits: the command draws what ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.make import illustration
from speechhead.avatar.named import shipped
from speechhead.media.image import load_image


@pytest.mark.slow
def test_what_is_drawn_ships(tmp_path: Path) -> None:
    done = CliRunner().invoke(illustration.app, [str(tmp_path)])
    assert done.exit_code == 0, done.output
    for name in illustration.SITTERS:
        drawn, kept = (load_image(path).astype(int) for path in (tmp_path / f"{name}.jpg", shipped()[name].path))
        assert np.abs(drawn - kept).mean() < 1


def test_a_curve_goes_through_its_points() -> None:
    points = illustration.points("100 200, 400 150, 500 600, 200 700")
    line = illustration.curve(points)
    far = np.linalg.norm(line[:, None] - np.array(points, np.float32), axis=2).min(0)
    assert far.max() < 1e-6
    mirrored = illustration.both(illustration.points("500 100, 700 300"))
    assert mirrored == [(0.5, 0.1), (0.7, 0.3), (1 - 0.7, 0.3)]
