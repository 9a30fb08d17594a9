"""Scenes of portraits: what the file says beside the pictures, and the command that writes it."""

import os

import numpy as np
import pytest
from typer.testing import CliRunner

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.scene import scene_of
from speechhead.avatar.square import on_stage
from speechhead.cli.main import app
from speechhead.core.errors import ControlError
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.scene.file import SceneFile, SceneWriter, check_scene

SIZE = 128


def test_a_crop_within_its_square_is_told_with_the_square():
    avatar = Avatar.default(SIZE)
    narrow = Avatar.cut(avatar.picture[:, : avatar.box[2] * 3 // 4].copy(), avatar.box, avatar.mesh, avatar.size)
    for shown, whole in ((avatar, True), (narrow, False)):
        staged = on_stage(shown, SIZE)
        scene = SceneFile(scene_of(staged, CompactGenerator.load(SIZE)))
        assert tuple(scene.told["box"]) == staged.box and (staged.box == (0, 0, SIZE)) is whole
        assert ("picture" in scene) is not whole
        if not whole:
            assert (scene.array("picture") == staged.picture).all()


def test_only_compact_has_scenes():
    class Other:
        family = "other"

    with pytest.raises(ControlError, match="'other' has no scenes"):
        scene_of(Avatar.default(SIZE), Other())


def test_the_command_writes_a_scene(tmp_path):
    file = tmp_path / "mara.scene"
    result = CliRunner().invoke(app, ["scene", "mara", "-o", str(file), "--size", str(SIZE)])
    assert result.exit_code == 0, result.output
    told = SceneFile(file.read_bytes()).told
    assert (told["name"], told["size"], told["fps"]) == ("mara", SIZE, 25)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("notes.txt", "'.txt' is no ending of a scene. Use .scene."),
        ("mara.avatar", "'.avatar' is no ending of a scene. Use .scene."),
        ("full", "'' is no ending of a scene. Use .scene."),
        ("text.scene", "is there already and is no scene. Choose another name."),
        ("folder.scene", "not a plain file. Choose another output."),
        ("pipe.scene", "not a plain file. Choose another output."),
        ("gone/a.scene", "does not exist. Choose another output."),
    ],
)
def test_what_is_no_place_for_a_scene_stays(tmp_path, name, said):
    (tmp_path / "text.scene").write_text("mine")
    (tmp_path / "folder.scene").mkdir()
    if name == "pipe.scene":
        if not hasattr(os, "mkfifo"):
            pytest.skip("the system has no pipes with a name")
        os.mkfifo(tmp_path / name)
    before = sorted(os.listdir(tmp_path))
    result = CliRunner().invoke(app, ["scene", "mara", "-o", str(tmp_path / name)])
    assert result.exit_code and str(result.exception).startswith(f"{tmp_path / name}: ")
    assert str(result.exception).endswith(said) and sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "text.scene").read_text() == "mine"


def test_a_scene_replaces_a_scene(tmp_path):
    scene = SceneWriter()
    scene.put("rest", np.zeros(3, np.float32))
    (tmp_path / "a.scene").write_bytes(scene.bytes())
    check_scene(tmp_path / "a.scene")
    check_scene(tmp_path / "new.scene")
