"""The visible mark is in its corner alone and can be read on any picture."""

from __future__ import annotations

import numpy as np
import pytest
from speechhead_server.stage.mark import Mark

from speechhead.core.errors import MediaError


@pytest.mark.parametrize("level", [16, 128, 235])
def test_letters_stand_out_and_the_rest_stays(level):
    planar = np.full((384, 256), level, np.uint8)
    planar[256:] = 90
    marked = Mark("AI").lay(planar.copy())
    luma = marked[:256].astype(int)
    changed = np.flatnonzero((luma != level).any(1)), np.flatnonzero((luma != level).any(0))
    assert changed[0].min() > 230 and changed[1].min() > 200  # the lower right corner
    corner = luma[changed[0].min() :, changed[1].min() :]
    assert corner.max() - corner.min() > 80 and corner.max() <= 235
    colours = marked[256:].reshape(2, 128, 128)
    assert (colours[:, :110] == 90).all() and colours[:, -2, -2].tolist() == [109, 109]


def test_a_picture_that_may_not_be_written_is_copied():
    planar = np.full((96, 64), 100, np.uint8)
    planar.flags.writeable = False
    assert (Mark("AI").lay(planar) != planar).any() and (planar == 100).all()


def test_letters_that_no_font_has_are_refused_at_the_start():
    with pytest.raises(MediaError):
        Mark("\uffff")
