"""What all tests share: where the example clips are, and a picture of a face."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from support.paths import ROOT

# Tests are small: more threads than one only make them wait for each other on a shared machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Processes that tests start run this checkout too, whatever is installed and wherever they are started.
HOMES = [str(ROOT), str(ROOT / "server")]
os.environ["PYTHONPATH"] = os.pathsep.join([*HOMES, *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of example clips and parity fixtures beside the checkout; the test is skipped without it."""
    folder = Path(os.environ.get("SPEECHHEAD_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no example data at {folder}")
    return folder


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """The default portrait, uint8 [H, W, 3] RGB."""
    from PIL import Image

    with Image.open(ROOT / "speechhead" / "avatar" / "portraits" / "grace_hopper.jpg") as image:
        return np.asarray(image.convert("RGB"))
