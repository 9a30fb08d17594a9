"""Freed pictures are used again: no page of theirs has to be fetched anew. No thread of numpy's or OpenCV's spins.

Nothing is kept in a user's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from speechhead.core.process import calm_blas, calm_opencv

PICTURES = """
import resource, sys
from speechhead.core.process import keep_freed_pictures
if not keep_freed_pictures():
    sys.exit(3)
import numpy as np
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.full((512, 512, 12), 1, np.float32)
before = faults()
for _ in range(20):
    np.full((512, 512, 12), 1, np.float32)
print(faults() - before)
"""


def test_a_picture_of_12_mb_costs_no_page_faults_the_second_time() -> None:
    found = subprocess.run([sys.executable, "-c", PICTURES], capture_output=True, text=True)
    if found.returncode == 3:
        pytest.skip("this system has no mallopt")
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) < 20 * 100  # of 20 * 3072 pages that 240 MB are


PRODUCTS = """
import os, sys
from pathlib import Path
import speechhead.cli.main
from speechhead.core.process import calm_blas
if not calm_blas():
    sys.exit("numpy is imported with the command line")
import numpy as np
for _ in range(20):
    np.ones((400, 400), np.float32) @ np.ones((400, 400), np.float32)
print(len(list(Path("/proc/self/task").iterdir())))
"""


def test_products_of_matrices_start_no_threads() -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("this system does not list threads")
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    found = subprocess.run([sys.executable, "-c", PRODUCTS], capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) == 1


def test_a_number_of_threads_that_was_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert not calm_blas()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


LOOPS = """
import sys
import speechhead.cli.main
from speechhead.core.process import calm_opencv
if not calm_opencv():
    sys.exit("cv2 is imported with the command line")
import cv2
print(cv2.getNumThreads())
"""


def test_loops_of_opencv_stay_on_their_thread() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_FOR_THREADS_NUM"}
    found = subprocess.run([sys.executable, "-c", LOOPS], capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) == 1


def test_a_number_of_opencv_s_threads_that_was_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENCV_FOR_THREADS_NUM", "2")
    assert not calm_opencv()
    assert os.environ["OPENCV_FOR_THREADS_NUM"] == "2"


def test_onnxruntime_keeps_no_number_in_the_home(tmp_path: Path) -> None:
    known = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    script = "import speechhead.engines.onnx, sys; sys.exit('onnxruntime' not in sys.modules)"
    subprocess.run([sys.executable, "-c", script], env={**known, "HOME": str(tmp_path)}, check=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
