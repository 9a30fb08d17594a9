"""Fit, geometry, flow and files of the synthetic renderer, on a small head."""

import csv

import numpy as np
import pytest

pytest.importorskip("numba")
import cv2
from support import synthetic_head as small

from pipelines.data.synthetic.dataset import make_pair, portrait_motion, read_catalogue, seed_of, write_clip
from pipelines.data.synthetic.portrait import EYES_APART, EYES_AT, prepare
from pipelines.data.synthetic.render import HeadRenderer
from pipelines.train.compact.data import load_prepared_clips
from speechhead.core.errors import FaceError


@pytest.fixture(scope="module")
def portrait():
    return prepare(small.rig(), small.picture(), small.mesh(), np.random.default_rng(0))


def test_the_fit_finds_pose_and_scale(portrait):
    assert portrait.fit.error < 0.5
    assert np.abs(portrait.angles).max() < 1


def test_the_crop_is_that_of_the_clips(portrait):
    eyes = portrait.mesh[[33, 263], :2]
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(EYES_APART, abs=0.01)
    np.testing.assert_allclose(eyes.mean(0), EYES_AT, atol=0.01)


def test_a_mesh_that_is_no_face_is_refused():
    broken = small.mesh()
    broken[:468:2, 0] += 12
    with pytest.raises(FaceError, match="head model"):
        prepare(small.rig(), small.picture(), broken, np.random.default_rng(0), "broken.jpg")


def test_drawn_at_rest_the_photo_comes_back(portrait):
    still = HeadRenderer().still(portrait)
    np.testing.assert_allclose(still.mesh, portrait.mesh, atol=0.05)
    off = np.abs(still.image.astype(float) - portrait.photo)
    skin = still.opacity > 0.99
    assert np.median(off[skin]) < 4 and off[still.opacity == 0].mean() < 1


def test_the_mesh_moves_with_the_head(portrait):
    motion = portrait_motion(portrait, np.random.default_rng(1), 1)
    motion.expression[:], motion.angles[:], motion.shift[:], motion.zoom[:] = 0, portrait.angles, [0.1, 0], 1
    frame = HeadRenderer().draw(portrait, motion, 0)
    np.testing.assert_allclose(frame.mesh[:468] - portrait.mesh[:468], np.tile([7, 0, 0], (468, 1)), atol=0.1)


def test_flow_brings_the_source_to_the_driver(portrait):
    motion = portrait_motion(portrait, np.random.default_rng(2), 2)
    motion.light[:] = 0
    motion.angles[:] = [[-8, 2, 1], [9, -3, -2]]
    renderer = HeadRenderer()
    pair = make_pair(portrait, renderer.draw(portrait, motion, 0), renderer.draw(portrait, motion, 1))
    assert pair.visible.mean() > 0.1
    warped = cv2.remap(pair.source, pair.flow[..., 0], pair.flow[..., 1], cv2.INTER_LINEAR)
    off = np.abs(warped.astype(float) - pair.driver)[pair.visible]
    still = np.abs(pair.source.astype(float) - pair.driver)[pair.visible]
    assert np.median(off) < 8 and np.median(off) < 0.4 * np.median(still)


def test_clips_are_what_the_trainer_reads(portrait, tmp_path):
    write_clip(portrait, HeadRenderer(), tmp_path / "one", 3, np.random.default_rng(0))
    (clip,) = load_prepared_clips(tmp_path)
    assert clip.frames.shape == (4, 256, 256, 3) and clip.frames.dtype == np.uint8
    assert clip.mesh.shape == (4, 478, 3) and len(clip.index) == 4
    np.testing.assert_array_equal(clip.frames[0], portrait.photo)
    with np.load(tmp_path / "one.npz") as arrays:
        assert {"normalised", "rotation", "translation", "scale", "landmarks"} <= set(arrays.files)
        assert arrays["landmarks"].shape == (4, 68, 3)


def test_meshes_may_be_those_of_a_network(portrait, tmp_path):
    """A stand-in that sees everything two pixels further right than it is."""
    exact = tmp_path / "exact"
    write_clip(portrait, HeadRenderer(), exact, 2, np.random.default_rng(0))
    meshes = iter(np.load(exact.with_suffix(".npz"))["mesh"] + np.float32([2, 0, 0]))
    write_clip(portrait, HeadRenderer(), tmp_path / "seen", 2, np.random.default_rng(0), lambda *_: (next(meshes), 1.0))
    seen, true = (np.load(tmp_path / f"{name}.npz")["mesh"] for name in ("seen", "exact"))
    np.testing.assert_allclose(seen, true + np.float32([2, 0, 0]), atol=1e-4)


def test_licences_choose_portraits(tmp_path):
    for name in "abc":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((4, 4, 3), np.uint8))
    with (tmp_path / "catalog.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([["file", "source", "licence"], ["a.png", "x", "US Public Domain"], ["b.png", "y", "CC BY"]])
    assert [source.file for source in read_catalogue(tmp_path)] == ["a.png", "b.png", "c.png"]
    assert [source.file for source in read_catalogue(tmp_path, "public-domain")] == ["a.png"]


def test_a_portrait_draws_the_same_whatever_folder_it_is_in():
    assert seed_of("a.png", 0).random() == seed_of("a.png", 0).random() != seed_of("b.png", 0).random()
