"""Families of different picture sizes on one device: none waits for ever, and each draws what it draws alone."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("aiortc")

from speechhead_server.stage.device import DeviceQueue, Wish  # noqa: E402
from support.small_families import installed  # noqa: E402

from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.avatar.square import on_stage  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.generators.open import open_generator  # noqa: E402

FAMILIES = {"fomm": ("fomm", 64), "large": ("fomm", 128), "dagan": ("dagan", 128)}
"""By their names: the family, and the size of its pictures. Two are of one family, and two of one size."""

SIZES = (96, 160)
"""Of the videos; in neither is a picture of any network's own size."""


@pytest.fixture
def generators(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path))
    for seed, (name, (family, size)) in enumerate(FAMILIES.items()):
        installed(family, tmp_path, seed=seed, size=size, called=name)
    opened = {name: open_generator(name, SIZES[0]) for name in FAMILIES}
    return {(name, size): made.sized(size) for name, made in opened.items() for size in SIZES}


def test_families_of_several_sizes_share_a_device(generators, portrait):
    staged = {size: on_stage(Avatar.from_image(portrait), size) for size in SIZES}
    faces = [staged[SIZES[0]].neutral + np.float32(0.03) * number for number in range(3)]
    sources = {key: staged[key[1]].source(made) for key, made in generators.items()}
    alone = {
        (*key, number): made.render(sources[key], face, staged[key[1]].pose)
        for key, made in generators.items()
        for number, face in enumerate(faces)
    }
    queue, got, full = DeviceQueue("cpu"), {}, threading.Event()

    class Owner:
        def give_way(self, error):
            raise AssertionError(error)

    owners = {key: Owner() for key in generators}
    for key, owner in owners.items():
        queue.join(owner, generators[key])

    def asked(name, size, number):
        def done(picture, _):
            got[name, size, number] = picture
            if len(got) == len(alone):
                full.set()

        made, avatar, due = generators[name, size], staged[size], time.monotonic() + 60
        source, owner = sources[name, size], owners[name, size]
        queue.ask(Wish(made, source, faces[number], avatar.pose, due, done, owner))

    for number in range(len(faces)):
        for name, size in generators:
            asked(name, size, number)
    assert full.wait(60)
    queue.close()
    assert queue.calls < queue.pictures == len(alone)  # some were drawn together
    for key, picture in got.items():
        assert picture.shape == (key[1], key[1], 3)
        assert np.abs(np.subtract(picture, alone[key], dtype=np.int16)).max() <= 1, key
    different = {name: alone[name, SIZES[0], 0].tobytes() for name in FAMILIES}
    assert len(set(different.values())) == len(FAMILIES)
