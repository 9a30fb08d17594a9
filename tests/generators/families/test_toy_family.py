"""A family is added by one file: imported, driven by a video, trained and made to speak like those that are here."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from support.fakes import FakeSpeech, speech_like  # noqa: E402
from support.paths import ROOT  # noqa: E402
from support.plugins import installed  # noqa: E402

from speechhead.audio import save_wav  # noqa: E402
from speechhead.cli import main as cli  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.core.errors import ControlError, WeightsError  # noqa: E402
from speechhead.generators.families import registry  # noqa: E402
from speechhead.generators.families.latents import FamilyLatents, LatentsConfig  # noqa: E402
from speechhead.media.reader import VideoReader  # noqa: E402
from speechhead.media.writer import VideoWriter  # noqa: E402

COUNT = 5
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / "site", ROOT / "tests/support/toy_family.py", registry.GROUP, "toy", "toy_family:SPEC"):
        yield


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The command `speechhead` in a folder and with a home of its own: exit code, stdout, stderr."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["speechhead", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code, *capsys.readouterr()

    yield command
    signal.signal(signal.SIGTERM, before)


def checkpoint(path: Path) -> None:
    """Weights as their author publishes them: the network beside the optimiser, keys of DataParallel."""
    torch.manual_seed(0)
    model = registry.build("toy", registry.config_class("toy")())
    state = {f"module.{key}": value for key, value in model.finder.state_dict().items()}
    torch.save({"toy_finder": state, "optimizer": {"lr": 0.1}, "epoch": 3}, path)


def frames(path: str) -> np.ndarray:
    return np.stack(list(VideoReader(path).frames())).astype(int)


def test_it_is_imported_driven_and_speaks(
    toy: None, run: Run, tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(tmp_path / "toy.pth.tar")
    code, out, err = run("weights", "import", "toy.pth.tar", "--family", "Toy")
    assert (code, err) == (0, ""), err
    kept = Path(out.strip())

    with VideoWriter("film.mp4", 256, 300, 25) as writer:
        for number in range(COUNT):
            writer.write(np.ascontiguousarray(np.roll(portrait[::2, ::2], 5 * number, axis=1)))
    code, out, err = run("animate", "-s", "grace_hopper", "-d", "film.mp4", "--generator", "toy", "-o", "moved.mp4")
    assert (code, out, err) == (0, "moved.mp4\n", ""), err
    moved = frames("moved.mp4")
    assert len(moved) == COUNT and np.abs(moved[-1] - moved[0]).max() > 30

    save_wav(tmp_path / "word.wav", speech_like(0.4))
    code, out, err = run("say", "word.wav", "--generator", "toy", "-o", "said.mp4")
    assert code == 2 and "landmarks2latents --generator toy" in err
    network = FamilyLatents(LatentsConfig("toy", 8, 16))
    torch.nn.init.normal_(network.linear.weight, std=0.05)
    network.save(kept.with_name("toy.latents.safetensors"))
    monkeypatch.setattr("speechhead.speech.model.Speech2Landmarks.load", lambda *_: FakeSpeech())
    code, out, err = run("say", "word.wav", "--generator", "toy", "--size", "128", "-o", "said.mp4")
    assert (code, out, err) == (0, "said.mp4\n", ""), err
    said = frames("said.mp4")
    assert len(said) == 10 and np.abs(said - said[0]).max() > 10
    assert "toy" in run("weights", "list")[1]


def test_what_it_can_is_asked_of_its_spec(toy: None, run: Run, tmp_path: Path) -> None:
    from speechhead.core.options import DriveOptions
    from speechhead.generators.checkpoints.hub import pull
    from speechhead.generators.checkpoints.published import import_checkpoint
    from speechhead.render.family_puppet import check_options

    checkpoint(tmp_path / "toy.pth.tar")
    with pytest.raises(WeightsError, match="a checkpoint of toy, not of fomm. Use --family toy"):
        import_checkpoint(tmp_path / "toy.pth.tar", "fomm", tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"https://example.org/toy.*--family toy"):
        pull("toy", lambda terms: True)
    model = registry.build("toy", registry.config_class("toy")())
    check_options(model, DriveOptions(extra={"gain": 2}))
    for options, word in (
        (DriveOptions(extra={"gain": 9}), "gain 9"),
        (DriveOptions(region="lip"), "region: toy has no such option. Use liveportrait"),
        (DriveOptions(yaw=5), "toy has no free view. Use face-vid2vid or"),
    ):
        with pytest.raises(ControlError, match=word):
            check_options(model, options)


def test_it_is_trained_by_its_own_losses(toy: None) -> None:
    from pipelines.train.families.config import ConfigError, FamilyTraining
    from pipelines.train.families.train import Trainer

    values = {"family": "toy", "size": 64, "perceptual": "pixels", "threads": 1}
    trainer = Trainer(FamilyTraining.from_dict(values))
    before = trainer.family.finder.weight.clone()
    found = trainer.update([{name: torch.rand(2, 3, 64, 64) for name in ("source", "driver")}])
    assert {"perceptual", "equivariance_value"} == set(found)
    assert not torch.equal(before, trainer.family.finder.weight)
    with pytest.raises(ConfigError, match="stage 'depth' of toy. Use motion"):
        FamilyTraining.from_dict(values | {"stage": "depth"})


@pytest.mark.parametrize("annotation", ["", ": Any", ": Unknown"])
def test_a_config_of_no_known_kind_is_said(tmp_path: Path, run: Run, annotation: str) -> None:
    source = (ROOT / "tests/support/toy_family.py").read_text(encoding="utf-8")
    zoomer = tmp_path / f"zoomer{len(annotation)}.py"
    zoomer.write_text(source.replace("(self, config: ToyConfig)", f"(self, config{annotation})"))
    torch.save({"toy_finder": torch.nn.Conv2d(3, 4, 5).state_dict()}, "zoomer.pth")
    with installed(tmp_path / "site", zoomer, registry.GROUP, "toy", f"{zoomer.stem}:SPEC"):
        code, out, err = run("weights", "import", "zoomer.pth", "--family", "toy")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert "Toy.__init__ does not say which dataclass its config is" in err and "config: MyConfig" in err


@pytest.mark.parametrize(("maker", "more"), [("full_size", ()), ("from_published", ("--config", "a.json"))])
def test_a_config_that_can_not_be_made_is_said(tmp_path: Path, run: Run, maker: str, more: tuple[str, ...]) -> None:
    source = (ROOT / "tests/support/toy_family.py").read_text(encoding="utf-8")
    zoomer = tmp_path / f"without_{maker}.py"
    zoomer.write_text(source.replace(f"def {maker}", "def other"))
    torch.save({"toy_finder": torch.nn.Conv2d(3, 4, 5).state_dict()}, "zoomer.pth")
    (tmp_path / "a.json").write_text('{"points": 4}')
    with installed(tmp_path / "site", zoomer, registry.GROUP, "toy", f"{zoomer.stem}:SPEC"):
        code, out, err = run("weights", "import", "zoomer.pth", "--family", "toy", *more)
    assert (code, out) == (2, "") and f"ToyConfig of toy has no {maker}(). Write that classmethod" in err


def test_a_broken_package_is_left_out_with_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    with installed(tmp_path / "site", tmp_path / "broken.py", registry.GROUP, "broken", "broken:SPEC"):
        assert "broken" in registry.names() and "fomm" in {family.name for family in registry.specs()}
        with pytest.raises(WeightsError, match="family 'broken': broken:SPEC can not be imported.*no_such_module"):
            registry.spec("broken")
    assert "no_such_module" in caplog.text and "broken" not in registry.names()


def test_no_room_asks_which_family_it_is() -> None:
    home = ROOT / "speechhead/generators/families"
    rooms = ("generators", "render", "avatar", "cli", "api.py")
    places = [ROOT / "speechhead" / room for room in rooms] + [ROOT / "server", ROOT / "pipelines/train/families"]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))]
    classes = {family.model.partition(":")[2] for family in registry.specs()}
    for file in files:
        text = "" if home in file.parents else file.read_text(encoding="utf-8")
        asked = [name for name in registry.names() if f'"{name}"' in text or f'"{name.replace("-", "_")}"' in text]
        asked += [name for name in classes if re.search(rf"isinstance\([^)]*\b{name}\b", text)]
        assert not asked, f"{file} asks for {asked[0]}"
