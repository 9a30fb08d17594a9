"""Motion on the wire, at the browser's side: what Python says is what JavaScript reads."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from support import node

from speechhead.avatar.portrait import Avatar
from speechhead.core.controls import Controls
from speechhead.motion.compose import Motion
from speechhead.motion.wire import BASIS, motion_basis, pack

pytestmark = pytest.mark.skipif(node.NODE is None, reason="no node found. apt install nodejs.")

READ = """
const { MotionWire } = await load("draw/wire.js");
const wire = new MotionWire(given.basis);
const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64")).buffer;
const { frames, ...packet } = wire.unpack(bytes(given.packet));
const rest = Float32Array.from(given.rest);
const shown = frames.map((codes, i) => wire.motion(codes, rest, given.base, packet.first + i));
const refused = given.broken.map((text) => {
  try { wire.unpack(bytes(text)); return ""; } catch (error) { return error.name; }
});
const faces = shown.map((m) => [...m.landmarks]);
return { packet, refused, codes: frames.map((f) => [...f]), faces, poses: shown.map((m) => m.pose) };
"""


def test_javascript_reads_the_same_faces(tmp_path):
    avatar, basis = Avatar.default(128), motion_basis()
    motion = Motion(avatar.neutral, avatar.pose, Controls(seed=4, blink_rate=120, gaze=(12.0, -9.0)))
    told = []
    for number in range(40):
        speech = np.full((1, 70, 3), 0.01 * np.sin(number), np.float32)
        _, poses = motion.step(speech, np.zeros(640, np.float32))
        told.append(basis.codes(motion.rest, motion.base_pose, motion.eyes, poses[0]))
    told = told[-4:] if max(t[-1] for t in told) == 0 else sorted(told, key=lambda t: t[-1])[-4:]  # lids that close
    data = pack(basis, 200, 4_000_000_000, told, lead=0.1)
    base = [*motion.base_pose.angles, *motion.base_pose.translation.tolist(), motion.base_pose.scale]
    found = node.run(
        READ,
        tmp_path,
        basis=json.loads(BASIS.read_text()),
        packet=base64.b64encode(data).decode(),
        rest=motion.rest.reshape(-1).tolist(),
        base=base,
        broken=[base64.b64encode(each).decode() for each in (b"", data[:9], data[:8] + bytes(20), b"\7" + data[1:])],
    )
    assert found["packet"] == {"epoch": 200, "first": 4_000_000_000, "lead": pytest.approx(0.1)}
    assert found["refused"] == ["RangeError"] * 4
    assert np.array_equal(found["codes"], told)
    for codes, face, pose in zip(told, found["faces"], found["poses"]):
        shown, turned = basis.face(motion.rest, motion.base_pose, codes)
        assert np.abs(np.reshape(face, (70, 3)) - shown).max() < 1e-5
        assert np.allclose(pose, [*turned.angles, *turned.translation, turned.scale], rtol=1e-4, atol=1e-3)
