"""A video drives a portrait: as many frames, at its rate, with its sound; by landmarks or by a family's networks."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.fakes import FakeGenerator, speech_like

from speechhead.api import animate
from speechhead.cli import main as cli
from speechhead.core import weights
from speechhead.core.errors import ControlError, DeviceError, FaceError, MediaError, WeightsError
from speechhead.core.options import DriveOptions, RenderOptions
from speechhead.face.landmarks import MESH_REFERENCE, REFERENCE, Pose, apply_pose
from speechhead.face.tracker import Face, FaceTracker
from speechhead.generators.families.crops import Crop, Pasting
from speechhead.generators.families.registry import spec
from speechhead.media.reader import VideoReader
from speechhead.media.writer import VideoWriter
from speechhead.motion.limits import HEAD
from speechhead.motion.pose import about_neck, neck
from speechhead.render import animate as animation
from speechhead.render import compact_puppet
from speechhead.render import driver as driving

COUNT = 7

FOMM = RenderOptions(generator="fomm")


@pytest.fixture(scope="module")
def driver(portrait, tmp_path_factory):
    """A portrait that moves to the right, 20 frames per second, with sound."""
    path = tmp_path_factory.mktemp("driver") / "driver.mp4"
    with VideoWriter(path, 256, 300, 20, 16_000) as writer:
        writer.write_audio(speech_like(COUNT / 20))
        for number in range(COUNT):
            writer.write(np.ascontiguousarray(np.roll(portrait[::2, ::2], 3 * number, axis=1)))
    return path


@pytest.fixture
def compact(monkeypatch):
    monkeypatch.setattr(compact_puppet, "open_generator", lambda name, size, *_: FakeGenerator(size))


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The family fomm is a tiny one, with weights in the user's folder."""
    torch = pytest.importorskip("torch")
    from support.fakes_torch import Tiny, TinyConfig, stand_in

    from speechhead.generators.checkpoints import stored

    stand_in(monkeypatch)
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    torch.manual_seed(0)
    return stored.save_family(Tiny(TinyConfig()), tmp_path / "home" / "fomm.safetensors")


def frames(path):
    return np.stack(list(VideoReader(path).frames())).astype(int)


def sounds(path):
    import av

    with av.open(str(path)) as container:
        return bool(container.streams.audio)


def test_compact_follows_the_driver(compact, driver, tmp_path):
    path = animate("grace_hopper", driver, tmp_path / "a.mp4", RenderOptions(size=256))
    made = frames(path)
    assert len(made) == COUNT and VideoReader(path).fps == 20 and sounds(path)
    assert np.abs(made[-1] - made[0]).max() > 60  # the drawn landmarks have moved
    small = RenderOptions(size=128, crop=True, fps=10)
    assert not sounds(animate("grace_hopper", driver, tmp_path / "b.mp4", small, DriveOptions(audio=False)))
    assert frames(tmp_path / "b.mp4").shape == (3, 128, 128, 3)


def test_relative_motion_begins_at_the_portrait(driver, tmp_path, monkeypatch):
    drawn = []

    class Recorder(FakeGenerator):
        def render(self, source, shape, pose):
            drawn.append(pose)
            return source

    monkeypatch.setattr(compact_puppet, "open_generator", lambda name, size, *_: Recorder(size))
    animate("eileen_collins", driver, tmp_path / "a.mp4", RenderOptions(size=256))
    animate("eileen_collins", driver, tmp_path / "b.mp4", RenderOptions(size=256), DriveOptions(yaw=12))
    from speechhead.avatar.portrait import Avatar

    pose = Avatar.open("eileen_collins", 256).pose
    first, last, turned = drawn[0], drawn[COUNT - 1], drawn[COUNT]
    assert np.abs(np.subtract(first.angles, pose.angles)).max() < 1.5
    assert np.abs(first.translation - pose.translation)[:2].max() < 2
    assert last.translation[0] > first.translation[0] + 5  # the driver went right
    assert 13 < turned.angles[0] - first.angles[0] < 17


@pytest.mark.parametrize("relative", [True, False])
def test_a_family_follows_the_driver(tiny, driver, tmp_path, relative):
    path = animate("grace_hopper", driver, tmp_path / "a.mp4", FOMM, DriveOptions(relative=relative, batch=3))
    with Image.open(animation.named_portraits()["grace_hopper"].path) as image:
        made, source = frames(path), np.asarray(image.convert("RGB")).astype(int)
    assert len(made) == COUNT and made.shape[1:] == (600 // 2 * 2, 512, 3) and sounds(path)
    assert np.abs(made[:, :4] - source[:4]).mean() < 6  # outside the crop the picture stays
    cropped, drive = RenderOptions(generator="fomm", crop=True), DriveOptions(weights=tiny, relative=relative)
    again = frames(animate("grace_hopper", driver, tmp_path / "b.mp4", cropped, drive))
    assert (
        len(again) == COUNT and 300 < again.shape[1] == again.shape[2] < 512
    )  # the crop's own size, not the network's
    halved = animate("grace_hopper", driver, tmp_path / "c.mp4", replace(cropped, size=96), drive)
    assert frames(halved).shape == (COUNT, 96, 96, 3)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("face-vid2vid-f2f", "dagan")]


