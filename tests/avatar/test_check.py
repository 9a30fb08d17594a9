"""What `speechhead check` says of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from speechhead.avatar.check import check
from speechhead.avatar.named import shipped
from speechhead.cli.main import app
from speechhead.core.errors import FaceError, ImageError
from speechhead.media.image import load_image

GOOD = shipped()["mara"].path


def changed(tmp_path: Path, how: str) -> Path:
    """The good portrait, made worse in one way."""
    picture: NDArray[Any] = load_image(GOOD)
    if how == "small":
        picture = cv2.resize(picture, (300, 300), interpolation=cv2.INTER_AREA)
    elif how == "blurred":
        picture = cv2.GaussianBlur(picture, (0, 0), 6)
    elif how == "dark":
        picture = (picture * 0.2).astype(np.uint8)
    elif how == "one side":
        fall = np.interp(np.arange(picture.shape[1]), (210, 430), (0.25, 1.3))
        picture = (picture * fall[None, :, None]).clip(0, 255).astype(np.uint8)
    target = tmp_path / f"{how}.png"
    Image.fromarray(picture).save(target)
    return target


def test_a_good_portrait_needs_no_advice() -> None:
    report = check(GOOD)
    assert report.lines == () and report.eyes > 120
    assert max(abs(report.yaw), abs(report.pitch), abs(report.roll)) < 5 and report.opening < 0.03
    done = CliRunner().invoke(app, ["check", str(GOOD)])
    assert done.exit_code == 0 and "works well" in done.output


@pytest.mark.parametrize("how", ["small", "blurred", "dark", "one side"])
def test_each_fault_is_named_and_no_other(how: str, tmp_path: Path) -> None:
    (line,) = check(changed(tmp_path, how)).lines
    word = {"small": "larger picture"}.get(how, how)
    assert word in line and "\n" not in line


def test_what_can_not_speak_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((200, 200, 3), 120, np.uint8)).save(tmp_path / "wall.png")
    with pytest.raises(FaceError, match=r"wall\.png"):
        check(tmp_path / "wall.png")


def test_an_animation_is_noted(tmp_path: Path) -> None:
    with Image.open(GOOD) as picture:
        still = picture.convert("RGB").reduce(2)
    still.save(tmp_path / "a.gif", save_all=True, append_images=[still.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    assert "an animation. Its first picture is taken." in check(tmp_path / "a.gif").lines[0]


def test_a_prepared_avatar_is_told_from_a_picture(tmp_path: Path) -> None:
    (tmp_path / "me.avatar").write_bytes(b"whatever is in it")
    with pytest.raises(ImageError, match=r"me\.avatar: is a prepared avatar. Check the picture"):
        check(tmp_path / "me.avatar")
