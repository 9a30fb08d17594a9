"""Results come into their place whole, whatever lies beside them, and a refusal is one line with the path asked for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from speechhead.core.errors import MediaError, WeightsError
from speechhead.core.outputs import replaced


def test_a_link_laid_beforehand_is_not_followed(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "v.scene"
    victim.write_text("mine")
    (tmp_path / ".v.scene.part").symlink_to(victim)
    names = set()
    for _ in range(2):
        with replaced(target) as part:
            names.add(part.name)
            part.write_text("new")
    assert victim.read_text() == "mine" and target.read_text() == "new" and len(names) == 2


@pytest.mark.skipif(os.name == "nt", reason="there are no such modes there")
def test_the_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with replaced(tmp_path / "result") as part:
        part.write_text("new")
    plain, result = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "result"))
    assert plain == result


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt(), KeyError()])
def test_nothing_stays_behind_and_the_old_result_does(tmp_path: Path, fault: BaseException) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    expected = MediaError if isinstance(fault, OSError) else type(fault)
    with pytest.raises(expected) as caught, replaced(target) as part:
        part.write_text("half")
        raise fault
    assert os.listdir(tmp_path) == ["a.json"] and target.read_text() == "old"
    if expected is MediaError:
        assert str(caught.value) == f"{target}: disk full. Free some space. Choose another output."


def test_a_missing_folder_and_a_folder_in_the_way_are_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "a.json"
    with pytest.raises(WeightsError) as caught, replaced(gone, WeightsError):
        pass
    assert str(caught.value) == f"{gone}: folder '{gone.parent}' does not exist. Create it first."
    (tmp_path / "b.json").mkdir()
    with pytest.raises(MediaError, match=r"b\.json: is a directory\. Choose"), replaced(tmp_path / "b.json") as part:
        part.write_text("new")
    assert os.listdir(tmp_path) == ["b.json"]
