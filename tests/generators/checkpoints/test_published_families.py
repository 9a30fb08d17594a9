"""Every family: what its authors publish is imported whole, small and in full size, and runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from support.published import published_keys  # noqa: E402
from support.small_families import PUBLISHED, SIZE, published_container, small  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from speechhead.cli.main import app  # noqa: E402
from speechhead.core import weights  # noqa: E402
from speechhead.core.errors import ControlError, WeightsError  # noqa: E402
from speechhead.generators.checkpoints import stored  # noqa: E402
from speechhead.generators.checkpoints.published import import_checkpoint  # noqa: E402
from speechhead.generators.checkpoints.shapes import skeleton  # noqa: E402
from speechhead.generators.families import registry  # noqa: E402
from speechhead.generators.families.retargeting import Openings  # noqa: E402


def same(state, other):
    return state.keys() == other.keys() and all(torch.equal(state[key], other[key]) for key in state)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("name", PUBLISHED)
def test_round_trip_through_the_published_container(name, prefix, tmp_path):
    model = small(name)
    path = published_container(name, model, tmp_path / "model", prefix)
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED[name] | {"dataset_params": {"frame_shape": [SIZE] * 3}}))
    asked = name.removesuffix("-f2f")
    out, found = import_checkpoint(path, asked, tmp_path / "a.safetensors", tmp_path / "config.json")
    opened = stored.open_family(out, asked)
    assert found == opened.name == name and same(opened.state_dict(), model.state_dict())
    image = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        portrait = model.motion(image[:1])
        moved = model.transfer(portrait, model.motion(image))
        expected = model.render(model.appearance(image[:1]), portrait, moved)
        given = opened.render(opened.appearance(image[:1]), portrait, moved)
    assert torch.equal(given, expected) and expected.std() > 1e-4


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_part_that_is_missing_is_named(name, tmp_path):
    path = published_container(name, small(name), tmp_path / "model")
    if path.is_dir():
        victim = next(path.rglob("motion_extractor.pth" if name == "liveportrait" else "encoder.pth"))
        part = "motion_extractor" if name == "liveportrait" else "depth_encoder"
        victim.unlink()
    else:
        content = torch.load(path, weights_only=True)
        part = "hpe_ede" if name.endswith("f2f") else "kp_detector"
        del content[part]
        torch.save(content, path)
    with pytest.raises(WeightsError) as caught:
        import_checkpoint(path, name, tmp_path / "a.safetensors", PUBLISHED[name])
    assert part in str(caught.value) and "missing" in str(caught.value) and "\n" not in str(caught.value)


def rewritten(path, change):
    """Every checkpoint file of a container with its state dicts changed."""
    files = [file for file in path.rglob("*") if file.suffix in (".pth", ".tar")] if path.is_dir() else [path]
    for file in files:
        content = torch.load(file, weights_only=True)
        nested = {key: change(value) if isinstance(value, dict) else value for key, value in content.items()}
        torch.save(change(nested), file)
    return path


@pytest.mark.parametrize("name", PUBLISHED)
def test_checkpoints_without_counters_of_batches_are_whole(name, tmp_path):
    model = small(name)
    path = published_container(name, model, tmp_path / "model")
    counted = [key for key in model.state_dict() if key.endswith("num_batches_tracked")]
    rewritten(path, lambda state: {key: value for key, value in state.items() if "num_batches_tracked" not in str(key)})
    out, _ = import_checkpoint(path, name, tmp_path / "a.safetensors", PUBLISHED[name])
    opened = stored.open_family(out).state_dict()
    assert counted and all(opened[key] == 0 for key in counted)
    assert all(torch.equal(opened[key], value) for key, value in model.state_dict().items() if key not in counted)
    assert "without" not in weights.read_metadata(out)


@pytest.mark.parametrize(("name", "kind"), [("fomm", torch.float16), ("liveportrait", torch.bfloat16)])
def test_half_precision_checkpoints_are_read(name, kind, tmp_path):
    model = small(name)
    path = published_container(name, model, tmp_path / "model", "module.")
    halved = lambda value: value.to(kind) if torch.is_tensor(value) and value.is_floating_point() else value  # noqa: E731
    rewritten(path, lambda state: {key: halved(value) for key, value in state.items()})
    out, _ = import_checkpoint(path, name, tmp_path / "a.safetensors", PUBLISHED[name])
    for ours, theirs in zip(stored.open_family(out).parameters(), model.parameters(), strict=True):
        assert ours.dtype == torch.float32 and torch.equal(ours, theirs.to(kind).float())


def test_liveportrait_without_its_retargeting_file_does_the_rest(tmp_path):
    folder = published_container("liveportrait", small("liveportrait"), tmp_path / "model")
    shutil.rmtree(folder / "retargeting_models")
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED["liveportrait"] | {"image_size": SIZE}))
    target = tmp_path / "bare.safetensors"
    call = ["weights", "import", str(folder), "--family", "liveportrait", "--config", str(tmp_path / "config.json")]
    result = CliRunner().invoke(app, [*call, "-o", str(target)])
    assert (
        result.exit_code == 0 and "not in these files: stitching_retargeting_module.retarget_shoulder" in result.output
    )
    bare, whole = stored.open_family(target), small("liveportrait")
    assert bare.config.retargeting is None
    image = torch.rand(2, 3, SIZE, SIZE)
    source, driver = bare.motion(image[:1]), bare.motion(image)
    first = {key: value[:1] for key, value in driver.items()}
    open_lips = Openings(torch.full((1, 2), 0.3), torch.full((1, 1), 0.5))
    moved = bare.transfer(source, driver, first, source_open=open_lips)
    unstitched = whole.transfer(source, driver, first, stitching=False, normalise_lip=False)
    assert torch.equal(moved["value"], unstitched["value"])
    assert bare.render(bare.appearance(image[:1]), source, moved).isfinite().all()
    assert torch.equal(registry.spec("liveportrait").settle(bare, source, moved)["value"], moved["value"])
    with pytest.raises(ControlError, match=r"weights lack. Import them anew, with stitching_retargeting_module.pth"):
        bare.transfer(source, driver, first, source_open=open_lips, driver_open=open_lips, eye_retargeting=True)
    with pytest.raises(WeightsError, match="lack stitching and retargeting"):
        _ = bare.retargeting
    heads = published_container("liveportrait", small("liveportrait"), tmp_path / "again")
    file = heads / "retargeting_models" / "stitching_retargeting_module.pth"
    torch.save({key: value for key, value in torch.load(file).items() if key != "retarget_eye"}, file)
    with pytest.raises(WeightsError, match="retarget_eye of liveportrait missing"):  # a part of it is damage
        import_checkpoint(heads, "liveportrait", tmp_path / "b.safetensors", PUBLISHED["liveportrait"])


def test_files_may_be_named_one_by_one(tmp_path):
    folder = published_container("dagan", small("dagan"), tmp_path / "model")
    files = [file for file in folder.rglob("*") if file.is_file()]
    import_checkpoint(files, "dagan", tmp_path / "a.safetensors", PUBLISHED["dagan"])
    with pytest.raises(WeightsError, match="depth_encoder, depth_decoder of dagan missing"):
        import_checkpoint(folder / "DaGAN_vox.pth.tar", "dagan", tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match="of dagan, not of fomm. Use --family dagan"):
        import_checkpoint(folder, "fomm", tmp_path / "a.safetensors")


def test_sizes_are_read_off_the_weights_where_they_tell(tmp_path):
    for name in ("fomm", "dagan"):
        path = published_container(name, small(name), tmp_path / name)
        out, _ = import_checkpoint(path, name, tmp_path / f"{name}.safetensors")
        assert stored.open_family(out).config.num_kp == 4


FULL = {
    "fomm": ("fomm", {}),
    "face-vid2vid": ("facevid2vid_osfv", {"generator_original": "generator"}),
    "face-vid2vid spade": ("facevid2vid_osfv", {"generator_spade": "generator"}),
    "face-vid2vid-f2f": ("facevid2vid_f2f", {}),
    "dagan": ("dagan", {"generator (DepthAwareGenerator)": "generator"}),
    "dagan spade": ("dagan", {"generator (SPADEDepthAwareGenerator)": "generator"}),
    "liveportrait": ("liveportrait", {}),
}
"""Published model: its list of keys, and which of several forms of the generator it is."""


def published_shapes(model):
    """Shapes by group and key."""
    file, chosen = FULL[model]
    groups = {}
    for group, keys in published_keys(file, Path()).items():
        if group in chosen or not group.startswith("generator") or not chosen:
            groups[chosen.get(group, group)] = {key: shape for key, (shape, _) in keys.items()}
    return groups


def empty(shapes):
    """Tensors of these shapes that take no memory and hardly any space in a file."""
    return {key: torch.zeros(()).expand(shape) for key, shape in shapes.items()}


@pytest.mark.parametrize("model", FULL)
def test_full_size_is_read_from_the_published_keys(model, tmp_path):
    name, folder = model.split()[0], tmp_path / "model"
    folder.mkdir()
    groups = published_shapes(model)
    nested = {}
    for group, shapes in groups.items():
        if "weights_19/" in group:
            torch.save({**empty(shapes), "height": 192}, folder / f"{group.split('/')[-1].split('.')[0]}.pth")
        elif ".pth" in group and " / " not in group and "depth_face" not in group:
            torch.save(empty(shapes), folder / group)
        elif " / " in group:
            entry = group.split(" / ")[1]
            nested[entry] = {f"module.{key}": value for key, value in empty(shapes).items()}
        elif "depth_face" not in group:
            nested[group] = empty(shapes)
    torch.save({**nested, "epoch": 1}, folder / "00000001-checkpoint.pth.tar")
    state = read(folder, name)
    config = registry.config_class(name).full_size()
    config = config.fitted_to(state) if hasattr(config, "fitted_to") else config
    wanted = skeleton(name, config)
    assert {key: value.shape for key, value in wanted.items()} == {key: value.shape for key, value in state.items()}
    assert len(state) == sum(len(shapes) for group, shapes in groups.items() if group_is_used(group))


def group_is_used(group):
    return group != "discriminator" and "depth_face" not in group


def read(folder, name):
    from speechhead.generators.checkpoints import published as checkpoints

    return checkpoints._gather(checkpoints._parts(checkpoints._files([folder])), name, str(folder))


def test_the_beta_checkpoint_is_known_by_its_missing_buffer(tmp_path):
    groups = published_shapes("face-vid2vid")
    del groups["kp_detector"]["down.weight"]
    torch.save({group: empty(shapes) for group, shapes in groups.items()}, tmp_path / "a.pth.tar")
    kind = registry.config_class("face-vid2vid")
    assert kind.full_size().fitted_to(read(tmp_path, "face-vid2vid")) == kind.beta()


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_full_size_imports_and_opens(name, tmp_path):
    model = registry.build(name, registry.config_class(name).full_size())
    path = published_container(name, model, tmp_path / "model")
    out, _ = import_checkpoint(path, name, tmp_path / "a.safetensors", half=True)
    assert stored.open_family(out).state_dict().keys() == model.state_dict().keys()
