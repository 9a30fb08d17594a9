"""Freed pictures are used again: no page of theirs has to be fetched anew."""

from __future__ import annotations

import subprocess
import sys

import pytest

PICTURES = """
import resource, sys
from speechhead.memory import keep_freed_pictures
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
