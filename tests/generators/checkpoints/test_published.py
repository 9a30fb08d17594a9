"""Published containers become weights of ours; what does not fit, or is not safe, is one clear line."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
fakes_torch = pytest.importorskip("support.fakes_torch")

from speechhead.core import weights  # noqa: E402
from speechhead.core.errors import WeightsError  # noqa: E402
from speechhead.generators.checkpoints import (  # noqa: E402
    imported,
    stored,
)
from speechhead.generators.checkpoints.published import import_checkpoint  # noqa: E402
from speechhead.generators.checkpoints.stored import open_family  # noqa: E402
from speechhead.generators.families import registry  # noqa: E402


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """The family fomm is the tiny one; the user's folder is a temporary one."""
    fakes_torch.stand_in(monkeypatch)
    monkeypatch.setenv(weights.USER_FOLDER, str(tmp_path / "home"))
    torch.manual_seed(0)
    return fakes_torch.Tiny(fakes_torch.TinyConfig())


def published(model, prefix=""):
    """The container in which FOMM is published."""
    state = {name: dict(getattr(model, name).state_dict(prefix=prefix)) for name in ("generator", "kp_detector")}
    optimizer = torch.optim.Adam(model.parameters()).state_dict()
    extra = {"discriminator": {"conv.weight": torch.zeros(2, 2)}, "optimizer_generator": optimizer}
    return {**state, **extra, "epoch": 99, "loss": np.float64(0.5)}


def saved(content, path, **options):
    torch.save(content, path, **options)
    return path


