"""What all tests share: where the example clips are, and a picture of a face."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.paths import ROOT

# Tests are small: more threads than one only make them wait for each other on a shared machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Processes that tests start run this checkout too, whatever is installed and wherever they are started.
HOMES = [str(ROOT), str(ROOT / "server")]
os.environ["PYTHONPATH"] = os.pathsep.join([*HOMES, *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="session", autouse=True)
def opened_once() -> Iterator[None]:
    """A process opens each shipped network once, whatever asks for it: sessions have no state, opening takes time."""
    from speechhead.engines import onnx

    opened, runtime = onnx._opened, vars(onnx)["ort"]
    kept: dict[Any, Any] = {}

    def once(path: Path, *asked: Any) -> Any:
        key = (path, repr(asked))
        if vars(onnx)["ort"] is not runtime or path.parent != ROOT / "weights":
            return opened(path, *asked)
        if key not in kept:
            kept[key] = opened(path, *asked)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx, "_opened", once)
        yield


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
