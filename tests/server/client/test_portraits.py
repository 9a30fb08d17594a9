"""The page's portraits: what it says of a picture that can not be used, or that the server has forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import node

PAGE = """
const element = () => ({
  append() {}, replaceChildren() {}, setAttribute() {}, addEventListener() {}, querySelector: () => null, dataset: {},
});
globalThis.document = { createElement: element };
globalThis.sessionStorage = { getItem: () => null, setItem(name, value) { this[name] = value; } };
globalThis.URL.createObjectURL = () => "blob:1";
globalThis.URL.revokeObjectURL = () => {};
const { Portraits } = await load("portraits.js"), { Problem } = await load("api.js"), failed = [];
const names = ["list", "file", "box", "preview", "text", "bar", "cancel"];
const parts = Object.fromEntries(names.map((name) => [name, element()]));
const api = {
  picture: async () => "blob:2", send: async () => null, get: async () => null,
  upload: async () => ({ id: "1", state: "failed", error: "no face found. Crop closer." }),
};
const on = { chosen() {}, ready() {}, failed: (error) => failed.push([error.status, error.message]) };
const portraits = new Portraits(api, parts, on);
const avatars = [{ id: "mara", name: "Mara", shipped: true }, { id: "x", name: "me" }];
Object.assign(portraits, { avatars, limit: 100 });
"""


@pytest.mark.skipif(node.NODE is None, reason="no node found. apt install nodejs.")
def test_a_picture_that_can_not_be_used_is_not_the_server_s_fault(tmp_path: Path) -> None:
    script = """
for (const [name, type, size] of [["a.txt", "text/plain", 5], ["b.jpg", "image/jpeg", 500], ["c.jpg", "image/jpeg", 5]])
  await portraits.upload({ name, type, size });
return failed;
"""
    found = node.run(PAGE + script, tmp_path)
    assert [status for status, _ in found] == [422, 413, 422]
    assert "is no picture" in found[0][1] and found[2][1] == "no face found. Crop closer."


@pytest.mark.skipif(node.NODE is None, reason="no node found. apt install nodejs.")
def test_a_picture_that_the_server_has_forgotten_makes_room_for_another(tmp_path: Path) -> None:
    script = """
const busy = new Problem("full", 503), unknown = new Problem("Avatar 'x' is unknown.", 404);
portraits.chosen = portraits.avatars[0];
const shipped = portraits.without(unknown) === unknown;
portraits.chosen = portraits.avatars[1];
const other = portraits.without(busy) === busy, told = portraits.without(unknown);
const chosen = portraits.chosen.id, left = portraits.avatars.length;
return { shipped, other, status: told.status, text: told.message, chosen, left };
"""
    found = node.run(PAGE + script, tmp_path)
    assert found["shipped"] and found["other"]
    assert found["status"] == 410 and "no longer" in found["text"] and (found["chosen"], found["left"]) == ("mara", 1)
