"""A row of teeth: what parts them is seen in small pictures too."""

from __future__ import annotations

import numpy as np

from speechhead.generators.compact.row import Row

WIDTH, TOOTH = 120, 20


def hairlines() -> Row:
    """White teeth, 20 pixels broad, a pixel a little darker between them, on gums with the same lines."""
    colour = np.empty((40, WIDTH, 4), np.float32)
    colour[:20, :, :3], colour[20:, :, :3], colour[..., 3] = (170, 90, 85), (205, 200, 190), 1
    colour[:, TOOTH - 1 :: TOOTH, :3] *= 0.93
    return Row(colour, (WIDTH / 2, 39), 2.0)


def test_grooves_are_seen_where_hairlines_are_not() -> None:
    row = hairlines()
    luma = [each.scaled(0.2).colour[5:, 1:-1, :3].mean((0, 2)) for each in (row, row.grooved(6, 1, 4))]
    plain, grooved = (1 - line.min() / line.max() for line in luma)
    assert plain < 0.03 and grooved > 2 * plain


def test_grooves_take_no_light_from_the_row_and_nothing_from_gums() -> None:
    row = hairlines()
    made = row.grooved(6, 2, 2).colour
    np.testing.assert_allclose(made[:18], row.colour[:18], rtol=1e-5)
    np.testing.assert_allclose(made[22:, ..., :3].mean(), row.colour[22:, ..., :3].mean(), rtol=0.01)
    np.testing.assert_array_equal(made[..., 3], row.colour[..., 3])
    middle = made[30, TOOTH // 2 :: TOOTH, 0]
    assert (middle > row.colour[30, TOOTH // 2, 0]).all()
