"""The programs in examples/ run as they are, in another folder, and leave what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LEAVES = {"say_hello": "hello.mp4", "stream_frames": "last_frame.png", "compare_emotions": "emotions.png"}
MARKS = {"compare_emotions": pytest.mark.slow, "stream_frames": pytest.mark.slow}

APPS = {"gradio_app"}
"""Those that serve until they are ended, tried in test_gradio_app.py."""


def test_every_example_is_tried() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*LEAVES, *APPS}


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in LEAVES])
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    search = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / LEAVES[name]).stat().st_size > 1000
