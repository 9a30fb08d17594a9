"""The browser asks the window networks for what has changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import node

SCRIPT = """
const { Painters, PAINTERS } = await load("draw/painters.js");
const calls = [], count = { mouth: 0, eyes: 0 };
const networks = {
  hold: async (name, inputs) => void calls.push(`hold ${name} ${Object.keys(inputs)}`),
  async run(name, inputs) {
    const window = name.split("_")[1];
    calls.push(`run ${name} ${Object.keys(inputs)}`);
    return { [window]: { data: Float32Array.of(++count[window]) } };
  },
};
const still = { mouth: { mouth_source: 1 }, eyes: { eyes_source: 1 } };
const seen = (moved, light) => ({
  mouth_warped: { data: new Float32Array(6) }, eyes_motion: { data: Float32Array.of(0, moved) },
  eyes_warped: { data: new Float32Array(6).fill(light / 255) },
});
const one = new Painters(networks, still), other = new Painters(networks, still), found = [];
for (const [moved, light] of given.frames) {
  const { mouth, eyes } = await one.painted(seen(moved, light));
  found.push([mouth[0], eyes[0]]);
}
const first = calls.length;
await other.painted(seen(0, 0));
await one.painted(seen(0, 0));
const held = calls.slice(first).filter((call) => call.startsWith("hold")).length;
return { names: PAINTERS, begun: calls.slice(0, 4), found, held };
"""


@pytest.mark.skipif(node.NODE is None, reason="no node found")
def test_eyes_are_painted_anew_where_they_moved_or_look_different(tmp_path: Path) -> None:
    frames = [[0, 100], [0.01, 101], [0.01, 101.9], [0.01, 102.1], [0.04, 102.1], [0.05, 102]]
    found = node.run(SCRIPT, tmp_path, frames=frames)
    assert found["names"] == ["compact_mouth", "compact_eyes"]
    assert found["begun"] == [
        "hold compact_mouth mouth_source", "hold compact_eyes eyes_source",
        "run compact_mouth mouth_warped", "run compact_eyes eyes_motion,eyes_warped",
    ]  # fmt: skip
    # Against what was painted last, not against the frame before: small steps add up.
    assert found["found"] == [[1, 1], [2, 1], [3, 1], [4, 2], [5, 3], [6, 3]]
    assert found["held"] == 4, "each tells its own portrait when the other has drawn"
