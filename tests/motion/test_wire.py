"""Motion on the wire: near enough, small enough, and nothing but packets is read."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.make.motion_basis import fitted, judged, moved, write
from speechhead.avatar.portrait import Avatar
from speechhead.core.controls import Controls
from speechhead.core.errors import WireError
from speechhead.motion.compose import EyesMoved, Motion
from speechhead.motion.wire import HEADER, LARGEST, MotionBasis, cost, motion_basis, pack, unpack


@pytest.fixture(scope="module")
def frames():
    """A quarter of a minute of a face that is glad, and whose mouth opens at random."""
    avatar = Avatar.default(128)
    motion = Motion(avatar.neutral, avatar.pose, Controls(seed=3, emotion={"happy": 0.6}, blink_rate=60))
    rng, basis, told, faces, poses = np.random.default_rng(0), motion_basis(), [], [], []
    for number in range(120):
        speech = np.zeros((1, 70, 3), np.float32)
        speech[0, 55:60, 1] = speech[0, 64:68, 1] = 0.05 * (1 + np.sin(number / 3))
        face, pose = motion.step(speech, 0.1 * rng.standard_normal(640).astype(np.float32))
        told.append(basis.codes(motion.rest, motion.base_pose, motion.eyes, pose[0]))
        faces.append(face[0])
        poses.append(pose[0])
    return motion, told, faces, poses


def test_a_face_is_told_within_a_fraction_of_a_pixel(frames):
    motion, told, faces, poses = frames
    for codes, face, pose in zip(told, faces, poses):
        shown, turned = motion_basis().face(motion.rest, motion.base_pose, codes)
        assert (
            np.abs(shown - face).mean() < 0.004
            and np.abs(shown[[68, 69, 37, 41]] - face[[68, 69, 37, 41]]).max() < 0.006
        )
        assert np.abs(np.subtract(turned.angles, pose.angles)).max() < 0.02
        assert np.abs(turned.translation - pose.translation).max() < 2e-4 * pose.scale


def test_a_packet_stands_alone(frames):
    basis, told, sizes = motion_basis(), frames[1], []
    for at in range(0, len(told) - 4, 2):
        data = pack(basis, 3, 2**32 - 2 + at, told[at : at + 4], lead=0.16)
        packet = unpack(basis, data)
        assert (packet.epoch, packet.first, round(packet.lead, 3)) == (3, (2**32 - 2 + at) % 2**32, 0.16)
        assert all(np.array_equal(a, b) for a, b in zip(packet.frames, told[at : at + 4]))
        sizes.append(len(data))
    assert (np.mean(sizes) + 93) * 12.5 * 8 < 20_000, "kbit/s with the headers of SCTP, DTLS, UDP and IP"


def test_what_is_no_packet_is_refused(frames):
    basis = motion_basis()
    whole = pack(basis, 0, 7, frames[1][:2])
    rng = np.random.default_rng(1)
    for data in (
        b"",
        whole[:5],
        whole[:-3],
        HEADER.pack(9, 0, 1, 0, 0),
        HEADER.pack(1, 0, 0, 0, 0),
        whole[:8] + bytes(50),
    ):
        with pytest.raises(WireError):
            unpack(basis, data)
    for _ in range(200):
        try:
            unpack(basis, HEADER.pack(1, 0, 1, 0, 0) + rng.bytes(60))
        except WireError:
            continue
    with pytest.raises(WireError):
        pack(basis, 0, 0, [])


def test_values_beyond_all_reason_are_held(frames):
    motion, basis = frames[0], motion_basis()
    eyes = EyesMoved(motion.rest + 1e9, 1e9, -1e9, 1.0)
    codes = basis.codes(motion.rest, motion.base_pose, eyes, motion.base_pose)
    assert np.abs(codes).max() == LARGEST
    assert np.array_equal(unpack(basis, pack(basis, 0, 0, [codes, -codes])).frames[1], -codes)


def test_the_orders_are_those_of_the_fewest_bits():
    values = np.array([0, 1, -1, 5, -40, 1000])
    basis = MotionBasis("", 1.0, np.zeros(210), np.zeros((0, 210)), (3,), (3,))
    bits = sum(8 * (len(pack(basis, 0, 0, [np.array([v])])) - HEADER.size) for v in values)
    assert bits - 7 * len(values) <= cost(values, 3).sum() <= bits


class Toy:
    """Speech that opens the mouth."""

    def stream(self, neutral=None, emotion=None):
        return self

    def push(self, sound):
        motion = np.zeros((len(sound) // 640, 70, 3), np.float32)
        motion[:, 55:60, 1] = 0.1 * np.abs(np.sin(np.arange(len(motion))))[:, None]
        return motion

    def flush(self):
        return np.zeros((2, 70, 3), np.float32)


def test_a_basis_is_fitted_written_and_read(tmp_path):
    avatar, sound = Avatar.default(128), np.random.default_rng(0).standard_normal(30 * 640).astype(np.float32) * 0.1
    take = moved(avatar, Toy(), sound, Controls(seed=1))
    basis = fitted([take])
    write(basis, tmp_path / "basis.json")
    read = MotionBasis.read(tmp_path / "basis.json")
    assert read.name == basis.name and np.allclose(read.rows, basis.rows) and read.change == basis.change
    motion = Motion(avatar.neutral, avatar.pose, Controls(seed=1))
    faces, _ = motion.step(np.concatenate([Toy().push(sound), Toy().flush()]), sound)
    found = judged(read, take, faces)
    assert found["landmarks_px_mean"] < 0.1 and found["kbit_s_with_headers"] < 25
