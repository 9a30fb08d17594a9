"""Measuring a server: what one part of it fails to do loses nothing of the others."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import pytest

pytest.importorskip("aiortc")

from server import bench


def test_what_fails_loses_nothing_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def watched(*_: Any) -> dict[str, Any]:
        return {"fps": 25.0}

    async def slow(*_: Any) -> dict[str, Any]:
        raise TimeoutError("the server did not do it in time")

    monkeypatch.setattr(bench, "call", lambda *_: (b"{}", {}))
    monkeypatch.setattr(bench, "punctuality", watched)
    monkeypatch.setattr(bench, "cycles", slow)
    asked = argparse.Namespace(viewers=None, sessions=None, seconds=3600.0, sync=0.0, says=0, cycles=1)
    found = asyncio.run(bench.run(asked, "http://127.0.0.1:1", 1))
    assert found["punctuality"] == {"fps": 25.0}
    assert found["memory"] == {"failed": "the server did not do it in time"}
