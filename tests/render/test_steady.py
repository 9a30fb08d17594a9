"""A take's meshes are smoothed window by window as they are in one piece, and its rest forgets the old words."""

import numpy as np
from support.takes import FPS, take

from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose, from_mesh, mouth_opening, remove_pose
from speechhead.face.smoothing import smooth_track
from speechhead.render import steady
from speechhead.render.scratch import Scratch
from speechhead.render.steady import RestMesh, SteadyMesh


def spoken(count, turn=0.0):
    """Meshes [T, 478, 3] px of a head that turns to and fro by `turn` degrees and speaks."""
    meshes = np.repeat(MESH_REFERENCE[None], count, axis=0).copy()
    meshes[:, [14, 87, 317, 17, 152, 148, 377], 1] += 0.1 * np.abs(np.sin(np.arange(count) * 0.9))[:, None]
    poses = [Pose.from_angles(turn * np.sin(0.05 * t), 0, 0, (300 + t, 200, 0), 80) for t in range(count)]
    return apply_pose(meshes, poses)


def kept(meshes):
    scratch = Scratch()
    starts = np.array([scratch.keep_mesh(mesh) for mesh in meshes])
    one = take(len(meshes), opening=mouth_opening(from_mesh(meshes)))
    one.meshes[:] = starts
    return one, scratch


def test_windows_join(monkeypatch):
    monkeypatch.setattr(steady, "WINDOW", 40)
    meshes = spoken(130, 10)
    one, scratch = kept(meshes)
    one.meshes[60] = -1
    meshes[60] = np.nan
    whole, parts = smooth_track(meshes, FPS), SteadyMesh(one, scratch, FPS)
    got = np.stack([parts(index) for index in range(130)])
    assert np.isnan(got[60]).all()
    np.testing.assert_allclose(got, whole, atol=0.02)
    scratch.close()


def test_rest_forgets_the_old_words_and_follows_the_head():
    meshes = spoken(120, 12)
    one, scratch = kept(meshes)

    def relax(mesh, rest):
        mesh = mesh + 0
        mesh[14] += 0.001 * mesh[5, 0]
        return mesh

    rest = RestMesh(one, scratch, FPS, relax)
    poses = remove_pose(from_mesh(meshes))[1]
    got = np.stack([rest(index, pose) for index, pose in enumerate(poses)])
    lips = got[:, 14, 1]
    raw = 0.1 * np.abs(np.sin(np.arange(120) * 0.9))
    assert lips.std() < 0.15 * raw.std()
    assert got.shape == (120, 478, 3) and np.isfinite(got).all()
    scratch.close()
