"""Decoding, networks, pasting and encoding run beside each other: the same file, errors pass, an interrupt ends it."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import numpy as np
import pytest
from support.fakes import FakeDevice, FakeGenerator, FakeSpeech, speech_like

from speechhead.avatar.portrait import Avatar
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.core.threads import BACKGROUND
from speechhead.media.image import yuv420
from speechhead.media.writer import VideoWriter
from speechhead.render import animate as animation
from speechhead.render import compact_puppet, crops
from speechhead.render.animate import follow
from speechhead.render.stream import Renderer

COUNT = 9


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A square of noise that moves."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    with VideoWriter(path, 96, 96, 20, None) as writer:
        for number in range(COUNT):
            writer.write(np.ascontiguousarray(np.roll(noise, 4 * number, axis=1)))
    return path


@pytest.fixture
def family(monkeypatch, tmp_path):
    """Weights of a tiny fomm, and how it runs."""
    torch = pytest.importorskip("torch")
    from support.fakes_torch import Tiny, TinyConfig, stand_in

    from speechhead.engines.running import Running
    from speechhead.generators.checkpoints import stored

    stand_in(monkeypatch)
    torch.manual_seed(0)
    how = [Running(torch.device("cpu"))]
    monkeypatch.setattr(Running, "of", classmethod(lambda *_: how[0]))
    return stored.save_family(Tiny(TinyConfig()), tmp_path / "fomm.safetensors"), how


def followed(film, target, weights, crop=True, batch=2, **options):
    drive = DriveOptions(weights=weights, whole=True, batch=batch)
    return follow("grace_hopper", film, target, RenderOptions(generator="fomm", crop=crop, size=64, **options), drive)


@pytest.fixture
def written(monkeypatch):
    """The frames that the encoder gets; its own threads may write other bits of the same frames."""
    kept: list[np.ndarray] = []

    class Kept(VideoWriter):
        def write(self, frame):
            kept.append(frame)
            super().write(frame)

    monkeypatch.setattr("speechhead.media.formats.VideoWriter", Kept)
    return kept


def test_the_film_is_that_of_one_step_after_the_other(family, film, tmp_path, monkeypatch, written):
    weights, _ = family
    plain = type("Plain", (), {"__init__": lambda self, items, depth: setattr(self, "items", items),
                               "__enter__": lambda self: iter(self.items), "__exit__": lambda *_: None})  # fmt: skip
    made = []
    for overlapped in (True, False):
        if not overlapped:
            monkeypatch.setattr(animation, "background", plain)
            monkeypatch.setattr(animation, "in_order", lambda pool, draw, items: (draw(*item) for item in items))
            monkeypatch.setattr("speechhead.render.family_puppet.background", plain)
        written.clear()
        followed(film, tmp_path / "a.mp4", weights)
        made.append(hashlib.sha256(np.stack(written).tobytes()).hexdigest())
    assert len(written) == COUNT and made[0] == made[1]


def test_frames_that_are_finished_on_the_device_are_the_same(family, film, tmp_path, written):
    weights, how = family
    host, there = how[0], replace(how[0], finishes=True)
    for crop, mark in ((True, None), (False, None), (True, "mark"), (False, "mark")):
        made = []
        for running in (host, there):
            how[0] = running
            written.clear()
            followed(film, tmp_path / "a.mp4", weights, crop, watermark=mark)
            made.append([frame if frame.ndim == 2 or mark else yuv420(frame) for frame in written])
        assert len(made[0]) == COUNT and made[0][0].ndim == (3 if mark else 2)
        assert np.abs(np.subtract(*made, dtype=np.int16)).max() <= 2  # bytes are rounded at other steps


def test_an_error_passes_and_an_interrupt_ends_everything(family, film, tmp_path, monkeypatch):
    weights, _ = family

    def interrupted(done, total):
        raise KeyboardInterrupt

    drive, options = DriveOptions(weights=weights, whole=True), RenderOptions(generator="fomm", crop=True)
    with pytest.raises(KeyboardInterrupt):
        follow("grace_hopper", film, tmp_path / "a.mp4", options, drive, interrupted)
    from speechhead.render.family_puppet import FamilyPuppet

    def broken(self, crops):
        raise ValueError("the networks failed")

    monkeypatch.setattr(FamilyPuppet, "_generate", broken)
    with pytest.raises(ValueError, match="the networks failed"):
        followed(film, tmp_path / "a.mp4", weights)
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob(".*part"))
    assert not [thread for thread in threading.enumerate() if thread.name in (BACKGROUND, "encoder")]


def test_a_device_draws_speech_in_batches_and_the_frames_are_the_same():
    avatar, sound = Avatar.default(128), speech_like(1.0)
    expected = [*(plain := Renderer(avatar, None, FakeGenerator(128), FakeSpeech())).push(sound), *plain.flush()]
    device = FakeDevice(call=0, each=0)
    renderer = Renderer(avatar, None, device, FakeSpeech())
    assert crops.batch_of(device) == crops.BATCH and crops.batch_of(FakeGenerator()) == 1 and renderer.batched
    made = [*renderer.push(sound), *renderer.flush()]
    assert np.array_equal(made, expected) and max(device.calls) == crops.BATCH and len(device.calls) < len(made)


def test_a_driver_moves_a_portrait_in_batches(film, monkeypatch):
    from speechhead.render.puppet import Puppet

    device = FakeDevice(128, 0, 0)
    monkeypatch.setattr(compact_puppet, "open_generator", lambda *_: device)
    made: Puppet = object.__new__(compact_puppet.CompactPuppet)
    made.avatar, made.generator = Avatar.default(128), device
    motions = [(made.avatar.neutral, made.avatar.pose)] * 20
    monkeypatch.setattr(compact_puppet.CompactPuppet, "_motions", lambda self, pictures: iter(motions))
    assert len(list(made.frames([]))) == 20 and device.calls == [16, 4]
