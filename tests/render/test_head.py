"""The head motion of a video is that of its face: turns, brows and blinks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.films import write

from speechhead.core.controls import Controls
from speechhead.core.errors import FaceError
from speechhead.core.head_track import HeadTrack
from speechhead.render.head import directed, head_of


def test_a_video_gives_the_motion_of_its_face(portrait, tmp_path):
    height, width = portrait.shape[:2]
    side = 320
    small = cv2.resize(portrait, (side, round(side * height / width)), interpolation=cv2.INTER_AREA)
    tilts = 10.0 * np.sin(np.arange(24) / 24 * 2 * np.pi)
    frames = []
    for tilt in tilts:
        turn = cv2.getRotationMatrix2D((side / 2, small.shape[0] * 0.35), -float(tilt), 1.0)
        frames.append(cv2.warpAffine(small, turn, (side, small.shape[0] // 2 * 2), borderMode=cv2.BORDER_REPLICATE))
    track = head_of(write(tmp_path / "a.mp4", frames))
    roll = np.array(track.angles)[:, 2]
    assert track.relative and len(track.angles) == 24 and len(track.brow) == len(track.blink) == 24
    assert np.corrcoef(roll, tilts)[0, 1] > 0.97 and 0.8 < np.ptp(roll) / np.ptp(tilts) < 1.2
    assert max(track.blink) < 0.6 and np.abs(track.brow).max() < 0.05


def test_files_are_read_where_brows_are_asked_for_with_them(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("yaw,pitch,roll,brow,blink\n1,2,3,0.1,1\n")
    with_face, without = (directed(Controls(head=file, head_brows=brows)).head for brows in (True, False))
    assert with_face == HeadTrack([(1, 2, 3)], brow=[0.1], blink=[1.0]) and without == HeadTrack([(1, 2, 3)])
    assert directed(Controls()) == Controls()


def test_a_video_without_a_face_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    with pytest.raises(FaceError, match="a face is seen in 0 of 5 frames"):
        head_of(write(tmp_path / "a.mp4", [noise] * 5))
