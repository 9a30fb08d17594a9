"""The contact sheet of a speaking portrait, with networks made here."""

from __future__ import annotations

import numpy as np
from typer.testing import CliRunner

from pipelines.judge import portrait_sheet
from pipelines.judge.sheets import TITLE
from speechhead.avatar.portrait import Avatar
from speechhead.core.clocks import SAMPLES_PER_FRAME


class Chewing:
    """Speech that opens and closes the mouth, whatever it hears."""

    def stream(self, neutral=None, emotion=None):
        self.frames = 0
        return self

    def feel(self, emotion, after=0):
        self.felt = emotion

    def push(self, samples):
        count = len(samples) // SAMPLES_PER_FRAME
        motion = np.zeros((count, 70, 3), np.float32)
        motion[:, 65:68, 1] = 0.05 * (1 - np.cos(np.arange(count) / 2))[:, None]
        return motion

    def flush(self):
        return np.zeros((0, 70, 3), np.float32)


class Blue:
    """A generator that paints everything blue."""

    family, size = "blue", 128

    def prepare(self, crop, mesh):
        return np.zeros_like(crop) + np.array([0, 0, 255], np.uint8)

    def render(self, source, normalised, pose):
        return source


def test_sheet_has_source_ours_and_warp_side_by_side(portrait):
    avatar = Avatar.from_image(portrait, 128)
    noise = np.random.default_rng(0).normal(0, 0.1, 30 * SAMPLES_PER_FRAME + 7).astype(np.float32)
    page = portrait_sheet.sheet(avatar, noise, Blue(), Chewing())
    assert page.shape == (3 * (128 + TITLE), 3 * 128, 3)
    assert np.array_equal(page[TITLE : TITLE + 128, :128], avatar.crop)
    assert (page[TITLE : TITLE + 128, 128:256] == [0, 0, 255]).all()
    warp = page[TITLE : TITLE + 128, 256:]
    assert 0.2 < np.abs(warp.astype(int) - avatar.crop).mean() < 30


def test_a_missing_file_is_one_line(tmp_path):
    words = ["grace_hopper", str(tmp_path / "no.wav"), "-o", str(tmp_path / "o.png")]
    done = CliRunner().invoke(portrait_sheet.app, words)
    assert done.exit_code == 2 and done.output.count("\n") == 1