@pytest.mark.parametrize("name", ["fomm", "face-vid2vid", "liveportrait", *SLOW])
def test_every_family_makes_a_video(name, driver, tmp_path):
    pytest.importorskip("torch")
    from support.small_families import small

    from speechhead.generators.checkpoints.stored import save_family

    model = small(name)
    path = save_family(model, tmp_path / "any.safetensors")
    made = {}
    options = RenderOptions(generator=name)
    plain = DriveOptions(weights=path, find_best=True, batch=4)
    turned = DriveOptions(weights=path, relative=False, yaw=20 if hasattr(model, "rotate") else 0, batch=4)
    for key, drive in {"relative": plain, "absolute": turned}.items():
        out = animate("grace_hopper", driver, tmp_path / f"{key}.mp4", replace(options, crop=True), drive)
        made[key] = frames(out)
        assert len(made[key]) == COUNT and made[key].shape[1] == made[key].shape[2] > 4 * model.image_size
    assert (made["relative"] != made["absolute"]).any()
    whole = animate("grace_hopper", driver, tmp_path / "w.mp4", options, DriveOptions(weights=path, whole=True))
    assert frames(whole).shape == (COUNT, 512, 512, 3)
    if name == "liveportrait":
        lip = DriveOptions(weights=path, region="lip", multiplier=1.5, stitching=False, extra={"normalise_lip": False})
        assert len(frames(animate("grace_hopper", driver, tmp_path / "c.mp4", options, lip))) == COUNT
        with pytest.raises(ControlError, match="region 'nose' is unknown"):
            animate("grace_hopper", driver, tmp_path / "d.mp4", options, DriveOptions(weights=path, region="nose"))


def test_the_best_frame_is_the_most_similar(driver, portrait):
    face = FaceTracker().locate(portrait)
    from speechhead.face.landmarks import remove_pose

    shapes, poses = remove_pose(face.landmarks[None])
    reader = VideoReader(driver)
    start = driving.best_start(reader, shapes[0], poses[0])
    assert start is not None and 0 <= start.number < COUNT
    found = start.face.landmarks[:, 0].mean() - start.number * 3
    assert abs(found - face.landmarks[:, 0].mean() / 2) < 3


@pytest.mark.parametrize("angle", [0.0, 17.0])
def test_a_crop_comes_back_to_its_place(portrait, angle):
    crop = Crop(256.0, 280.0, 201, angle)
    middle = Pasting(portrait, crop)(crop.cut(portrait, 201)).astype(int)
    assert np.abs(middle - portrait)[200:360, 180:330].mean() < 4
    assert (middle[:50] == portrait[:50]).all()
    beyond = Crop(20.0, 20.0, 200, angle)  # over the picture's corner
    assert beyond.cut(portrait, 64).shape == (64, 64, 3)
    black = Pasting(portrait, beyond)(np.zeros((64, 64, 3), np.uint8))
    assert black[20, 20].max() == 0 and (black[300:] == portrait[300:]).all()


def test_families_crop_as_they_were_trained(portrait):
    mesh = FaceTracker().locate(portrait).mesh
    vox, live = spec("fomm").crop(mesh, False), spec("liveportrait").crop(mesh, False)
    assert 0.9 < live.side / vox.side < 1.25 and vox.angle == 0
    assert spec("liveportrait").crop(mesh, True).angle == 0
    assert abs(live.x - vox.x) < 0.06 * vox.side and abs(live.y - vox.y) < 0.1 * vox.side


def test_what_is_wrong_is_said(tiny, compact, driver, tmp_path, portrait):
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    with VideoWriter(tmp_path / "grey.mp4", 128, 128, 25, None) as writer:
        for _ in range(3):
            writer.write(np.full((128, 128, 3), 90, np.uint8))
    out = tmp_path / "a.mp4"
    hopper, grey, broken = "grace_hopper", tmp_path / "grey.mp4", tmp_path / "broken.mp4"
    for error, words, film, options, drive in (
        (FaceError, "no face found in the first", grey, {}, {}),
        (MediaError, "not a readable video", broken, {}, {}),
        (MediaError, "no such video", tmp_path / "none.mp4", {}, {}),
        (WeightsError, "'gan' is unknown", driver, {"generator": "gan"}, {}),
        (
            WeightsError,
            "DaGAN and run `speechhead weights import FILE --family dagan",
            driver,
            {"generator": "dagan"},
            {},
        ),
        (WeightsError, "weights of fomm, not of dagan", driver, {"generator": "dagan"}, {"weights": tiny}),
        (WeightsError, "no such weight file", driver, {"generator": "fomm"}, {"weights": tmp_path / "x"}),
        (ControlError, "no free view", driver, {"generator": "fomm"}, {"yaw": 9}),
        (ControlError, "region", driver, {"generator": "fomm"}, {"region": "lip"}),
        (ControlError, "region", driver, {}, {"region": "lip"}),
        (ControlError, "--whole", driver, {}, {"whole": True}),
        (ControlError, "--whole.*--face 1", driver, {"generator": "fomm", "face": 1}, {"whole": True}),
        (ControlError, "own weights", driver, {}, {"weights": tiny}),
        (ControlError, "name of a family", driver, {"generator": FakeGenerator(64)}, {}),
        (DeviceError, "'tpu' is unknown", driver, {"generator": "fomm", "device": "tpu"}, {}),
        (DeviceError, "'tpu' is unknown", driver, {"generator": "fomm", "engine": "tpu"}, {}),
    ):
        with pytest.raises(error, match=words) as caught:
            animate(hopper, film, out, RenderOptions(**options), DriveOptions(**drive))
        assert "\n" not in str(caught.value)
    assert not out.exists() and not list(tmp_path.glob(".*part"))


