"""What a killed server leaves is removed by the next one, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

import pytest
from speechhead_server.core import scratch
from speechhead_server.core.scratch import OFFLINE, UPLOAD, HeldFolder, sweep

pytestmark = pytest.mark.skipif(scratch.fcntl is None, reason="no locks of folders here")

HOLD = """
import sys, time
from speechhead_server.core.scratch import HeldFolder
held = HeldFolder()
(held.path / "a").write_text("a")
print(held.path, flush=True)
time.sleep(60)
"""


def test_what_a_killed_server_left_goes_and_what_is_used_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    later = time.time() + scratch.YOUNG + 1
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout is not None
        left = tmp_path / other.stdout.readline().strip()
        mine = HeldFolder()
        for name in (f"{UPLOAD}x", "speechhead-other-x", f"{OFFLINE}y"):
            (tmp_path / name).mkdir()
        (tmp_path / f"{OFFLINE}link").symlink_to(tmp_path / "speechhead-other-x")
        assert sweep() == 0, "all of it is young"
        assert sweep(later) == 2 and left.is_dir() and mine.path.is_dir()
        other.kill()
    assert sweep(later) == 1 and not left.exists()
    mine.leave()
    assert {each.name for each in tmp_path.iterdir()} == {f"{OFFLINE}link", "speechhead-other-x"}
