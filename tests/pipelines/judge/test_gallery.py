"""The gallery: portraits whose licence lets them be shown, in every state, in a file of bounded size."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from pipelines.data.held_out import held_out
from pipelines.judge import gallery
from speechhead.avatar.named import SHIPPED, shipped
from speechhead.avatar.portrait import Avatar
from speechhead.face.landmarks import eye_opening, mouth_opening


class Asked:
    """A generator that returns the portrait and remembers the faces it was asked for."""

    family, size = "asked", 128

    def prepare(self, crop, mesh):
        self.faces = []
        return crop

    def render(self, source, normalised, pose):
        self.faces.append(normalised)
        return source


class Talking:
    """A speech network whose jaw goes down in the middle of the sound."""

    def whole(self, audio, neutral=None):
        motion = np.zeros((len(audio) // 640, 70, 3), np.float32)
        motion[len(motion) // 2, [*range(55, 60), *range(65, 68)], 1] = 0.2
        return motion


def test_all_that_is_shown_may_be_shown_and_judges_nothing():
    entries = gallery.listed()
    assert len({entry.file for entry in entries}) == 24
    assert all("public domain" in entry.licence or "MIT" in entry.licence for entry in entries)
    assert not any(held_out(entry.file) for entry in entries)
    shown = "; ".join(entry.shows for entry in entries)
    for kind in ("smiling", "beard", "spectacles", "dark skin", "long hair", "hat", "grey", "painting"):
        assert kind in shown


def test_states_are_rest_closed_widest_and_blinking():
    avatar, asked = Avatar.open("grace_hopper", 128), Asked()
    pictures = gallery.states(avatar, asked, Talking(), np.full(640 * 20, 0.1, np.float32))
    assert len(pictures) == len(gallery.STATES) and len(asked.faces) == 4
    rest, closed, widest, blinking = asked.faces
    assert mouth_opening(widest) > mouth_opening(closed) + 0.1
    assert eye_opening(blinking).mean() < 0.3 * eye_opening(rest).mean()


def test_a_page_fills_its_columns_and_keeps_to_its_bytes():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    entry = gallery.Listed("ICPSR_000001_SOMEBODY_Ada_abcde.jpg")
    page = gallery.page([(entry, [picture] * 5)] * 3, side=32, rows=2)
    assert page.shape == (2 * (32 + gallery.TITLE), 2 * 5 * 32, 3)
    assert (page[-32:, 160:] == 255).all()  # a line without a portrait stays white
    small = gallery.encoded(page, 9000)
    assert len(small) <= 9000 < len(gallery.encoded(page))
    assert Image.open(BytesIO(small)).size == page.shape[1::-1]
    assert gallery.named(entry) == "Somebody Ada"


def test_shipped_portraits_are_listed_by_their_own_table() -> None:
    entries = gallery.listed(SHIPPED / "avatars.json")
    assert {entry.file for entry in entries} == {entry.file for entry in shipped().values()}
    assert gallery.named(entries[0]) == "grace hopper"
