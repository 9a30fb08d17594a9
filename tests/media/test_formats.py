"""Forms of video for editors and web pages keep pixels, transparency, timing and sound."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.fakes import speech_like

from speechhead.core.errors import MediaError
from speechhead.media.formats import open_writer
from speechhead.media.palette import Palette
from speechhead.media.targets import check_beside, check_place

SIDE, COUNT = 64, 6


@pytest.fixture
def pictures(portrait):
    small = cv2.resize(portrait, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return [np.roll(small, 2 * number, 1) for number in range(COUNT)]


def round_matte():
    matte = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(matte, (SIDE // 2, SIDE // 2), SIDE // 3, 255, -1, cv2.LINE_AA)
    return matte


def write(path, pictures, alpha=False, rate=16_000, watermark=None):
    with open_writer(path, (SIDE, SIDE), 25.0, rate, watermark, alpha) as writer:
        writer.write_audio(speech_like(0.1))
        for picture in pictures:
            writer.write(np.dstack([picture, round_matte()]) if alpha else picture)
    return path


def read(path, codec=None, form="rgba"):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = av.CodecContext.create(codec, "r") if codec else stream.codec_context
        frames = [
            frame for packet in container.demux(stream) if packet.size or not codec for frame in context.decode(packet)
        ]
        if codec:
            frames += context.decode(None)
        sound = [each.codec_context.name for each in container.streams.audio]
    return np.stack([frame.to_ndarray(format=form) for frame in frames]), sound


@pytest.mark.parametrize(
    ("name", "codec", "sound", "near"),
    [("a.mov", None, ["pcm_s16le"], 1.5), ("a.webm", "libvpx-vp9", ["opus"], 8), ("a.apng", None, [], 0.01)],
)
def test_transparency_survives(tmp_path, pictures, name, codec, sound, near):
    frames, heard = read(write(tmp_path / name, pictures, alpha=True), codec)
    matte = round_matte()
    assert frames.shape == (COUNT, SIDE, SIDE, 4) and heard == sound
    assert np.abs(frames[..., 3].astype(int) - matte).mean() < max(near, 0.01)
    inside = matte == 255
    assert np.abs(frames[2][inside][:, :3].astype(int) - pictures[2][inside]).mean() < near


def test_frames_are_numbered_pictures_beside_their_sound(tmp_path, pictures):
    write(tmp_path / "f" / "x-%03d.png", pictures, alpha=True)
    assert sorted(path.name for path in (tmp_path / "f").iterdir()) == ["sound.wav"] + [
        f"x-{n:03}.png" for n in range(1, 7)
    ]
    shown = cv2.imread(str(tmp_path / "f" / "x-003.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(shown[..., 2::-1], pictures[2]) and np.array_equal(shown[..., 3], round_matte())
    with wave.open(str(tmp_path / "f" / "sound.wav")) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(COUNT / 25)


def test_a_gif_keeps_colours_and_pace(tmp_path, pictures):
    frames, sound = read(write(tmp_path / "a.gif", pictures), form="rgb24")
    assert len(frames) == COUNT and not sound
    assert (
        np.abs(cv2.GaussianBlur(frames[3], (0, 0), 2).astype(int) - cv2.GaussianBlur(pictures[3], (0, 0), 2)).mean() < 4
    )
    still = [Palette.of([pictures[0]]).picture(pictures[0]).to_ndarray(format="rgb24") for _ in range(2)]
    assert np.array_equal(*still), "what stands still does not shimmer"


def test_a_watermark_is_seen_where_the_picture_is_not(tmp_path, pictures):
    frames, _ = read(write(tmp_path / "a.apng", pictures, alpha=True, watermark="made"))
    plain, _ = read(write(tmp_path / "b.webm", pictures, watermark="made"), form="rgb24")
    assert frames[0, -6:, -20:, 3].min() > 90 and plain.shape[0] == COUNT


def test_nothing_half_written_stays(tmp_path, pictures):
    for name in ("a.webm", "f/%03d.png"):
        with pytest.raises(ZeroDivisionError), open_writer(tmp_path / name, (SIDE, SIDE), 25.0, None) as writer:
            writer.write(pictures[0])
            raise ZeroDivisionError
        with pytest.raises(MediaError, match="no frames"), open_writer(tmp_path / name, (SIDE, SIDE), 25.0, None):
            pass
        with (
            pytest.raises(MediaError, match="frame of shape"),
            open_writer(tmp_path / name, (SIDE, SIDE), 25.0, None) as w,
        ):
            w.write(pictures[0][:10])
    assert list(tmp_path.iterdir()) == []


def test_frames_go_into_a_folder_that_is_mounted(tmp_path, pictures, monkeypatch):
    """It can not be replaced by another, and stays the same one."""
    folder = tmp_path / "f"
    folder.mkdir()
    before = folder.stat().st_ino
    monkeypatch.setattr(os.path, "ismount", lambda path: path == folder)
    monkeypatch.setattr(Path, "rmdir", lambda path: pytest.fail(f"{path} is busy"))
    write(folder / "%d.png", pictures)
    assert sorted(path.name for path in folder.iterdir()) == [*(f"{n}.png" for n in range(1, COUNT + 1)), "sound.wav"]
    assert folder.stat().st_ino == before


def test_places_that_can_not_be_are_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "1.png").write_bytes(b"")
    (tmp_path / "folder.gif").mkdir()
    for name, alpha, said in (
        ("a.xyz", False, "is not a video format known here"),
        ("a.gif", True, "'.gif' holds no transparency"),
        ("full/%03d.png", False, "is no empty folder"),
        ("gone/a.gif", False, "does not exist"),
        ("folder.gif", False, "not a plain file"),
        ("a%.png", False, "is not a video format"),
    ):
        with pytest.raises(MediaError, match=said):
            check_place(tmp_path / name, alpha)
    for path, taken, said in (
        (tmp_path / "a.vtt", [tmp_path / "a.vtt"], "is another result already"),
        (tmp_path / "full", [], "not a plain file"),
        (Path(tmp_path / "gone" / "a.vtt"), [], "does not exist"),
    ):
        with pytest.raises(MediaError, match=said):
            check_beside(path, taken)
