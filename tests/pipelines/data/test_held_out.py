"""Portraits that judge are never trained on: whatever draws, lists or reads portraits leaves them out."""

from __future__ import annotations

import hashlib

import numpy as np

from pipelines.data import held_out
from pipelines.data.footage.shards import prepared_clips
from pipelines.data.synthetic.dataset import read_catalogue

NAMES = held_out.LISTED.read_text(encoding="utf-8").split()


def test_the_list_is_two_halves_in_the_order_of_the_rule():
    digests = [hashlib.sha256(name.encode()).hexdigest() for name in NAMES]
    assert len(set(NAMES)) == 52
    assert digests[:26] == sorted(digests[:26]) and digests[26:] == sorted(digests[26:])
    assert held_out.held_out(NAMES[0]) and not held_out.held_out("somebody_else.jpg")


def test_portraits_to_draw_are_listed_without_them(tmp_path):
    for name in (NAMES[0], NAMES[30], "somebody_else.jpg"):
        (tmp_path / name).touch()
    assert [row.file for row in read_catalogue(tmp_path)] == ["somebody_else.jpg"]


def test_samples_made_of_them_are_not_read(tmp_path):
    for stem in (NAMES[0].removesuffix(".jpg"), "somebody_else"):
        np.save(tmp_path / f"{stem}.npy", np.full((2, 8, 8, 3), len(stem), np.uint8))
        mesh = np.zeros((2, 478, 3), np.float32)
        np.savez(tmp_path / f"{stem}.npz", mesh=mesh, index=np.arange(2), normalised=mesh)
    read = list(prepared_clips(tmp_path))
    assert len(read) == 1 and read[0].frames[0, 0, 0, 0] == len("somebody_else")
