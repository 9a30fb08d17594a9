"""Scenes of portraits: what the file says beside the pictures, and the command that writes it."""

import pytest
from typer.testing import CliRunner

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.scene import scene_of
from speechhead.avatar.square import on_stage
from speechhead.cli.main import app
from speechhead.core.errors import ControlError
from speechhead.generators.compact.generator import CompactGenerator
from speechhead.generators.compact.scene.file import SceneFile

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
