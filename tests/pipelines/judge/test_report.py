"""The report: openings, subsets, targets, failures, the sync measure's validation, detail, and other weights."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines import evaluate
from pipelines.judge import detail, failures, markdown, portraits, run, shifts, targets
from pipelines.judge.clips import ClipEntry, FaceTrack, JudgedClip
from pipelines.judge.opening import fidelity
from pipelines.judge.run import EvaluationSettings
from speechhead.core import weights
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.errors import NoFaceError, WeightsError
from speechhead.face.landmarks import MESH_REFERENCE, MESH_TO_68, Pose, apply_pose

FRAMES, SIDE = 80, 96
NAMES = ("l1", "akd", "mouth_akd", "mouth_sharpness_ratio", "flicker_ratio")


def row(file: str, l1: float, correlation: float, head: float = 8.0) -> dict:
    picture = dict.fromkeys(NAMES, 1.0)
    speech = {"correlation": correlation, "best_lag": 0, "amplitude_ratio": 1.0, "velocity_error": 0.3}
    return {
        "file": file,
        "identity": file[:3],
        "frames": 25,
        "head_range": head,
        "self_reenactment": {"ours": picture | {"l1": l1}, "warp": picture | {"l1": 10.0}},
        "speech": {"ours": speech, "still": {"velocity_error": 0.4, "best_lag": None}},
    }


def test_fidelity_tells_slope_and_small_openings():
    asked = np.linspace(0, 0.2, 60, dtype=np.float32)
    told = fidelity(asked, 0.5 * asked + 0.01)
    assert (told["opening_slope"], told["opening_offset"]) == (pytest.approx(0.5), pytest.approx(0.01))
    assert told["opening_r"] == pytest.approx(1) and told["small_openings"] == pytest.approx(0.75, abs=0.01)
    assert set(fidelity(np.zeros(9, np.float32), np.zeros(9, np.float32)).values()) == {None}


def test_targets_are_computed_from_the_means_and_the_subsets():
    rows = [row("HDTF_a.mp4", 6.0, 0.7), row("P_b.mp4", 9.0, 0.4), row("GRID_c.mp4", 2.0, 0.9, head=1.0)]
    document = evaluate.report(evaluate.Measured(rows), EvaluationSettings())
    assert document["subset_clips"]["head_motion"] == ["HDTF_a.mp4", "P_b.mp4"]
    table = {cells[0]: cells[1:] for cells in targets.table(document)}
    assert table["L1 under the warp's on clips with head motion, percent"][1:3] == ["25.000", "yes"]
    assert table["Lip-opening correlation, broadcast speech"][1] == "0.550"
    assert table["Velocity error under the best baseline's by"][1:3] == ["0.100", "yes"]
    assert table["Flicker ratio"][2] == "yes" and table["Closures hit"][1:3] == ["", ""]
    low = evaluate.report(evaluate.Measured([row("HDTF_a.mp4", 9.0, 0.2)]), EvaluationSettings())
    cells = {c[0]: c[3] for c in targets.table(low)}
    assert cells["Lip-opening correlation, mean over people"] == "**no**"


def test_the_page_shows_the_worst_and_takes_notes():
    rows = [row(f"{name}.mp4", value, 1 - value / 10) for name, value in zip("abcd", (4.0, 9.0, 1.0, 6.0))]
    assert [r["file"] for r in failures.worst(rows, "self_reenactment", "l1", False)] == ["b.mp4", "d.mp4", "a.mp4"]
    assert failures.worst(rows, "speech", "correlation", True)[0]["file"] == "b.mp4"
    page = markdown.page(
        evaluate.report(evaluate.Measured(rows), EvaluationSettings(), "revision `v0`"),
        "command",
        "They all look away.",
    )
    assert "`earlier` is revision `v0`." in page and "They all look away." in page
    assert page.index("## Targets") < page.index("## Clips") < page.index("## Failures") < page.index("They all look")


class Wall:
    """Draws no face."""

    family = "wall"

    def __init__(self, size):
        self.size = size

    def prepare(self, crop, mesh):
        return crop

    def render(self, source, normalised, pose):
        return np.full_like(source, 90)


def test_a_picture_without_a_face_costs_its_own_row_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(detail, "open_generator", lambda name, size: Wall(size))
    pictures = detail.portraits(None)[:1]
    measured = [detail.measured(path, "wall") for path in pictures]
    assert [row["portrait"] for row in measured] == [pictures[0].stem] and "no face" in measured[0]["skipped"]
    judge = run.Evaluator(EvaluationSettings(run.NO_GENERATOR))

    def unseen(entry, seconds, tracker):
        return SimpleNamespace(entry=entry, frames=np.zeros((3, 8, 8, 3)), truth=SimpleNamespace(found=1.0))

    def lost(*given):
        raise NoFaceError("drawn.png: no face found.")

    monkeypatch.setattr(run, "load", unseen)
    monkeypatch.setattr(judge, "_judged", lost)

    row_of_a_clip = judge.clip(ClipEntry(tmp_path / "b.mp4", "b"))
    assert row_of_a_clip["skipped"] == "drawn.png: no face found." and row_of_a_clip["identity"] == "b"
    keep = [row("a.mp4", 4.0, 0.5), row_of_a_clip]
    sharp = [
        *measured,
        {"portrait": "eve", "size": 512, "skin": 1.0, "hair": 0.9, "skin_moving": 1.0, "hair_moving": 1.0},
    ]
    document = evaluate.report(evaluate.Measured(keep, sharp, people={"x:val": [row_of_a_clip]}), EvaluationSettings())
    page = markdown.page(document, "command")
    assert markdown.skipped(document)[0] == "b.mp4: drawn.png: no face found." and len(markdown.skipped(document)) == 3
    assert "| eve | 512 |" in page and "Skipped: b.mp4: drawn.png" in page and f"Skipped: {pictures[0].stem}" in page


def test_portraits_of_a_generator_that_tells_no_lips_are_refused_before_clips_are_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(portraits, "open_generator", lambda name, size: Wall(size))
    (tmp_path / "a.mp4").touch()
    call = ["--clips", str(tmp_path), "--json", str(tmp_path / "o.json"), "--generator", "wall"]
    done = CliRunner().invoke(evaluate.app, [*call, "--portraits", str(tmp_path)])
    assert done.exit_code == 2 and done.output.startswith("generator 'wall' draws lips it tells nothing of.")


def test_other_weights_are_used_inside_the_context_only(tmp_path):
    shutil.copy(weights.folder() / weights.MANIFEST, tmp_path)
    shipped = weights.folder()
    with weights.using(tmp_path):
        assert weights.folder() == tmp_path and weights.manifest()
        with pytest.raises(WeightsError):
            weights.path("compact_source.onnx")
        with weights.using(None):
            assert weights.folder() == tmp_path
    assert weights.folder() == shipped
    with pytest.raises(WeightsError, match="no manifest"), weights.using(tmp_path / "absent"):
        pass


class Loud:
    """A network that opens the mouth as loud as the sound is, two frames late."""

    def whole(self, audio, emotion=None, neutral=None):
        loud = np.abs(audio.reshape(-1, SAMPLES_PER_FRAME)).mean(1)
        motion = np.zeros((len(loud), 70, 3), np.float32)
        motion[2:, 65:68, 1] = motion[2:, 55:60, 1] = loud[:-2, None]
        return motion


def test_a_shift_of_the_sound_moves_the_lag_by_as_much():
    random = np.random.default_rng(2)
    smooth = np.convolve(random.random(FRAMES + 8), np.ones(4) / 4)[4 : FRAMES + 4]
    opening = (0.3 * np.maximum(smooth - 0.35, 0)).astype(np.float32)
    meshes = np.repeat(MESH_REFERENCE[None], FRAMES, axis=0)
    meshes[:, [*MESH_TO_68[55:60], *MESH_TO_68[65:68]], 1] += opening[:, None]
    mesh = apply_pose(meshes, Pose.from_angles(translation=(48, 40, 0), scale=30))
    tone = np.sign(np.sin(np.arange(FRAMES * SAMPLES_PER_FRAME) * 0.05))
    audio = (tone * np.repeat(opening, SAMPLES_PER_FRAME)).astype(np.float32)
    clip = JudgedClip(
        ClipEntry(Path("a.mp4"), "a"), np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8), audio, FaceTrack(mesh, 1.0)
    )
    summary = {r["shift"]: r for r in shifts.summary([shifts.validate(clip, Loud())])}
    assert [summary[s]["median_lag"] for s in (-5, -2, 0, 3, 5)] == [-3, 0, 2, 5, 7]
    assert all(r["followed"] == 1 and r["truth_followed"] == 1 for r in summary.values())
    assert summary[-2]["correlation"] > summary[0]["correlation"] > summary[3]["correlation"]


def test_blur_lowers_the_sharpness_of_skin_and_of_hair_each_in_its_place():
    mesh = apply_pose(MESH_REFERENCE, Pose.from_angles(translation=(128, 100, 0), scale=70))
    masks = detail.regions(mesh, 256)
    assert masks["skin"].sum() > 5000 and masks["hair"].sum() > 2000
    assert not (masks["skin"] & masks["hair"]).any()
    mouth = mesh[MESH_TO_68[48:68], :2].mean(0).round().astype(int)
    assert not masks["skin"][mouth[1], mouth[0]]
    sharp = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    soft = np.where(masks["hair"][..., None], cv2.GaussianBlur(sharp, (5, 5), 1.5), sharp)
    assert detail.sharpness(soft, masks["hair"]) < 0.5 * detail.sharpness(sharp, masks["hair"])
    assert detail.sharpness(soft, masks["skin"]) > 0.9 * detail.sharpness(sharp, masks["skin"])
