"""The manifest of the shipped weights is in step with the files and their cards."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from pipelines.make import manifest
from speechhead.core import weights
from speechhead.core.errors import WeightsError

CARD = "---\nfiles: [a.onnx]\nlicence: MIT\ntraining_data: none\ndescription: a file\n---\n# A\n"


def done(*words: str) -> int:
    return CliRunner().invoke(manifest.app, list(words)).exit_code


def test_manifest_is_in_step():
    if not manifest.WEIGHTS.is_dir():
        pytest.skip("installed without the source tree")
    assert done("--check") == 0, "run `python -m pipelines.make.manifest` after changing weights or cards"


def test_shipped_weights_are_intact():
    assert set(weights.verify().values()) == {"ok"}


def test_total_size_stays_small():
    assert sum(weights.path(name).stat().st_size for name in weights.manifest()) < 16 * 2**20


def test_writes_and_notices_changes(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"abc")
    (tmp_path / "a.md").write_text(CARD)
    assert done("--folder", str(tmp_path)) == 0
    assert done("--folder", str(tmp_path), "--check") == 0
    (tmp_path / "a.onnx").write_bytes(b"abd")
    assert done("--folder", str(tmp_path), "--check") == 1


def test_every_file_needs_a_card_and_every_card_its_file(tmp_path):
    (tmp_path / "a.md").write_text(CARD)
    with pytest.raises(WeightsError, match=r"a\.onnx, which is not in"):
        manifest.build(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"abc")
    (tmp_path / "b.onnx").write_bytes(b"abc")
    with pytest.raises(WeightsError, match=r"no model card names b\.onnx"):
        manifest.build(tmp_path)


def test_a_card_without_front_matter_says_what_to_add(tmp_path):
    (tmp_path / "a.md").write_text("# A\n")
    with pytest.raises(WeightsError, match="no front matter"):
        manifest.build(tmp_path)