def refused(path, *words, family="fomm", **options):
    with pytest.raises(WeightsError) as caught:
        import_checkpoint(path, family, os.path.dirname(path) + "/out.safetensors", **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400, message
    for word in words:
        assert word in message, message
    assert not os.path.exists(os.path.dirname(path) + "/out.safetensors")


def same(model, other):
    ours, theirs = model.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("old", [False, True])
def test_nested_dictionaries_with_and_without_parallel_prefix(tiny, tmp_path, prefix, old):
    path = saved(published(tiny, prefix), tmp_path / "a.pth.tar", _use_new_zipfile_serialization=not old)
    out, family = import_checkpoint(path, "fomm", tmp_path / "a.safetensors")
    model = open_family(out)
    assert family == "fomm" and model.config == tiny.config and same(model, tiny) and not model.training


def test_half_is_half_the_size_and_nearly_the_same(tiny, tmp_path):
    path = saved(published(tiny), tmp_path / "a.pth.tar")
    out, _ = import_checkpoint(path, "fomm", tmp_path / "a.safetensors", half=True)
    model = open_family(out)
    for ours, theirs in zip(model.parameters(), tiny.parameters()):
        assert ours.dtype == torch.float32 and torch.allclose(ours, theirs, atol=1e-3)


def test_a_file_per_network_in_a_folder(tiny, tmp_path):
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    saved(dict(tiny.generator.state_dict()), folder / "generator.pth")
    saved({"state_dict": dict(tiny.kp_detector.state_dict())}, folder / "deep" / "kp_detector.pt")
    (folder / "notes.txt").write_text("nothing")
    out, _ = import_checkpoint(folder, "fomm", tmp_path / "a.safetensors")
    assert same(open_family(out), tiny)
    saved(dict(tiny.generator.state_dict()), folder / "deep" / "generator.pth")
    refused(folder, "generator", "one model")


def test_weights_of_ours_are_imported_again(tiny, tmp_path):
    first = stored.save_family(tiny, tmp_path / "a.safetensors")
    out, _ = import_checkpoint(first, "fomm", tmp_path / "b.safetensors")
    assert same(open_family(out), tiny)


def test_config_from_the_published_yaml(tmp_path):
    pytest.importorskip("yaml")
    model = fakes_torch.Tiny(fakes_torch.TinyConfig(num_kp=7))
    path = saved(published(model), tmp_path / "a.pth.tar")
    (tmp_path / "a.yaml").write_text("model_params:\n  num_kp: 7\n")
    (tmp_path / "bad.yaml").write_text("dataset_params: {}\n")
    (tmp_path / "worse.yaml").write_text("{[")
    (tmp_path / "list.json").write_text("[1]")
    out, _ = import_checkpoint(path, "fomm", tmp_path / "b.safetensors", tmp_path / "a.yaml")
    assert open_family(out).config.num_kp == 7
    refused(path, "7x3x3x3, not 3x3x3x3", "--config")
    for name in ("bad.yaml", "worse.yaml", "list.json", "none.yaml"):
        refused(path, "published yaml" if name != "none.yaml" else "none.yaml", config=tmp_path / name)


def test_keys_and_shapes_are_checked(tiny, tmp_path):
    def changed(change):
        content = published(tiny)
        change(content)
        return saved(content, tmp_path / "a.pth.tar")

    refused(changed(lambda c: c["generator"].pop("0.bias")), "1 keys missing", "generator.0.bias")
    refused(changed(lambda c: c["generator"].update(more=torch.zeros(1))), "1 unexpected", "generator.more")
    refused(changed(lambda c: c["generator"].update({"0.bias": torch.zeros(9)})), "generator.0.bias is 9, not 4")
    refused(changed(lambda c: c.pop("kp_detector")), "kp_detector of fomm missing", "generator")


def test_senseless_configs_are_one_line(monkeypatch):
    fakes_torch.stand_in(monkeypatch, model="speechhead.generators.families.fomm:Fomm")
    from speechhead.generators.checkpoints.published import configure
    from speechhead.generators.checkpoints.shapes import skeleton
    from speechhead.generators.checkpoints.stored import config_from_json

    for name in registry.names():
        for content in (
            {},
            {"model_params": None},
            {"model_params": []},
            {"model_params": {"common_params": 3}},
            {"a": 1},
        ):
            with pytest.raises(WeightsError, match="published yaml"):
                configure(name, {}, content)
        config = registry.config_class(name).full_size()
        data = dataclasses.asdict(config)
        for key, value in data.items():
            if isinstance(value, dict):
                broken = {**data, key: dict.fromkeys(value, "x")}
                with pytest.raises(WeightsError) as caught:
                    skeleton(name, config_from_json(type(config), broken))
                assert "\n" not in str(caught.value)


def test_another_family_is_named(tiny, tmp_path):
    content = published(tiny)
    refused(saved({**content, "he_estimator": {"a": torch.zeros(1)}}, tmp_path / "a.pth.tar"), "--family face-vid2vid")
    refused(saved(content, tmp_path / "b.pth.tar"), "of fomm, not of liveportrait", family="liveportrait")
    refused(tmp_path / "b.pth.tar", "family 'gan' is unknown", "liveportrait", family="gan")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_none_are_refused_by_the_tensors_name(tiny, tmp_path, bad):
    content = published(tiny)
    content["generator"]["0.weight"][1, 0, 0, 0] = bad
    refused(saved(content, tmp_path / "a.pth.tar"), "generator.0.weight has NaN or infinity in 1 of")
    with torch.no_grad():
        tiny.generator[0].bias[:2] = bad
    ours = stored.save_family(tiny, tmp_path / "ours.safetensors")
    with pytest.raises(WeightsError, match=r"ours.safetensors: generator.0.bias has NaN or infinity in 2 of 4 numbers"):
        open_family(ours)


def test_numbers_too_large_for_half_precision_are_told(tiny, tmp_path):
    content = published(tiny)
    content["generator"]["0.weight"][0] = 1e5
    path = saved(content, tmp_path / "a.pth.tar")
    refused(path, "generator.0.weight has numbers too large for half precision. Leave --half out.", half=True)
    assert import_checkpoint(path, "fomm", tmp_path / "b.safetensors")[0].is_file()


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_networks_that_torch_wrapped_are_unwrapped(tiny, tmp_path, prefix):
    out, _ = import_checkpoint(saved(published(tiny, prefix), tmp_path / "a.pth"), "fomm", tmp_path / "a.safetensors")
    assert same(open_family(out), tiny)


class Trap:
    """Makes a folder when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("old", [False, True])
def test_code_in_a_checkpoint_is_never_run(tiny, tmp_path, old):
    content = {**published(tiny), "config": Trap(tmp_path / "ran")}
    path = saved(content, tmp_path / "a.pth.tar", _use_new_zipfile_serialization=not old)
    refused(path, "holds code", "not run")
    assert not (tmp_path / "ran").exists()
    torch.load(path, weights_only=False)  # it would have
    assert (tmp_path / "ran").exists()


def test_damaged_files(tiny, tmp_path):
    path = saved(published(tiny), tmp_path / "a.pth.tar")
    whole = path.read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"", b"<html>quota exceeded</html>", b"hello" * 99)):
        bad = tmp_path / f"{number}.pth.tar"
        bad.write_bytes(content)
        refused(bad, f"{number}.pth.tar", "ownload it again")
    (tmp_path / "a.safetensors").write_bytes(b"\1\2\3")
    refused(tmp_path / "a.safetensors", "safetensors")
    refused(saved([torch.zeros(1)], tmp_path / "list.pth"), "holds a list")
    refused(tmp_path / "missing.pth", "no such checkpoint")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no checkpoint in this folder")


def test_opening_checks_the_file(tiny, tmp_path):
    path = stored.save_family(tiny, tmp_path / "a.safetensors")
    whole = path.read_bytes()
    with pytest.raises(WeightsError, match="weights of fomm, not of dagan"):
        open_family(path, "dagan")
    path.write_bytes(whole[:-40])
    with pytest.raises(WeightsError, match="intact"):
        open_family(path)
    with pytest.raises(WeightsError, match="no such weight file"):
        open_family(tmp_path / "b.safetensors")
    stored.save_state({"a": torch.zeros(1)}, "fomm", tiny.config, path)
    with pytest.raises(WeightsError, match="1 unexpected"):
        open_family(path)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="weights import"):
        open_family(path)


def test_generators_are_found_by_name_and_by_family(tiny):
    folder = weights.user_folder()
    with pytest.raises(
        WeightsError, match="first-order-model and run `speechhead weights import FILE --family fomm`"
    ) as caught:
        imported.find_generator("fomm")
    assert "pull" not in str(caught.value)  # which would refuse it
    with pytest.raises(WeightsError, match="weights pull liveportrait`, or `speechhead weights import"):
        imported.find_generator("liveportrait")
    mine = stored.save_family(tiny, folder / "mine.safetensors")
    (folder / "broken.safetensors").write_bytes(b"no")
    assert imported.find_generator("fomm") == imported.find_generator("mine") == mine
    stored.save_family(tiny, folder / "other.safetensors")
    with pytest.raises(WeightsError, match="mine, other"):
        imported.find_generator("FOMM")
    own = stored.save_family(tiny, folder / "fomm.safetensors")
    assert imported.find_generator("fomm") == own and set(imported.imported()) == {"mine", "other", "fomm"}
    with pytest.raises(WeightsError, match="unknown"):
        imported.find_generator("gan")


ODD = {
    "sparse": lambda tensor: tensor.to_sparse(),
    "complex": lambda tensor: tensor.to(torch.complex64),
    "float8": lambda tensor: tensor.to(torch.float8_e4m3fn),
    "empty": lambda tensor: tensor.to("meta"),
}
"""Tensors that are no plain rows of numbers, and fit in name and shape."""


@pytest.mark.parametrize("kind", ODD)
def test_tensors_of_an_odd_kind_are_refused_by_name(tiny, tmp_path, kind):
    content = published(tiny)
    key = next(key for key, value in content["generator"].items() if value.dim() > 1)
    content["generator"][key] = ODD[kind](content["generator"][key])
    refused(saved(content, tmp_path / "odd.pth.tar"), f"generator.{key} holds no plain numbers", "Save it dense")
