"""Options check themselves, say what they are, and refuse two sources of one value."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from support.fakes import FakeGenerator, speech_like

from speechhead.api import animate, render, say
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
        (MediaError, "fps nan is not usable. Give 1 to 120 per second.", {"fps": float("nan")}),
        (MediaError, "fps '30' is not usable. Give 1 to 120 per second.", {"fps": "30"}),
        (DeviceError, "engine 'abacus' is unknown. Choose auto, onnx, torch.", {"engine": "abacus"}),
        (DeviceError, "device 'tpu' is unknown. Use one of auto, cpu, cuda.", {"device": "tpu"}),
        (ControlError, "face 0 is not usable. Give a whole number from 1, or largest, or speaking.", {"face": 0}),
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
    for given in (
        {"region": "lip", "extra": {"region": "eyes"}},
        {"stitching": True, "extra": {"stitching": False}},
        {"extra": {"adapt_scale": False}},
        {"adapt_scale": False, "extra": {"adapt_scale": True}},
        {"extra": {"multiplier": 9}},
        {"extra": {"relative": False}},
    ):
        (name,) = given["extra"]
        with pytest.raises(ControlError, match=rf"^{name}: given twice, as a field of DriveOptions and in extra\."):
            DriveOptions(**given)
    with pytest.raises(ControlError, match="find the faces"):
        DriveOptions(whole=True, find_best=True)
    saved = avatar.save(tmp_path / "me.avatar")
    for options, words in ((RenderOptions(face=1), "has its face"), (RenderOptions(size=64), "is prepared at")):
        for call in (say, render):
            lines = set()
            for source in (avatar, saved, str(saved)):
                given = (wav, tmp_path / "a.mp4", source) if call is say else (source, wav, tmp_path / "a.mp4")
                with pytest.raises(ControlError, match=words) as caught:
                    call(*given, options=options)
                lines.add(str(caught.value))
            assert len(lines) == 1
    for asked in ({"size": 64}, {"face": 1}):
        with pytest.raises(ControlError, match="Leave"):
            Avatar.open(saved, **asked)
    assert Avatar.of(saved, RenderOptions(size=64, crop=True)).size == avatar.size
    with pytest.raises(TypeError, match="emotion"):  # it stands in the controls, and nowhere else
        say("Hello.", tmp_path / "a.mp4", emotion="happy", controls=Controls())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "me.avatar"]


class _Own(dict):
    """Somebody's mapping."""


@pytest.mark.parametrize(
    ("error", "record", "given", "line"),
    [
        (DeviceError, RenderOptions, {"device": None}, "device None is not usable. Give text."),
        (DeviceError, RenderOptions, {"device": ["cpu"]}, "device ['cpu'] is not usable. Give text."),
        (DeviceError, RenderOptions, {"engine": np.zeros(2)}, "engine array([0., 0.]) is unknown. Choose auto, "),
        (ControlError, RenderOptions, {"crop": "no"}, "crop 'no' is not usable. Give True or False."),
        (ControlError, RenderOptions, {"watermark": 3}, "watermark 3 is not usable. Give text."),
        (ImageError, RenderOptions, {"size": "512"}, "size '512' is not usable. Give an even number from 64"),
        (ImageError, RenderOptions, {"size": 512.5}, "size 512.5 is not usable. Give an even number from 64"),
        (ImageError, RenderOptions, {"size": 10**400}, "size 1000"),
        (ControlError, DriveOptions, {"extra": None}, "extra None is not usable. Give a dict of values by name."),
        (ControlError, DriveOptions, {"extra": {3: 4}}, "extra {3: 4} is not usable."),
        (ControlError, DriveOptions, {"weights": 3}, "weights 3 is not usable. Give text or a path."),
        (ControlError, DriveOptions, {"batch": float("inf")}, "batch inf is not usable. Give a whole number from 1."),
        (ControlError, Controls, {"emotion": None}, "emotion None is not usable. Give a name, or a dict"),
        (ControlError, Controls, {"emotion": {"happy": "0.5"}}, "emotion happy '0.5' is not usable. Give 0 to 1."),
        (ControlError, Controls, {"mouth_amplitude": "1.4"}, "mouth amplitude '1.4' is not usable. Give 1 to 2."),
        (ControlError, Controls, {"gaze": 3}, "gaze 3 is not a pair. Give (yaw, pitch) in degrees."),
        (ControlError, Controls, {"head": None}, "head None is not usable. Choose generated or retained, or give"),
        (ControlError, Controls, {"head": [("a", 1, 2)]}, "head [('a', 1, 2)] is not usable."),
        (ControlError, Controls, {"seed": 1.5}, "seed 1.5 is not usable. Give a whole number from 0."),
    ],
)
def test_a_value_of_the_wrong_type_is_one_line(error, record, given, line):
    with pytest.raises(error) as caught:
        record(**given)
    assert str(caught.value).startswith(line) and "\n" not in str(caught.value)


