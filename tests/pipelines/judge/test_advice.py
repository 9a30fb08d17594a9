"""The page on choosing a portrait: the good one is called so, and the worse ones are not."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from pipelines.judge import advice
from speechhead.avatar.named import shipped
from speechhead.media.image import load_image


def test_only_the_first_works_well() -> None:
    good = load_image(shipped()["mara"].path)
    words = [advice.said(how(good)) for how in (lambda picture: picture, advice.dark)]
    assert words[0] == "works well" and "dark" in words[1]


def test_lines_are_short_and_whole() -> None:
    text = "the face is dark: light from the front helps"
    lines = advice.wrapped(text, 16).split("\n")
    assert max(map(len, lines)) <= 16 and " ".join(lines) == text


def test_the_page_is_a_picture(tmp_path: Path) -> None:
    done = CliRunner().invoke(advice.app, [str(tmp_path / "page.jpg")])
    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "page.jpg") as page:
        assert page.size == (4 * advice.SIDE, 2 * (advice.SIDE + advice.LINES))
