"""A file of arrays that is damaged, or another one's, is one line with its path and the remedy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from speechhead.core import weights
from speechhead.core.errors import WeightsError
from speechhead.face import covered
from speechhead.generators.compact.head import HeadModel
from speechhead.generators.compact.rest_plate import RestPlates
from speechhead.generators.compact.teeth import Teeth
from speechhead.motion import bank

READERS: dict[str, Callable[[], object]] = {
    "life.npz": bank.bank.__wrapped__,
    "teeth.npz": Teeth,
    "head.npz": HeadModel,
    "rest_plate.npz": RestPlates,
    "mouth_cover.npz": covered._network.__wrapped__,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("how", ["cut", "empty", "another", "array"])
def test_bad_arrays_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str) -> None:
    whole = weights.path(name).read_bytes()
    shutil.copy(weights.path("teeth.npz" if name != "teeth.npz" else "life.npz"), tmp_path / "other")
    array = b"\x93NUMPY\x01\x00"
    content = {"cut": whole[: len(whole) // 2], "empty": b"", "array": array}
    (tmp_path / name).write_bytes(content.get(how, (tmp_path / "other").read_bytes()))
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    with pytest.raises(WeightsError) as caught:
        READERS[name]()
    assert str(caught.value) == f"{tmp_path / name}: damaged. Run `speechhead weights verify`."


def test_arrays_of_the_package_have_another_remedy(tmp_path: Path) -> None:
    (tmp_path / "rest.npz").write_bytes(b"no zip")
    said = r"rest\.npz: damaged\. Reinstall speechhead\.$"
    with pytest.raises(WeightsError, match=said), weights.arrays(tmp_path / "rest.npz") as stored:
        dict(stored)


def test_a_lack_of_memory_is_not_told_as_damage(tmp_path, monkeypatch):
    def full(*given, **more):
        raise OSError("Cannot allocate memory (os error 12)")

    file = tmp_path / "a.safetensors"
    file.write_bytes(b"any")
    monkeypatch.setattr("safetensors.safe_open", full)
    with pytest.raises(WeightsError, match="not enough memory to read it"):
        weights.read_metadata(file)
