"""Letters of a watermark: those of any language, or one line that says which can not be drawn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from speechhead.core.errors import MediaError
from speechhead.media.lettering import lettering


def test_letters_are_drawn_to_their_edges() -> None:
    for text in ("AI", "Hello, you"):
        drawn = lettering(text, 20)
        assert drawn.dtype == np.uint8 and drawn.max() == 255 and drawn.any(1).all() and 8 < len(drawn) < 30
    assert lettering(" ", 20).max() == 0


@pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="OpenCV 5 has the font")
def test_letters_beyond_ascii_differ() -> None:
    drawn = [lettering(f"Zo{letter}", 40) for letter in "eéëжß名"]
    assert len({picture.tobytes() for picture in drawn}) == len(drawn)


@pytest.mark.parametrize("text", ["ok \uffff", "\U0010fffd"])
def test_a_letter_that_no_font_has_is_named(text: str) -> None:
    with pytest.raises(MediaError, match="can not be drawn here. Leave it out."):
        lettering(text, 20)


def test_before_opencv_5_only_ascii_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "FontFace", raising=False)
    with pytest.raises(MediaError, match="'é' can not be drawn"):
        lettering("Zoé", 20)
    assert lettering("Zoe", 20).max() == 255
