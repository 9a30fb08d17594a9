"""A film is taken apart where it must be, and each part gets the crop, or the reason, that it should."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from support.films import WIDTH, face, noise, scene, takes, turn, write

from pipelines.data.footage.catalogue import FootageEntry
from pipelines.data.footage.landmarks import landmark_arrays
from pipelines.data.footage.settings import FootageSettings
from pipelines.data.footage.shards import arrays
from pipelines.data.footage.video import process
from pipelines.data.footage.watch import Watcher
from speechhead.face.landmarks import outer_eye_distance
from speechhead.face.tracker import FaceTracker

NORMAL = FootageSettings()


def take(path, settings: FootageSettings = NORMAL) -> tuple[list[dict], list[dict], dict[str, np.ndarray]]:
    """Rows, samples and arrays of one film."""
    part = process(FootageEntry(path, path.name, "somebody", "train", licence="CC0"), path.parent / path.stem, settings)
    about = json.loads((part / "part.json").read_text())
    count = sum(sample["frames"] for sample in about["samples"])
    kinds = arrays(settings.size)
    values = {name: np.fromfile(part / f"{name}.raw", kinds[name][0]).reshape(count, *kinds[name][1]) for name in kinds}
    return about["rows"], about["samples"], values


def verdicts(rows: list[dict]) -> list[tuple[str, int, int]]:
    """Verdict, first frame, frames, of every line that is about pictures."""
    lines = [(r["verdict"], round(25 * r["from"]), round(25 * r["seconds"])) for r in rows]
    return [line for line in lines if line[2]]


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two shots of a face in other places and sizes, then two faces, nobody, a still picture."""
    pictures = list(takes(30, left=40))
    pictures += takes(30, left=150, eyes=72, tint=1, seed=1)
    two = [(face(58), 10, 10), (face(58), 250, 20)]
    pictures += [cv2.add(scene(two, 2), grain) for grain in noise(6)]
    pictures += [scene([], 3)] * 12
    pictures += [scene([(face(64), 100, 10)])] * 32
    return take(write(tmp_path_factory.mktemp("film") / "film.mp4", pictures))


def test_parts_and_reasons(film):
    rows, samples, _ = film
    assert verdicts(rows) == [
        ("kept", 0, 30),
        ("kept", 30, 30),
        ("second face", 60, 6),
        ("no face", 66, 12),
        ("frozen", 78, 32),
    ]
    assert [(s["from"], s["frames"]) for s in samples] == [(0.0, 30), (1.2, 30)]
    assert rows[-1]["verdict"] == "no sound" and not any(s["sound"] for s in samples)
    assert samples[0]["free"] and samples[0]["identity"] == "somebody"


def test_crops_have_the_face_in_the_middle_at_one_size(film):
    _, samples, values = film
    again = FaceTracker(threads=1)
    for sample, first in zip(samples, (0, 30)):
        landmarks = again.locate(values["frames"][first + 10]).landmarks
        tracked = values["mesh"][first + 10]
        assert outer_eye_distance(landmarks) == pytest.approx(70, abs=5)
        assert np.abs(landmarks[27, :2] - [128, 110]).max() < 16
        assert np.abs(tracked[168, :2] - landmarks[27, :2]).max() < 2.5  # the mesh belongs to the crop's pixels
        assert sample["crop"][2] == pytest.approx(3.66 * sample["quality"]["eyes"], rel=0.06)
    assert values["opening"][:30].std() > 0.01
    np.testing.assert_allclose(landmark_arrays(values["mesh"][:1])["scale"], values["scale"][:1], rtol=0.05)


def test_another_face_in_the_same_room_begins_anew():
    watcher = Watcher(NORMAL)
    seen = [watcher.look(i, p) for i, p in enumerate([*takes(8, left=90), *takes(8, left=124, eyes=66)])]
    assert [one.index for one in seen if one.begins] == [8] and not any(one.reason for one in seen)


def test_heads_on_their_side_are_refused():
    picture = next(takes(1))
    turn_by = cv2.getRotationMatrix2D((WIDTH / 2, 160), 55, 1)
    seen = Watcher(NORMAL).look(0, cv2.warpAffine(picture, turn_by, (WIDTH, 320)))
    assert seen.reason == "tilted" and seen.value == pytest.approx(55, abs=8)


def test_small_faces_are_refused_with_their_size(tmp_path):
    rows, samples, _ = take(write(tmp_path / "far.mp4", takes(8, eyes=44)))
    assert not samples and verdicts(rows) == [("small face", 0, 8)]
    assert rows[0]["value"] == pytest.approx(44, abs=4)
    _, samples, _ = take(write(tmp_path / "near.mp4", takes(26, eyes=44)), FootageSettings(min_eyes=40))
    assert len(samples) == 1


def test_time_stamps_make_25_frames_a_second(tmp_path):
    _, samples, values = take(write(tmp_path / "ntsc.mp4", takes(33), fps=30000 / 1001))
    assert samples[0]["frames"] == pytest.approx(33 / 29.97 * 25, abs=1)
    assert len(values["sound"]) == len(values["features"]) == samples[0]["frames"]
    rows, samples, _ = take(write(tmp_path / "slow.mp4", takes(14), fps=12.5))
    assert (
        not samples and rows[0]["verdict"] == "repeated pictures" and rows[0]["value"] == pytest.approx(0.5, abs=0.05)
    )


def test_phones_turn_their_pictures(tmp_path):
    path = write(tmp_path / "phone.mp4", (np.rot90(picture).copy() for picture in takes(26)))
    turn(path, WIDTH)
    _, samples, values = take(path)
    assert [s["frames"] for s in samples] == [26]
    assert np.abs(values["mesh"][:, 168, :2] - [128, 110]).max() < 20


def test_poor_pictures_are_refused_with_the_number(tmp_path):
    films = {
        "dark": (p // 6 for p in takes(26)),
        "blurred": (cv2.GaussianBlur(p, (0, 0), 2.5) for p in takes(26)),
        "interlaced": (_woven(a, b) for a, b in zip(takes(26, left=80), takes(26, left=88))),
    }
    for name, pictures in films.items():
        rows, samples, _ = take(write(tmp_path / f"{name}.mp4", pictures))
        assert not samples and rows[0]["verdict"] == name and rows[0]["value"] > 0, rows


def _woven(even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """Two fields in one picture."""
    picture = even.copy()
    picture[1::2] = odd[1::2]
    return picture


def test_long_takes_are_divided_and_ready_squares_taken_whole(tmp_path):
    square = [picture[:300, 90:390] for picture in takes(50)]
    _, samples, values = take(
        write(tmp_path / "square.mp4", square), FootageSettings(longest=25, cropped=True, size=128)
    )
    assert [s["frames"] for s in samples] == [25, 25]
    assert samples[0]["crop"] == [149.5, 149.5, 300]
    assert np.abs(values["frames"][3].astype(int) - _shrunk(square[3])).mean() < 3


def _shrunk(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA).astype(int)


def test_what_is_no_video_is_one_line(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"not a video")
    rows, samples, _ = take(tmp_path / "a.mp4")
    assert not samples and len(rows) == 1 and rows[0]["verdict"] == "unreadable"
    assert str(tmp_path) not in rows[0]["note"] and "\n" not in rows[0]["note"]
