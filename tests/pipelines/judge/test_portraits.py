"""Still portraits in the report: who is judged, what is summed, and what the page says of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from pipelines import evaluate
from pipelines.data import held_out
from pipelines.judge import close_up, failures, markdown, portraits, targets
from pipelines.judge.run import EvaluationSettings
from speechhead.face.landmarks import MESH_REFERENCE, Pose, apply_pose


def row(name: str, worst: float, shut: float, smiling: bool, tint: float | None = None) -> dict:
    ours = {"own": None if smiling else 0.1, "worst": worst, "flicker": 0.01, "shut": shut, "shut_seen": shut / 2}
    ours |= {"iris": 1.0} | ({} if tint is None else {"tint": tint})
    return {"file": f"{name}.jpg", "opening": 0.1, "smiling": smiling, "ours": ours, "earlier": ours | {"shut": 0.9}}


ROWS = [row("ada", 0.3, 0.2, True), row("bob", 0.05, 0.5, False, 3.0), row("eve", 0.08, 0.1, False)]


def test_groups_are_summed_and_limits_come_from_closed_lips():
    found = portraits.summary([*ROWS, {"file": "wall.jpg", "skipped": "no face"}])
    assert portraits.limit(ROWS) == pytest.approx(0.1)
    assert found["ours"]["all"]["portraits"] == 3
    assert found["ours"]["all"]["residue_kept"] == pytest.approx(2 / 3)
    assert found["ours"]["others"]["shut_kept"] == 0.5 and found["ours"]["smiling"]["shut"] == 0.2
    assert found["earlier"]["all"]["shut"] == 0.9 and found["earlier"]["all"]["shut_seen_kept"] == 1
    assert found["ours"]["all"]["tint_most"] == 3.0 and found["ours"]["smiling"]["tint_most"] is None
    assert portraits.summary([]) == {} and portraits.limit([]) is None


def test_the_page_has_targets_medians_and_those_beyond_the_limits():
    document = evaluate.report(evaluate.Measured([], portraits=ROWS), EvaluationSettings())
    cells = {line[0]: line[1:] for line in targets.table(document)}
    assert cells["Lid opening at full closure over open, median, in space"][1:] == [
        "0.200",
        "yes",
        "earlier 0.900, ours smiling 0.200",
    ]
    assert cells["Highest hue that a grey portrait gets, levels"][1:3] == ["3.000", "**no**"]
    page = markdown.page(document, "command")
    assert "## Portraits" in page and "| smiling, ours (1) |" in page
    assert "beyond the limit between closed lips (1)" in page and "| ada.jpg | 0.300 | 0.300 |" in page
    assert "| bob.jpg | 0.900 | 0.500 |" in page


def test_open_mouths_are_shown_beside_the_truth():
    inside = {f"inside_{name}{of}": 0.25 for name in ("contrast", "lower_teeth", "light") for of in ("", "_truth")}
    inside |= {"inside_light_truth": 0.5, "inside_contrast_ratio": 1.0, "inside_teeth_correlation": 0.7}
    rows = [{"file": "a.mp4", "self_reenactment": {"ours": inside}}]
    rows.append({"file": "b.mp4", "self_reenactment": {"ours": {"inside_contrast": None}}})
    words = close_up.mouth_parts(rows)[-1]
    assert "| a.mp4 | 0.25 / 0.25 |" in words and "b.mp4" not in words
    named = {target.name: target.value({"clips": rows}) for target in targets.TARGETS if "open mouths" in target.name}
    assert named == {
        "Contrast inside open mouths over the truth's": 1.0,
        "Light inside open mouths from the truth's by": 0.25,
    }


def test_lips_are_shown_where_they_were_measured():
    means = {"ours": {"lips_pucker_width": 1.02, "lips_light_r": 0.5}, "copy": {"lips_pucker_width": None}}
    (_, _, words) = close_up.lip_parts({"mean": {"self_reenactment": means}})
    assert "| ours | 1.020 |" in words and "copy" not in words
    assert close_up.lip_parts({"mean": {"self_reenactment": {}}}) == []


def test_the_held_out_portraits_are_chosen_where_there_is_no_list(tmp_path):
    known = held_out.LISTED.read_text(encoding="utf-8").split()[3]
    for name in (known, "other.jpg"):
        (tmp_path / name).touch()
    names = tmp_path / "names.txt"
    names.write_text("other.jpg\nabsent.jpg\n")
    assert [path.name for path in portraits.chosen(tmp_path)] == [known]
    assert [path.name for path in portraits.chosen(tmp_path, names)] == ["other.jpg"]


def test_hue_is_looked_for_at_mouth_and_eyes():
    mesh = apply_pose(MESH_REFERENCE, Pose.from_angles(translation=(64, 60, 0), scale=40))
    mask = portraits.regions(mesh, 128)
    assert 100 < mask.sum() < 3000
    assert not mask[:20].any() and np.flatnonzero(mask.any(1)).max() < 110


def test_the_worst_that_may_be_shown_stand_in_the_sheet_of_failures(tmp_path):
    (tmp_path / "catalog.csv").write_text("file,licence\nada.jpg,US public domain\nbob.jpg,research only\n")
    assert portraits.shown(tmp_path) == {"ada.jpg"} and portraits.shown(tmp_path / "absent") == frozenset()
    tile = np.zeros((failures.SIDE, failures.SIDE, 3), np.uint8)
    for name in ("ada", "eve"):
        failures.write(tmp_path / f"{name}.worst.png", [(name, tile), ("rest", tile)])
    assert [row["file"] for row in failures.worst_stills(ROWS, "worst", tmp_path)] == ["ada.jpg", "eve.jpg"]
    sheet = failures.sheet([], tmp_path, ROWS)
    assert sheet is not None
    with Image.open(sheet) as page:
        assert page.size == (2 * failures.SIDE, 2 * (failures.SIDE + failures.TITLE))
