"""The film and the plot of living faces, with a stand-in for the voice and the renderer."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.judge import life
from pipelines.judge.clips import FaceTrack
from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose
from speechhead.media.reader import VideoReader
from speechhead.media.writer import AUDIO_RATE, VideoWriter

FRAMES = 30


def spoken(text, target, portrait, options, controls):
    """A take of a second that is as grey as its seed says."""
    with VideoWriter(target, life.SIDE, life.SIDE, sample_rate=AUDIO_RATE) as writer:
        writer.write_audio(np.zeros(AUDIO_RATE, np.float32))
        for _ in range(25):
            writer.write(np.full((life.SIDE, life.SIDE, 3), 60 * controls.seed, np.uint8))


def test_the_film_has_two_takes_side_by_side(tmp_path):
    assert len({scene.portrait for scene in life.SCENES}) == 3
    assert sum("[happy" in scene.text for scene in life.SCENES) == 1
    path = life.film(tmp_path / "life.mp4", life.SCENES[:2], spoken)
    frames = list(VideoReader(path).frames(0, None))
    assert len(frames) == 50 and path.stat().st_size < life.LARGEST
    assert frames[0][:, : life.SIDE].mean() == pytest.approx(60, abs=3)
    assert frames[0][:, life.SIDE :].mean() == pytest.approx(120, abs=3)


def test_curves_of_both_faces_have_the_same_axes():
    poses = [Pose.from_angles(yaw=5 * np.sin(t / 4), translation=(90, 90, 0), scale=50) for t in range(FRAMES)]
    moving = FaceTrack(apply_pose(np.repeat(MESH_REFERENCE[None], FRAMES, 0), poses), 1.0)
    still = FaceTrack(apply_pose(np.repeat(MESH_REFERENCE[None], FRAMES, 0), [poses[0]] * FRAMES), 1.0)
    real, ours = life.curves(moving), life.curves(still)
    assert np.ptp(real["yaw"]) > 9 and np.ptp(ours["yaw"]) < 0.1 and real["eyes"].mean() == pytest.approx(1, abs=0.1)
    picture = life.plot(real, ours)
    assert picture.shape == (2 * len(real) * life.HEIGHT, life.WIDTH, 3)
    drawn = (np.abs(picture.astype(int) - life.OURS_COLOUR).max(-1) < 40).any(1)
    assert drawn[life.HEIGHT : 2 * life.HEIGHT].any() and not drawn[: life.HEIGHT].any()


def test_the_plot_of_a_real_clip(tmp_path, shared):
    clip = shared / "media" / "GRID_spk_of_sbwe5n_e3b251.mp4"
    done = CliRunner().invoke(life.app, [str(tmp_path), "--clip", str(clip), "--seconds", "0.4", "--no-reel"])
    assert done.exit_code == 0 and (tmp_path / "life.png").is_file() and "life.png" in done.output
