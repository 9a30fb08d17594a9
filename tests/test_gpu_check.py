"""The prepared script for a machine with a GPU: its parts here, and all of it, small and on the CPU, as a slow test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT

SCRIPT = ROOT / "scripts" / "gpu_check.sh"


def parts() -> Any:
    told = util.spec_from_file_location("gpu_check", ROOT / "scripts" / "gpu_check.py")
    assert told is not None and told.loader is not None
    module = util.module_from_spec(told)
    told.loader.exec_module(module)
    return module


def run(out: Path, steps: str, **more: str) -> subprocess.CompletedProcess[str]:
    given = {"OUT": str(out), "GPU_CHECK_STEPS": steps, "GPU_CHECK_DEVICE": "cpu", "GPU_CHECK_SHORT": "1", **more}
    environment = {**os.environ, "GPU_CHECK_PYTHON": sys.executable, **given}
    return subprocess.run(["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=1500)


def test_a_config_of_full_size_needs_nothing_but_clips(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from pipelines.train.families.config import FamilyTraining

    for name in ("face_vid2vid", "fomm", "fomm_small"):
        options = FamilyTraining.from_dict(json.loads(parts().config(name, "clips", str(tmp_path), "cpu")))
        assert options.perceptual == "pixels" and options.losses.pixels == 10 and options.clips == "clips"


def test_progress_is_told_from_the_log(tmp_path: Path) -> None:
    lines = [{"step": 5, "seconds": 10.0, "pixels": 2.0}, {"step": 25, "seconds": 14.0, "pixels": 1.0}]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    told = json.loads(parts().progress(str(tmp_path)))
    assert told["steps_per_second"] == 5.0 and told["last"]["pixels"] == 1.0
    (tmp_path / "log.jsonl").write_text(json.dumps(lines[0]))
    assert json.loads(parts().progress(str(tmp_path)))["steps_per_second"] == 0.5


def test_the_table_has_what_there_is_and_says_what_is_not(tmp_path: Path) -> None:
    page = parts().table(str(tmp_path), str(tmp_path))
    assert page.count("not measured") == 5 and "doctor said nothing" in page
    findings = {name: {"state": f"{name} well"} for name in ("gpus", "torch", "onnxruntime", "nvenc", "networks")}
    (tmp_path / "doctor.json").write_text(json.dumps(findings))
    arrays = [("a", 1e-4, 2.0), ("b", 1e-4, 1.0), ("c", None, None)]
    lines = [{"model": "m", "array": name, "max_abs_diff": far, "max_abs_ref": ref} for name, far, ref in arrays]
    (tmp_path / "parity.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "compact.md").write_text("<!-- bench -->\nspeed\n<!-- /bench -->\n")
    session = {"sessions": 4, "fps_least": 24.9, "fps_median": 25.0, "left_out": 1, "draw_ms": 1.5}
    (tmp_path / "serve.json").write_text(json.dumps({"sessions": [session]}))
    losses = {"first": {"step": 5, "seconds": 3.0, "pixels": 2.0}, "last": {"step": 9, "seconds": 5.0, "pixels": 1.0}}
    (tmp_path / "train.json").write_text(json.dumps({**losses, "steps_per_second": 2.0}))
    page = parts().table(str(tmp_path), str(tmp_path))
    assert "- torch: torch well" in page and "\nspeed\n" in page and "<!--" not in page
    assert "2 arrays, 1 missing; the largest difference is 1.0e-04 (b)" in page
    assert "| 4 | 24.9 | 25 | 1 | 1.5 |" in page and "2.0 a second; pixels 2 to 1" in page


def test_a_step_that_fails_hinders_no_other(tmp_path: Path) -> None:
    done = run(tmp_path, "install nothing_of_that_name install")
    assert done.returncode == 1 and done.stdout.count("as it is") == 2
    assert "failed: nothing_of_that_name" in done.stdout and "not measured" in (tmp_path / "table.md").read_text()


def test_a_step_may_be_left_out(tmp_path: Path) -> None:
    done = run(tmp_path, "parity", GPU_CHECK_FIXTURES=str(tmp_path / "absent"))
    assert done.returncode == 0 and "parity is left out" in done.stdout and "failed: none" in done.stdout


@pytest.mark.slow
def test_a_machine_without_a_network_is_given_wheels(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "little-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("little.py", "")
        wheel.writestr("little-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: little\nVersion: 1.0\n")
        wheel.writestr("little-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("little-1.0.dist-info/RECORD", "little.py,,\n")
    done = run(tmp_path / "out", "install", GPU_CHECK_PYTHON="", GPU_CHECK_WHEELS=str(wheels))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_every_line_runs_on_the_cpu(tmp_path: Path, shared: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("aiortc")
    steps = "install doctor parity bench families serve train"
    done = run(tmp_path, steps, GPU_CHECK_FIXTURES=str(shared / "parity" / "fomm"))
    assert done.returncode == 0, done.stdout[-3000:]
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {
        "log.txt", "doctor.json", "parity.jsonl", "bench.json", "families.json", "serve.json", "train.json", "table.md"
    }  # fmt: skip
    assert len(found) <= 8 and sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000
    assert "not measured" not in (tmp_path / "table.md").read_text()
