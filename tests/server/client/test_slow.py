"""A page whose pictures hardly move says so, once, and offers a smaller size."""

from __future__ import annotations

import pytest
from support import node

pytestmark = pytest.mark.skipif(node.NODE is None, reason="no node found. apt install nodejs.")


def test_slow_pictures_are_told_once_and_when_they_are_well_again(tmp_path):
    found = node.run(
        """
const { Pace, StandingStill } = await load("pace.js");
const told = [];
const pace = new Pace({ slow: (fps) => told.push(fps), well: () => told.push("well") });
for (const fps of [25, 3, 4, 6, 3, 2, 1, 0, 0, 25, 9, 25, 25, 25, 25, 1, 1, 1]) pace.look(fps, fps);
pace.reset();
for (const fps of [0, 0]) pace.look(fps, fps);
globalThis.document = { body: {}, getElementById: () => ({ addEventListener() {} }) };
const { explain } = await load("notices.js");
return [told, ...[[2.4, 2.4, 384], [0, 0, null], [1, 24, 384]].map((why) => explain(new StandingStill(...why), null))];
""",
        tmp_path,
    )
    told, offered, none, network = found
    assert told == [1, "well", 1]
    assert offered["again"] == "Take 384 × 384" and "2 of 25 pictures" in offered["text"]
    assert "machine is too slow" in offered["text"] and "smaller picture" in offered["text"]
    assert "again" not in none and "Nothing smaller" in none["text"] and "a faster machine" in none["text"]
    assert "network loses them" in network["text"] and network["again"] == "Take 384 × 384"


def test_the_next_smaller_size_is_taken_as_if_it_was_chosen(tmp_path):
    found = node.run(
        """
const { Drawn } = await load("drawn.js");
const made = () => ({
  events: [], value: "", hidden: false, options: [],
  addEventListener(name, act) { this.events.push(act); },
  dispatchEvent() { this.events.forEach((act) => act()); },
});
const [generator, size, background, colour] = [made(), made(), made(), made()];
let changed = 0;
const drawn = new Drawn({ generator, size, background, colour }, () => changed++);
size.options = [256, 384, 512].map((value) => ({ value: String(value) }));
size.value = "512";
const seen = [];
for (let k = 0; k < 3; k++) { seen.push(drawn.smaller); if (drawn.smaller) drawn.shrink(); }
return [seen, size.value, changed];
""",
        tmp_path,
    )
    assert found == [[384, 256, None], "256", 2]
