"""Families speak: landmarks move them through Landmarks2Latents, behind the same door as the compact generator."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from support.fakes import FakeSpeech, speech_like  # noqa: E402
from support.small_families import PUBLISHED, installed  # noqa: E402

from speechhead import api  # noqa: E402
from speechhead.audio import save_wav  # noqa: E402
from speechhead.avatar.portrait import Avatar  # noqa: E402
from speechhead.cli import main as cli  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.core.errors import DeviceError, DeviceMemoryError, WeightsError  # noqa: E402
from speechhead.core.options import RenderOptions  # noqa: E402
from speechhead.face.landmarks import Pose  # noqa: E402
from speechhead.generators.checkpoints import imported  # noqa: E402
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig  # noqa: E402
from speechhead.generators.open import open_generator  # noqa: E402
from speechhead.generators.protocol import DeviceGenerator, ListeningGenerator  # noqa: E402
from speechhead.media.reader import VideoReader  # noqa: E402
from speechhead.motion.surroundings import Surroundings  # noqa: E402
from speechhead.render.stream import Renderer  # noqa: E402


@pytest.fixture(scope="module")
def avatar():
    return Avatar.default(128)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_family_moves_with_the_landmarks(name, home, avatar):
    installed(name, home)
    generator = open_generator(name, avatar.size)
    assert generator.family == name and generator.size == 128
    source = avatar.source(generator)
    rest = generator.render(source, avatar.neutral, avatar.pose)
    spoken = avatar.neutral.copy()
    spoken[55:60, 1] += 0.2
    pose = Pose(avatar.pose.rotation, avatar.pose.translation + np.float32([6, 0, 0]), avatar.pose.scale)
    assert rest.shape == (128, 128, 3) and rest.dtype == np.uint8
    assert (generator.render(source, avatar.neutral, avatar.pose) == rest).all()
    for face, place in ((spoken, avatar.pose), (avatar.neutral, pose)):
        assert (generator.render(source, face, place) != rest).any()
    assert np.abs(rest.astype(int) - avatar.crop)[[0, -1]].max() <= 1  # no seam where it is laid back


def test_portraits_are_drawn_in_one_call_and_sizes_share_their_networks(home, avatar):
    installed("fomm", home)
    generator = open_generator("fomm", avatar.size)
    assert isinstance(generator, DeviceGenerator) and generator.batched and generator.device == "cpu"
    other = avatar.resampled(96)
    smaller = generator.sized(96)
    assert smaller.size == 96 and smaller.model is generator.model and smaller.native == generator.model.image_size
    generator.model.image_size, made_for = 48, generator.model.image_size
    assert smaller.native == 64  # no video is smaller
    generator.model.image_size = made_for
    sources = [avatar.source(generator), avatar.source(generator)]
    faces = np.stack([avatar.neutral, avatar.neutral + np.float32(0.05)])
    frames = generator.render_many(sources, faces, [avatar.pose] * 2)
    alone = [generator.render(avatar.source(generator), face, avatar.pose) for face in faces]
    assert np.abs(np.subtract(alone, frames, dtype=np.int16)).max() <= 1
    assert smaller.render_many([other.source(smaller)], other.neutral[None], [other.pose])[0].shape == (96, 96, 3)


def test_speech_becomes_frames(home, avatar):
    installed("fomm", home)
    renderer = Renderer(avatar, generator=open_generator("fomm", avatar.size), speech2landmarks=FakeSpeech())
    frames = [*renderer.push(speech_like(0.4)), *renderer.flush()]
    assert len(frames) == 10 and frames[0].shape == avatar.picture.shape


def test_what_was_before_and_what_is_heard_reach_the_picture_in_any_chunks(home, avatar):
    installed("fomm", home, past=2, sound=2)
    generator = open_generator("fomm", avatar.size)
    assert isinstance(generator, ListeningGenerator) and generator.surroundings.rows == 140 + 32

    def frames(sound, chunk):
        renderer = Renderer(avatar, generator=generator, speech2landmarks=FakeSpeech(), paste=False)
        shown = [
            frame for start in range(0, len(sound), chunk) for frame in renderer.push(sound[start : start + chunk])
        ]
        return np.stack([*shown, *renderer.flush()]), renderer

    sound = speech_like(0.4)
    whole, renderer = frames(sound, len(sound))
    assert (frames(sound, 500)[0] == whole).all()
    silent = np.zeros_like(sound)
    heard, deaf = (Surroundings(2, 2).around(np.repeat(avatar.neutral[None], 10, 0), each) for each in (sound, silent))
    assert (renderer.draw(heard[5], avatar.pose) != renderer.draw(deaf[5], avatar.pose)).any()
    assert (renderer.draw(deaf[5], avatar.pose) == renderer.draw(avatar.neutral, avatar.pose)).all()


def test_what_is_missing_is_said(home, avatar):
    with pytest.raises(
        WeightsError, match="no weights here. Fetch the files from https://.*weights import FILE --family fomm"
    ):
        open_generator("fomm")
    path = installed("fomm", home, latents=False)
    with pytest.raises(WeightsError, match="in a checkout.*landmarks2latents --generator fomm --clips DIR"):
        open_generator("fomm")
    FamilyLatents(LatentsConfig("dagan", 24, 16)).save(imported.latents_path(path))
    with pytest.raises(WeightsError, match="of dagan, not of fomm"):
        open_generator("fomm")
    FamilyLatents(LatentsConfig("fomm", 23, 16)).save(imported.latents_path(path))
    with pytest.raises(WeightsError, match="have latents of 24 numbers, and the Landmarks2Latents .* makes 23"):
        avatar.source(open_generator("fomm", avatar.size))
    broken = FamilyLatents(LatentsConfig("fomm", 24, 16))
    broken.linear.weight.data[0, 0] = torch.nan
    broken.save(imported.latents_path(path))
    with pytest.raises(WeightsError, match=r"linear.weight has NaN or infinity"):
        open_generator("fomm")
    installed("fomm", home)
    with pytest.raises(WeightsError, match="pipelines.make.export_families"):
        open_generator("fomm", engine="onnx")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match=r"no GPU here.*--device cpu"):
            open_generator("fomm", device="cuda")
    with pytest.raises(WeightsError, match="'gan' is unknown. Use one of compact, .*fomm"):
        open_generator("gan")
    with pytest.raises(WeightsError, match=r"nowhere.safetensors: no such weight file"):
        open_generator("nowhere.safetensors")
    assert open_generator(str(path), 64).size == 64  # a file is as good as a name


SLOW = [pytest.param(step, marks=pytest.mark.slow) for step in ("appearance", "motion")]


@pytest.mark.parametrize("step", ["at_rest", *SLOW])
def test_a_portrait_without_memory_is_one_line_and_the_next_one_has_it(step, home, avatar, monkeypatch, tmp_path):
    installed("fomm", home)
    generator = open_generator("fomm", avatar.size)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")

    with monkeypatch.context() as lacking:
        lacking.setattr(generator.engine, step, full)
        with pytest.raises(DeviceMemoryError, match=r"device 'cpu': no memory is left for a portrait\.") as caught:
            api.say("Hi.", tmp_path / "a.mp4", None, options=RenderOptions(generator=generator, size=generator.size))
        assert "\n" not in str(caught.value) and not (tmp_path / "a.mp4").exists()
    assert generator.prepare(avatar.crop, avatar.mesh).appearance


def test_weights_without_memory_are_one_line(home, avatar, monkeypatch):
    installed("fomm", home)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.\nGPU 0 has ...")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(DeviceMemoryError, match="no memory is left for the weights"):
        open_generator("fomm", avatar.size)


def test_the_commands(home, tmp_path, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    installed("fomm", home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("speechhead.speech.model.Speech2Landmarks.load", lambda *_: FakeSpeech())
    save_wav(tmp_path / "a.wav", speech_like(0.2))
    for command in (("say", "a.wav"), ("render", "-s", "grace_hopper", "-a", "a.wav")):
        monkeypatch.setattr(
            sys, "argv", ["speechhead", *command, "--generator", "fomm", "--size", "128", "-o", "a.mp4"]
        )
        with pytest.raises(SystemExit) as done:
            cli.main()
        out, err = capsys.readouterr()
        assert (done.value.code, out, err) == (0, "a.mp4\n", "")
        assert len(list(VideoReader("a.mp4").frames())) == 5
    monkeypatch.setattr(sys, "argv", ["speechhead", "say", "a.wav", "--generator", "dagan", "-o", "b.mp4"])
    with pytest.raises(SystemExit) as done:
        cli.main()
    out, err = capsys.readouterr()
    assert (done.value.code, out, err.count("\n")) == (2, "", 1) and "weights import FILE --family dagan" in err
    signal.signal(signal.SIGTERM, before)
