"""Evaluation of clips: baselines, rendering, means, sheets and the command, on clips made here and one real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines import evaluate
from pipelines.data import curves
from pipelines.judge import baselines, motion, ours, run, sheets, sync
from pipelines.judge.clips import ClipEntry, FaceTrack, JudgedClip, list_clips
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_68, Pose, apply_pose, mouth_opening
from speechhead.media.writer import VideoWriter

FRAMES, SIDE = 60, 128
LOWER_LIP = [*MESH_TO_68[55:60], *MESH_TO_68[65:68]]
RANDOM = np.random.default_rng(1)


@pytest.fixture(scope="module")
def clip() -> JudgedClip:
    """A head that turns a little and talks; the picture is noise, the sound is as loud as the mouth is open."""
    opening = 0.1 * (1 - np.cos(np.arange(FRAMES) / 3)).astype(np.float32)
    meshes = np.repeat(MESH_REFERENCE[None], FRAMES, axis=0)
    meshes[:, LOWER_LIP, 1] += opening[:, None]
    poses = [Pose.from_angles(yaw=5 * np.sin(t / 9), translation=(64, 56, 0), scale=40) for t in range(FRAMES)]
    loudness = np.repeat(10 ** (opening * 10 - 3), SAMPLES_PER_FRAME)
    audio = (RANDOM.normal(size=len(loudness)) * loudness).astype(np.float32)
    frames = RANDOM.integers(0, 256, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
    return JudgedClip(ClipEntry(Path("made.mp4"), "made"), frames, audio, FaceTrack(apply_pose(meshes, poses), 1.0))


class Mirror:
    """A generator that returns the portrait's own crop and remembers where the head should be."""

    family = "mirror"

    def __init__(self, size):
        self.size = size

    def prepare(self, crop, mesh):
        self.poses = []
        return crop

    def render(self, source, normalised, pose):
        self.poses.append(pose)
        return source


def test_clips_are_described_by_their_catalogue_and_chosen_by_split(tmp_path):
    for name in ("a.mp4", "b.mp4", "notes.txt"):
        (tmp_path / name).touch()
    assert [(e.path.name, e.identity) for e in list_clips(tmp_path, "val")] == [("a.mp4", "a"), ("b.mp4", "b")]
    (tmp_path / "catalog.csv").write_text("file,identity,split\na.mp4,anna,val\nb.mp4,bert,train\n")
    assert [(e.path.name, e.identity) for e in list_clips(tmp_path, "val")] == [("a.mp4", "anna")]
    assert len(list_clips(tmp_path)) == 2


def test_the_truth_is_perfect_against_itself(clip):
    row = run.speech_metrics(clip.truth.normalised, clip)
    assert row["correlation"] == pytest.approx(1)
    assert (row["best_lag"], row["closure_recall"], row["opening_recall"]) == (0, 1, 1)
    assert (row["lmd"], row["velocity_error"]) == (0, 0)


@pytest.mark.parametrize("shift", [-5, -2, 1, 3, 5])
def test_shifted_sound_gives_the_shift_as_lag(clip, shift):
    """The sync measure itself: driven by sound that is late, the mouth is late by as much."""
    late = JudgedClip(clip.entry, clip.frames, np.roll(clip.audio, shift * SAMPLES_PER_FRAME), clip.truth)
    truth = mouth_opening(clip.truth.normalised)
    assert curves.best_lag(mouth_opening(baselines.energy_jaw(late)), truth)[0] == shift


def test_energy_moves_the_jaw_and_nothing_else_does(clip):
    truth = mouth_opening(clip.truth.normalised)
    jaw = baselines.energy_jaw(clip)
    assert curves.correlation(mouth_opening(jaw), truth) > 0.8
    assert 0.7 < sync.amplitude_ratio(mouth_opening(jaw), truth) < 1.3
    assert np.array_equal(jaw[:, 17:48], np.repeat(clip.truth.normalised[:1, 17:48], FRAMES, axis=0))
    for still in (baselines.mean_face(clip), baselines.still_face(clip)):
        assert motion.mouth_speed(still).max() == 0


def test_warp_moves_pixels_with_the_mesh(clip):
    for warp in (baselines.mesh_warp, baselines.triangulated_warp):
        warped = warp(clip)
        assert warped.shape == clip.frames.shape
        assert np.abs(warped[0].astype(int) - clip.frames[0]).max() <= 1  # no motion, no change
        assert (warped[10] != clip.frames[0]).mean() > 0.1


def test_triangle_warp_draws_points_to_where_they_shall_be():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[30:33, 20:23] = 255
    source = np.float32([[21, 31], [0, 0], [63, 0], [0, 63], [63, 63]])
    driving = source.copy()
    driving[0] = [40, 36]
    warped = baselines.triangle_warp(picture, source, driving, baselines.triangulate(source, 64, 64))
    assert warped[36, 40].min() == 255 and warped[31, 21].max() == 0


