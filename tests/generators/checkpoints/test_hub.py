"""Pulling published weights: licence asked, hashes checked, resumed and remembered; a stand-in plays the hub."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
from support.fakes_torch import Tiny, TinyConfig, stand_in  # noqa: E402

from speechhead.cli import main as cli  # noqa: E402
from speechhead.core import weights  # noqa: E402  # noqa: E402
from speechhead.core.errors import WeightsError  # noqa: E402
from speechhead.generators.checkpoints import hub, imported, stored  # noqa: E402
from speechhead.generators.families import registry  # noqa: E402
from speechhead.generators.families.spec import PublishedWeights  # noqa: E402


class Hub:
    """Serves files of a folder; breaks on demand."""

    def __init__(self, folder, files):
        self.folder, self.files, self.sha = folder, files, "c0ffee"
        self.offline, self.fetched, self.asked = False, [], []

    def HfApi(self):
        return self

    def model_info(self, repo, revision=None, files_metadata=False):
        assert repo == "someone/model" and files_metadata
        self.asked.append(revision)
        if self.offline:
            raise ConnectionError("no route to host")
        siblings = [SimpleNamespace(rfilename=name, lfs=SimpleNamespace(sha256=h)) for name, h in self.files.items()]
        return SimpleNamespace(sha=revision or self.sha, siblings=[*siblings, SimpleNamespace(rfilename="x", lfs=None)])

    def hf_hub_download(self, repo, file, revision=None):
        self.fetched.append((file, revision))
        return str(self.folder / file)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A hub that has a tiny model in two files, as the family fomm."""
    torch.manual_seed(0)
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    files = ("deep/generator.pth", "kp_detector.pth")
    stand_in(monkeypatch, published=PublishedWeights("https://page", "MIT", "someone/model", files))
    model, folder = Tiny(TinyConfig()), tmp_path / "hub"
    (folder / "deep").mkdir(parents=True)
    torch.save(dict(model.generator.state_dict()), folder / files[0])
    torch.save(dict(model.kp_detector.state_dict()), folder / files[1])
    return Hub(folder, {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files})


def agree(terms):
    assert "licence: MIT" in terms and "https://page" in terms
    return True


def test_pulled_weights_are_imported_and_remembered(served):
    path = hub.pull("FOMM", agree, hub=served)
    assert path == weights.user_folder() / "fomm.safetensors" == imported.find_generator("fomm")
    model = stored.open_family(path)
    assert model.config == TinyConfig()
    assert weights.read_metadata(path)["licence"] == "MIT"
    lock = json.loads((weights.user_folder() / hub.LOCK).read_text())
    assert lock["fomm"] == {"repo": "someone/model", "revision": "c0ffee", "files": served.files}
    assert [revision for _, revision in served.fetched] == ["c0ffee", "c0ffee"]
    served.sha = "newer"
    hub.pull("fomm", agree, hub=served)
    assert served.asked == [None, "c0ffee"]  # the revision of the first time
    hub.pull("fomm", agree, hub=served, update=True)
    assert served.asked[-1] is None and served.fetched[-1][1] == "newer"


def test_what_was_fetched_once_must_stay_the_same(served):
    hub.pull("fomm", agree, hub=served)
    lock = weights.user_folder() / hub.LOCK
    entry = json.loads(lock.read_text())
    entry["fomm"]["files"]["kp_detector.pth"] = "0" * 64
    lock.write_text(json.dumps(entry))
    with pytest.raises(WeightsError, match="--update"):
        hub.pull("fomm", agree, hub=served)
    lock.write_text("{")
    with pytest.raises(WeightsError, match="not readable"):
        hub.pull("fomm", agree, hub=served)


def test_a_declined_licence_fetches_nothing(served):
    with pytest.raises(WeightsError, match="--yes"):
        hub.pull("fomm", lambda terms: False, hub=served)
    assert not served.asked and not served.fetched and imported.imported() == {}


def test_damaged_downloads_are_removed(served):
    (served.folder / "kp_detector.pth").write_bytes(b"cut off")
    with pytest.raises(WeightsError, match="kp_detector.pth arrived damaged"):
        hub.pull("fomm", agree, hub=served)
    assert not (served.folder / "kp_detector.pth").exists() and imported.imported() == {}


def test_offline_and_unlisted_files(served):
    served.offline = True
    with pytest.raises(WeightsError, match=r"could not be fetched .*ConnectionError.* Check the network") as caught:
        hub.pull("fomm", agree, hub=served)
    assert "\n" not in str(caught.value)
    served.offline = False
    del served.files["kp_detector.pth"]
    with pytest.raises(WeightsError, match="no hash of kp_detector.pth"):
        hub.pull("fomm", agree, hub=served)


def test_families_that_are_not_on_a_hub_say_where_they_are():
    for name in ("fomm", "face_vid2vid", "dagan"):
        with pytest.raises(WeightsError, match=r"https://github.com/.*weights import FILE --family") as caught:
            hub.pull(name, agree)
        assert "\n" not in str(caught.value)
    assert all(family.published for family in registry.specs())


def test_the_published_files_are_all_parts_of_the_family():
    known = registry.spec("liveportrait")
    assert known.published is not None
    stems = {file.split("/")[-1].removesuffix(".pth") for file in known.published.files}
    assert stems == {part.split(".")[0] for part in known.submodules}


def test_the_hub_client_takes_the_calls_that_are_made():
    client = pytest.importorskip("huggingface_hub")
    inspect.signature(client.HfApi.model_info).bind(None, "repo", revision=None, files_metadata=True)
    inspect.signature(client.hf_hub_download).bind("repo", "file", revision="c0ffee")


def command(*arguments, home, blocked=()):
    code = (
        f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\nfrom speechhead.cli.main import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, weights.USER_FOLDER: str(home)},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def test_the_command_without_huggingface_hub(tmp_path):
    done = command("weights", "pull", "liveportrait", "--yes", home=tmp_path, blocked=("huggingface_hub",))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "speechhead[hub]" in done.stderr, done.stderr
    done = command("weights", "pull", "fomm", home=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "first-order-model" in done.stderr


def test_the_import_command(tmp_path, monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["speechhead", "weights", *arguments])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code, *capsys.readouterr()

    torch.save({"generator": {"a": torch.zeros(1)}, "kp_detector": {"a": torch.zeros(1)}}, "a.pth.tar")
    for arguments, word in (
        (("a.pth.tar", "--family", "fomm"), "does not fit fomm"),
        (("b.pth.tar", "--family", "fomm"), "no such checkpoint"),
        (("a.pth.tar", "--family", "gan"), "unknown"),
        (("a.pth.tar", "--family", "fomm", "--name", "../x"), "not usable"),
    ):
        code, out, err = run("import", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1) and word in err, err
    assert imported.imported() == {}
    stand_in(monkeypatch)
    model = Tiny(TinyConfig())
    torch.save({name: dict(getattr(model, name).state_dict()) for name in ("generator", "kp_detector")}, "a.pth.tar")
    code, out, err = run("import", "a.pth.tar", "--family", "FOMM", "--name", "mine", "--half")
    assert (code, err) == (0, "") and out.strip().endswith("mine.safetensors") and "mine" in imported.imported()
    code, out, _ = run("list")
    assert code == 0 and "mine" in out and "a.pth.tar" in out and "face_mesh.onnx" in out
    signal.signal(signal.SIGTERM, before)
