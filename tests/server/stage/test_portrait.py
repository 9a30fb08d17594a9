"""A portrait on stage."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("aiortc")

from speechhead_server.stage.portrait import fills_picture, preview, to_i420

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage


def test_a_portrait_on_stage_is_a_square_of_the_video(portrait):
    avatar = Avatar.from_image(portrait)
    for size in (256, 384):
        staged = on_stage(avatar, size)
        assert staged.picture.shape == staged.crop.shape == (size, size, 3)
        assert to_i420(staged.picture).shape == (size * 3 // 2, size)
        if not fills_picture(staged):
            assert staged.paste(staged.crop).shape == (size, size, 3)
        difference = np.abs(staged.paste(staged.crop).astype(int) - staged.picture)
        assert difference.mean() < 3
    assert preview(avatar)[:2] == b"\xff\xd8"