def test_rendering_at_another_size_pastes_back_where_it_was(clip):
    mirror = Mirror(256)
    rendered = ours.Rendered(clip, mirror, 256)
    frames = ours.reenacted(clip, rendered)
    assert frames.shape == clip.frames.shape
    assert np.abs(frames[0].astype(int) - clip.frames[0]).mean() < 12  # noise, enlarged and reduced again
    np.testing.assert_allclose(mirror.poses[0].translation, rendered.avatar.pose.translation, atol=0.01)
    assert mirror.poses[0].scale == pytest.approx(rendered.avatar.pose.scale, rel=1e-4)


def test_at_the_clips_own_resolution_nothing_is_resampled(clip):
    rendered = ours.Rendered(clip, Mirror(ours.native_size(clip)), ours.native_size(clip))
    assert np.array_equal(ours.reenacted(clip, rendered)[0], clip.frames[0])


def test_means_over_clips_and_over_people():
    def row(person, value, lag):
        speech = {"ours": {"correlation": value, "best_lag": lag, "closure_recall": None}}
        return {"identity": person, "self_reenactment": {"ours": {"l1": value}}, "speech": speech}

    rows = [row("a", 1.0, 0), row("a", 0.0, -3), row("b", 0.2, 1), {"identity": "c", "skipped": "no face"}]
    clips, people = run.mean(rows), run.mean(rows, by_person=True)
    assert clips["self_reenactment"]["ours"] == {"l1": pytest.approx(0.4), "clips": 3}
    assert people["self_reenactment"]["ours"]["l1"] == pytest.approx(0.35)
    assert clips["speech"]["ours"]["best_lag"] == pytest.approx(4 / 3)
    assert clips["speech"]["ours"]["lag_within_1"] == pytest.approx(2 / 3)
    assert people["speech"]["ours"]["lag_within_1"] == pytest.approx(0.75)
    assert clips["speech"]["ours"]["closure_recall"] is None


def test_sheet_shows_the_telling_frames(clip):
    opening = mouth_opening(clip.truth.normalised)
    picked = sheets.telling_frames(opening)
    assert opening[picked["widest"]] == opening.max()
    assert opening[picked["closed"]] == opening.min()
    assert sheets.sheet(clip, {"warp": clip.frames}).shape == (3 * (SIDE + sheets.TITLE), 3 * SIDE, 3)


def command(*words) -> tuple[int, str]:
    """Exit code and output."""
    done = CliRunner().invoke(evaluate.app, [str(word) for word in words])
    return done.exit_code, done.output


def test_command_on_a_real_clip_and_on_one_without_a_face(tmp_path, shared):
    shutil.copy(shared / "media" / "GRID_spk_of_sbwe5n_e3b251.mp4", tmp_path / "person.mp4")
    with VideoWriter(tmp_path / "wall.mp4", 128, 128) as writer:
        for _ in range(5):
            writer.write(np.full((128, 128, 3), 90, np.uint8))
    out = tmp_path / "out" / "report.json"
    options = ["--clips", str(tmp_path), "--generator", "none", "--limit-seconds", "1.6", "--workers", "1"]
    page = tmp_path / "report.md"
    more = ["--sheets", str(tmp_path / "sheets"), "--markdown", str(page)]
    code, said = command(*options, "--json", out, *more)
    assert code == 0
    report = json.loads(out.read_text())
    person, wall = report["clips"]
    assert "a face in 0%" in wall["skipped"] and "skipped" in said
    assert person["frames"] == 40
    assert set(person["self_reenactment"]) == {"copy", "warp", "warp_68"}
    assert set(person["speech"]) == {"still", "mean_face", "energy_jaw", "truth"}
    assert report["subsets"]["head_motion"]["speech"] == {} and report["subset_clips"]["broadcast"] == []
    assert person["self_reenactment"]["warp"]["mouth_akd"] < person["self_reenactment"]["copy"]["mouth_akd"]
    assert report["mean"]["speech"]["truth"]["correlation"] == pytest.approx(1)
    assert (tmp_path / "sheets" / "person.png").is_file()
    text = page.read_text()
    assert "1 clips of 1 people" in text and "--limit-seconds 1.6" in text
    assert f"| {report['mean']['self_reenactment']['warp']['l1']:.3f} |" in text
    assert "| person.mp4 |" in text and "Skipped: wall.mp4" in text


def test_nothing_to_evaluate_is_one_line(tmp_path):
    for folder, reason in ((tmp_path, "no clips"), (tmp_path / "absent", "no such folder")):
        code, said = command("--clips", folder, "--json", tmp_path / "o.json")
        assert code == 2 and reason in said and said.count("\n") == 1
    (tmp_path / "a.mp4").touch()
    odd = ["--clips", tmp_path, "--json", tmp_path / "o.json", "--generator", "odd", "--workers", "1"]
    code, said = command(*odd, "--detail", "a")
    assert code == 2 and "generator 'odd' is unknown" in said.strip().splitlines()[-1]