def test_whole_numbers_with_a_point_and_scalars_of_numpy_become_pythons_own():
    options = RenderOptions(
        size=512.0, fps=np.float32(25), face=np.int64(2), crop=np.bool_(True), device=np.str_("cpu")
    )
    assert [type(value) for value in (options.size, options.fps, options.face, options.crop)] == [int, float, int, bool]
    assert options == RenderOptions(size=512, fps=25, face=2, crop=True, device="cpu")
    controls = Controls(emotion={"happy": np.float64(0.5)}, seed=np.int32(3), mouth_amplitude=np.array(1.5))
    assert controls == Controls(emotion={"happy": 0.5}, seed=3, mouth_amplitude=1.5) and type(controls.seed) is int


@pytest.mark.parametrize(
    ("record", "field", "given"), [(Controls, "emotion", {"happy": 0.5}), (DriveOptions, "extra", _Own(gain=[2]))]
)
def test_what_a_record_holds_is_its_own_and_stays(record, field, given):
    before = dict(given)
    made = record(**{field: given})
    given["angry"] = 1.0
    held = getattr(made, field)
    assert held == before and json.loads(json.dumps(held)) == before
    changes = (
        lambda: held.update(angry=1.0),
        lambda: held.__setitem__("angry", 1.0),
        lambda: held.__ior__({"angry": 1.0}),
        lambda: held.setdefault("angry", 1.0),
        held.clear,
        held.popitem,
    )
    for change in changes:
        with pytest.raises(TypeError, match="dataclasses.replace"):
            change()
    for same in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made), dataclasses.replace(made)):
        assert same == made and type(getattr(same, field)) is type(held)
    assert dataclasses.asdict(made)[field] == before and {**held} == before and held | {"x": 1} == {**before, "x": 1}


def test_a_record_may_have_fields_that_are_no_options():
    @dataclasses.dataclass(frozen=True)
    class Mine(RenderOptions):
        note: str = "plain"

    assert Mine(size=128.0, note="x").size == 128
    assert [entry.name for entry in entries(Mine)] == [entry.name for entry in entries(RenderOptions)]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"options": {"size": 256}}, "options: dict where RenderOptions belongs. Give options=RenderOptions(...)."),
        ({"options": {}}, "options: dict where RenderOptions belongs."),
        ({"options": "compact"}, "options: str where RenderOptions belongs."),
        ({"options": Controls()}, "options: Controls where RenderOptions belongs."),
        ({"controls": RenderOptions()}, "controls: RenderOptions where Controls belongs."),
        ({"drive": Controls()}, "drive: Controls where DriveOptions belongs."),
    ],
)
def test_a_record_in_anothers_place_is_refused_at_once(given, line, tmp_path):
    call = animate if "drive" in given else say
    with pytest.raises(ControlError) as caught:
        call("absent.png", "absent.mp4" if "drive" in given else tmp_path / "a.mp4", **given)
    assert str(caught.value).startswith(line)


def test_a_voice_beside_a_recording_is_a_note(portrait, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("speechhead.api.speak", lambda avatar, track, target, *others: target)
    wav = save_wav(tmp_path / "a.wav", speech_like(0.2))
    say(wav, tmp_path / "a.mp4", portrait, voice="nope", options=RenderOptions(size=128))
    assert "voice 'nope' is not used" in caplog.text
    caplog.clear()
    say(wav, tmp_path / "a.mp4", portrait, options=RenderOptions(size=128))
    assert "voice" not in caplog.text


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
