"""The browser's side of motion: frames in their time whatever is lost, the sound's clock, and who draws."""

from __future__ import annotations

import pytest
from support import node

pytestmark = pytest.mark.skipif(node.NODE is None, reason="no node found. apt install nodejs.")


def test_loss_and_reorder_are_harmless(tmp_path):
    """30 % of packets are lost and the others change places: what is shown is near what was sent, of 1000."""
    found = node.run(
        """
const { MotionReceiver } = await load("draw/receiver.js");
let seed = 7;
const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const sent = (n) => [Math.round(1000 * Math.sin(n / 5)), n];
const line = [];
for (let n = 2; n < 1000; n += 2) {
  const first = n - 2;
  const frames = [0, 1, 2, 3].map((i) => sent(first + i));
  if (random() >= 0.3) line.push([n + 2.5 * random(), { epoch: 0, first, lead: 0.16, frames }]);
}
line.sort((a, b) => a[0] - b[0]);
const receiver = new MotionReceiver();
let off = 0, gone = 0;
for (let n = 0; n < 1000; n++) {
  while (line.length && line[0][0] <= n + 4) receiver.push(line.shift()[1]);
  const codes = receiver.at(n);
  if (!codes) { gone++; continue; }
  off += Math.abs(codes[0] - sent(n)[0]) / 1000;
}
return { off, gone, came: receiver.came, mended: receiver.mended, held: receiver.held, kept: receiver.frames.size };
""",
        tmp_path,
    )
    assert found["gone"] <= 2 and found["held"] < 160 and found["mended"] < 150 and found["kept"] < 60
    assert found["came"] > 850 and found["off"] < 60


def test_an_interrupt_takes_back_what_was_told(tmp_path):
    found = node.run(
        """
const { MotionReceiver } = await load("draw/receiver.js");
const receiver = new MotionReceiver();
const packet = (epoch, first, ...values) => ({ epoch, first, lead: 0, frames: values.map((v) => [v]) });
const at = (n) => receiver.at(n)?.[0] ?? null;
const empty = at(3);
receiver.push(packet(255, 10, 1, 1, 1, 1));
receiver.push(packet(0, 13, 2, 2));  // the epoch after 255
receiver.push(packet(255, 12, 1, 1, 1, 1));  // late, of before: only frame 12 counts
receiver.push(packet(0, 12, 3, 3));  // changed places with the one that began the epoch
return [empty, at(11), at(12), at(13), at(14), at(15), at(40), receiver.refused, receiver.newest];
""",
        tmp_path,
    )
    assert found == [None, 1, 1, 2, 2, 2, 2, 1, 14]


def test_pictures_follow_the_sound_that_is_heard(tmp_path):
    found = node.run(
        """
const { MediaClock } = await load("draw/clock.js");
let ms = 5000, sources = [];
const clock = new MediaClock(() => ms, () => sources);
const out = [clock.frame()];
const origin = 2 ** 32 - 48000;  // wraps within the test
for (let n = 0; n < 20; n++) { clock.packet({ first: 100 + 2 * n, lead: 0.16 - 0.01 * (n % 3) }); ms += 80; }
out.push(clock.seconds() - (99.99 / 25 + 1.6 - 0.16 + 0.0004), clock.from);
clock.origin = origin;
// Sound of media time 5.44 s left the receiver 11 ms ago.
sources = [{ timestamp: ms - 11, rtpTimestamp: (origin + 48000 * 5.44) % 2 ** 32 }];
const errors = [];
for (let n = 0; n < 300; n++) {
  errors.push(clock.seconds() - (5.451 + n * 0.02));
  ms += 20;
  clock.packet({ first: 138 + Math.floor(n / 2), lead: 0.16 });
  sources = [{ timestamp: ms - 11, rtpTimestamp: (origin + Math.round(48000 * (5.44 + (n + 1) * 0.02))) % 2 ** 32 }];
}
out.push(errors.at(-1), clock.from);
ms += 2000;  // no sound any more
clock.seconds();
out.push(clock.from);
return out;
""",
        tmp_path,
    )
    assert found[0] is None and abs(found[1] + 0.08) < 0.03 and found[2] == "packets"
    assert abs(found[3]) < 0.005 and found[4] == "sound" and found[5] == "packets"


CHOICE = """
const { Choice } = await load("choice.js");
let ms = 0;
const make = (forced, able = {}, offers = ["video", "motion", "sound"]) =>
  new Choice({ offers, able: { draw: true, hear: true, ...able }, forced }, () => ms);
const drawn = (choice, count, cost, late = () => false) => {
  for (let n = 0; n < count; n++) choice.drew(cost, late(n));
  return [choice.mode, choice.reason];
};
"""


def test_the_device_is_measured_and_what_it_can_not_do_is_left_to_the_server(tmp_path):
    found = node.run(
        CHOICE
        + """
const slow = make("auto"), again = [];
const fell = drawn(slow, 20, 75);
again.push(slow.again()); ms += 61000; again.push(slow.again(), slow.mode);
const behind = make("auto");
const fine = drawn(behind, 80, 12);
const late = drawn(behind, 80, 12, (n) => n % 3 === 0);
const lost = make("auto"); lost.failed("the GPU was lost");
const starved = make("auto"); starved.starved();
ms += 61000; const mended = [starved.mode, starved.again(), starved.mode];
const held = make("motion"); held.starved();
const full = make("auto"), pressed = [drawn(full, 20, 75)[0]];
full.given("motion", "no room"); pressed.push(...drawn(full, 100, 75)); ms += 31000;
pressed.push(...drawn(full, 100, 55, () => true).slice(0, 1));
const deaf = make("auto", { hear: false }); deaf.starved();
const refused = make("auto"); refused.drew(9); refused.given("motion"); refused.given("video", "no room");
return {
  fell, again, fine, late, lost: [lost.mode, lost.reason], mended, held: held.mode, pressed, deaf: deaf.mode,
  refused: [refused.mode, refused.reason], old: make("auto", {}, ["video"]).mode,
  weak: [make("auto", { draw: false }).reason],
  forced: [drawn(make("motion"), 200, 90)[0], make("video").mode, make("sound").mode,
    make("sound", { hear: false }).mode, make("magic").mode],
};
""",
        tmp_path,
    )
    assert found["fell"] == ["video", "a frame takes 75 ms here"] and found["again"] == [False, True, "motion"]
    assert found["fine"] == ["motion", "a frame takes 12 ms here"]
    assert found["late"][0] == "video" and "too late" in found["late"][1]
    assert found["lost"] == ["video", "the GPU was lost"]
    assert (found["deaf"], found["old"]) == ("video", "video")
    assert found["mended"] == ["sound", True, "motion"] and found["held"] == "motion"
    assert found["pressed"] == ["video", "motion", "no room", "video"], "a full server is not asked again at once"
    assert found["refused"] == ["video", "no room"] and found["weak"] == ["this browser can not draw"]
    assert found["forced"] == ["motion", "video", "sound", "motion", "motion"]
