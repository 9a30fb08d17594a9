"""Options check themselves, say what they are, and refuse two sources of one value."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.fakes import FakeGenerator, speech_like

from speechhead.api import render, say
from speechhead.audio import save_wav
from speechhead.avatar.portrait import Avatar
from speechhead.core.controls import Controls
from speechhead.core.errors import ControlError, DeviceError, ImageError, MediaError
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.core.records import Option, check, entries, option


@pytest.mark.parametrize(
    ("error", "line", "options"),
    [
        (ImageError, "size 511 is not usable. Give an even number from 64 to 2048 pixels.", {"size": 511}),
        (ImageError, "size 20 is not usable. Give an even number from 64 to 2048 pixels.", {"size": 20}),
        (MediaError, "fps nan is not usable. Give 1 to 60 per second.", {"fps": float("nan")}),
        (MediaError, "fps '30' is not usable. Give 1 to 60 per second.", {"fps": "30"}),
        (DeviceError, "engine 'abacus' is unknown. Choose auto, onnx, torch.", {"engine": "abacus"}),
        (DeviceError, "device 'tpu' is unknown. Use one of auto, cpu, cuda.", {"device": "tpu"}),
        (ControlError, "face 0 is not usable. Give a whole number from 1.", {"face": 0}),
    ],
)
def test_render_options_name_the_value_and_the_remedy(error, line, options):
    with pytest.raises(error) as caught:
        RenderOptions(**options)
    assert str(caught.value) == line


def test_usable_options_pass():
    assert RenderOptions(size=np.int64(256), fps=29.97, device="cuda:1", face=2).size == 256
    assert DriveOptions(multiplier=0, batch=1, yaw=-90).turned and not DriveOptions().turned


@pytest.mark.parametrize(
    "options", [{"yaw": float("nan")}, {"roll": 200.0}, {"multiplier": float("inf")}, {"batch": 0}, {"batch": 1.5}]
)
def test_drive_options_refuse_senseless_numbers(options):
    with pytest.raises(ControlError, match="is not usable"):
        DriveOptions(**options)


def test_controls_refuse_what_is_no_number_of_their_range():
    with pytest.raises(ControlError, match=r"^blink frames 1 is not usable. Give 2 to 150 frames at 30 fps\.$"):
        Controls(blink_frames=1)
    for value in (None, True, "6"):
        with pytest.raises(ControlError, match="blink rate"):
            Controls(blink_rate=value)


def test_two_sources_of_one_value_are_refused(portrait, tmp_path):
    avatar, wav = Avatar.from_image(portrait, 128), save_wav(tmp_path / "a.wav", speech_like(0.2))
    with pytest.raises(ControlError, match="ready-made generator"):
        RenderOptions(generator=FakeGenerator(64), device="cpu")
    with pytest.raises(ControlError, match="region: given twice"):
        DriveOptions(region="lip", extra={"region": "eyes"})
    with pytest.raises(ControlError, match="find the faces"):
        DriveOptions(whole=True, find_best=True)
    for options, words in ((RenderOptions(face=1), "has its face"), (RenderOptions(size=64), "is prepared at")):
        for call in (say, render):
            given = (wav, tmp_path / "a.mp4", avatar) if call is say else (avatar, wav, tmp_path / "a.mp4")
            with pytest.raises(ControlError, match=words):
                call(*given, options=options)
    with pytest.raises(TypeError, match="emotion"):  # it stands in the controls, and nowhere else
        say("Hello.", tmp_path / "a.mp4", emotion="happy", controls=Controls())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav"]


def test_named_and_further_options_reach_the_family_together():
    drive = DriveOptions(region="lip", stitching=False, extra={"normalise_lip": False})
    assert drive.transfer == {"region": "lip", "stitching": False, "normalise_lip": False}
    assert dataclasses.replace(drive, yaw=3).transfer == drive.transfer


def test_a_field_tells_its_help_range_unit_and_choices():
    @dataclasses.dataclass(frozen=True)
    class Record:
        angle: float = option(3.0, help="Largest angle", unit="degrees", low=0, high=20, note="0 is none")
        rate: float | None = option(None, help="Frames", unit="per second", low=1, high=60)
        way: str = option("a", help="Way", choices=("a", "b", "c"))

    meanings = [Option(**vars(field.metadata["option"])).meaning for field in dataclasses.fields(Record)]
    assert meanings == ["Largest angle in degrees, 0..20; 0 is none", "Frames per second, 1..60", "Way: a, b or c"]
    check(Record())
    with pytest.raises(ControlError, match="way 'd' is unknown"):
        check(Record(way="d"))


@pytest.mark.parametrize("record", [Controls, RenderOptions, DriveOptions])
def test_every_field_says_what_it_is(record):
    for entry in entries(record):
        assert entry.option.help and not entry.option.meaning.endswith(".")