def test_the_command(tiny, driver, tmp_path, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["speechhead", "animate", "-s", "grace_hopper", "-d", str(driver), *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code, *capsys.readouterr()

    monkeypatch.chdir(tmp_path)
    assert run("-o", "a.mp4", "--generator", "fomm", "--crop", "--absolute") == (0, "a.mp4\n", "")
    assert len(frames("a.mp4")) == COUNT
    code, out, err = run("-o", "b.mp4", "--generator", "liveportrait")
    assert (code, out) == (2, "") and err.count("\n") == 1 and "weights pull liveportrait" in err
    signal.signal(signal.SIGTERM, before)


def puppet(portrait: str, angles: tuple[float, float, float], **drive):
    """A puppet of a portrait whose driver begins with these angles, without a video."""
    from speechhead.avatar.portrait import Avatar
    from speechhead.motion.rest import rest_face

    made = object.__new__(compact_puppet.CompactPuppet)
    made.avatar, made.drive = Avatar.open(portrait, 128), DriveOptions(**drive)
    made._options = RenderOptions()
    made._first = Pose.from_angles(*angles, (90.0, 80.0, 0.0), 50.0)
    made._first_rest, made._rest = rest_face(REFERENCE), rest_face(made.avatar.neutral)
    return made


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_head_that_the_driver_turns_too_far_comes_to_rest_smoothly(relative, axis):
    one = puppet("grace_hopper", (0.0, 0.0, 0.0), relative=relative)
    asked = np.zeros((50, 3))
    asked[:, axis] = np.linspace(0, 60, 50)
    poses = [one._carried(REFERENCE, about_neck(row, neck(one._first), 50.0))[1] for row in asked]
    found = np.array([pose.angles[axis] for pose in poses])
    steps = np.diff(found)
    assert found[-1] - one.avatar.pose.angles[axis] < HEAD.turn[axis] + HEAD.room[axis] + 0.2
    assert (steps > -0.02).all() and np.abs(np.diff(steps)).max() < 0.45  # 1.2 degrees a frame, and no hard stop
    places = np.array([neck(pose)[:2] for pose in poses])
    assert np.abs(np.diff(places, axis=0)).max() < 0.5  # nor does it slide


def test_a_free_view_turns_about_the_neck_and_fades_out():
    own = puppet("grace_hopper", (0.0, 0.0, 0.0))
    seen = [puppet("grace_hopper", (0.0, 0.0, 0.0), yaw=yaw)._carried(REFERENCE, own._first)[1] for yaw in (12.0, 70.0)]
    turn = [pose.angles[0] - own.avatar.pose.angles[0] for pose in seen]
    assert turn[0] == pytest.approx(15, abs=0.1) and 20 < turn[1] <= 25.1
    np.testing.assert_allclose([neck(pose)[:2] for pose in seen], [neck(own.avatar.pose)[:2]] * 2, atol=0.1)


def test_a_face_that_is_found_again_is_met_smoothly(monkeypatch):
    one = puppet("grace_hopper", (0.0, 0.0, 0.0))
    mesh = [apply_pose(MESH_REFERENCE, Pose.from_angles(yaw, 0, 0, (90.0, 80.0, 0.0), 50.0)) for yaw in (0.0, 16.0)]
    order = [0, 0, None, None, *([1] * 10)]
    shown = [(None, None if number is None else Face(mesh[number], 1.0, np.zeros(4))) for number in order]
    monkeypatch.setattr(compact_puppet, "tracked", lambda *_, **__: iter(shown))
    yaw = np.array([pose.angles[0] for _, pose in one._motions([])])
    assert yaw[1] == yaw[2] == yaw[3] and yaw[-1] - yaw[0] == pytest.approx(16, abs=1)
    assert 0 < np.diff(yaw[3:10]).max() < 6 and (yaw[9:] == yaw[9]).all()
