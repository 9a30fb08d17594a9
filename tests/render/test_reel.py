"""A film that gets new words keeps all else: its bits, colours, clock, tracks; and outlives a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from support.rich_films import BOX, Kind, filmed, frames, mouth, packets, picture, pictures, rich_film

from speechhead.core.errors import ControlError, MediaError
from speechhead.core.film_options import FilmOptions
from speechhead.media.film import Film
from speechhead.render.job import FilmJob, sweep

INTRA = {"level": "3", "coder": "1", "context": "1", "slices": "4", "slicecrc": "1", "g": "1"}


def told(path):
    """What a film's file says of itself."""
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        context = video.codec_context
        tags = context.color_range, context.colorspace, context.color_primaries, context.color_trc
        sounds = [(s.codec_context.rate, s.codec_context.layout.name, s.language) for s in film.streams.audio]
        words = [(s.codec_context.name, s.language) for s in film.streams.subtitles]
        chapters = [(c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in film.chapters()]
        sar = video.sample_aspect_ratio
        return (context.name, context.pix_fmt, sar, tags), sounds, words, chapters, film.metadata.get("title")


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_all_that_a_file_has_goes_over(tmp_path, ending):
    kind = Kind("yuv420p10le", sar=Fraction(4, 3))
    source = rich_film(tmp_path / f"film.{ending}", kind)
    result = filmed(source, tmp_path / f"new.{ending}", 1.5)
    before, after = told(source), told(result)
    assert before[0] == after[0] and after[0][1:3] == ("yuv420p10le", Fraction(4, 3))
    assert after[1] == [(16000, "mono", after[1][0][2]), (48000, "mono", "fra")]
    assert before[2:] == after[2:] and after[4] == "A rich film" and after[3] == [("One", 0.0), ("Two", 0.6)]
    with av.open(str(result)) as film, av.open(str(source)) as old:
        assert film.streams.audio[1].disposition == old.streams.audio[1].disposition
        texts = [bytes(p) for p in film.demux(film.streams.subtitles[0]) if p.size > 2]
        assert any(b"Guten Tag" in text for text in texts)


def test_own_sound_is_kept_as_a_second_track(tmp_path):
    source = rich_film(tmp_path / "film.mp4")
    result = filmed(source, tmp_path / "new.mp4", 1, FilmOptions(keep_audio=True))
    assert [sound[:2] for sound in told(result)[1]] == [(16000, "mono"), (44100, "stereo"), (48000, "mono")]
    with av.open(str(result)) as film:
        assert [bool(s.disposition & Disposition.default) for s in film.streams.audio] == [True, False, False]


@pytest.mark.parametrize("ending, becomes", [("mkv", "mov_text"), ("mp4", "srt")])
def test_words_change_their_form_where_a_container_asks_for_it(tmp_path, ending, becomes):
    source = rich_film(tmp_path / f"film.{ending}")
    result = filmed(source, tmp_path / ("new.mp4" if ending == "mkv" else "new.mkv"), 1)
    assert told(result)[2] == [(becomes, "deu")]
    with av.open(str(result)) as film:
        assert any(b"Guten Tag" in bytes(p) for p in film.demux(film.streams.subtitles[0]))


@pytest.mark.parametrize(
    "layout, codec, ending",
    [
        ("yuv420p", None, "mp4"),
        ("yuv422p10le", None, "mkv"),
        ("yuv444p", "ffv1", "mkv"),
        ("yuv420p10le", "hevc", "mp4"),
    ],
)
def test_without_loss_only_the_mouth_changes(tmp_path, layout, codec, ending):
    source = rich_film(tmp_path / f"film.{ending}", Kind(layout, count=12), rich=False)
    result = filmed(source, tmp_path / f"new.{ending}", 0.4, FilmOptions(codec=codec, lossless=True))
    old, new = frames(source), frames(result)
    assert len(new) == 10
    bytes_each, sides = 2 if "10" in layout else 1, {"yuv420p": (2, 2), "yuv422p": (2, 1)}.get(layout[:7], (1, 1))
    for (_, before), (_, after) in zip(old, new):
        for number, (one, other) in enumerate(zip(before, after)):
            across, down = sides if number else (1, 1)
            rows, columns = np.nonzero(one[:, : 96 * bytes_each // across] != other[:, : 96 * bytes_each // across])
            assert len(rows)
            assert BOX[0].start // down - 1 <= rows.min() and rows.max() <= BOX[0].stop // down
            assert BOX[1].start // across - 1 <= columns.min() // bytes_each <= columns.max() // bytes_each
            assert columns.max() // bytes_each <= BOX[1].stop // across


GROUPED = [
    ("mp4", Kind()),
    ("mkv", Kind("yuv420p10le")),
    ("mov", Kind("yuv422p10le", "prores_ks", options={"profile": "3"})),
    ("mkv", Kind("yuv420p", "ffv1", options=INTRA)),
]


@pytest.mark.parametrize("ending, kind", GROUPED)
def test_groups_without_an_edit_keep_their_bytes(tmp_path, ending, kind):
    source = rich_film(tmp_path / f"film.{ending}", kind, rich=False)
    result = filmed(source, tmp_path / f"new.{ending}", 2, FilmOptions(length="keep"), edited=range(12, 18))
    old, new = packets(source), packets(result)
    assert [at for at, _ in old] == pytest.approx([at for at, _ in new])
    same = np.array([one[1] == other[1] for one, other in zip(old, new)])
    intra = kind.codec in ("prores_ks", "ffv1")
    kept = np.ones(50, bool)
    kept[12 if intra else 10 : 18 if intra else 20] = False
    assert same[kept].all() and not same[12:18].any()
    shown = pictures(result)
    assert len(shown) == 50
    apart = [np.abs(a.astype(int) - b).max() for a, b in zip(pictures(source), shown)]
    assert not any(np.array(apart)[kept]) and all(np.array(apart)[12:18] > 40)


def test_what_can_not_be_joined_is_encoded_with_a_note(tmp_path, caplog):
    options = {"preset": "ultrafast", "crf": "10", "x265-params": "log-level=none:keyint=10"}
    source = rich_film(tmp_path / "film.mp4", Kind(codec="libx265", options=options), rich=False)
    result = filmed(source, tmp_path / "new.mp4", 2, edited=[3])
    assert told(result)[0][0] == "hevc" and "does not join groups of two encoders" in caplog.text
    assert len(frames(result)) == 50


def test_a_film_of_an_editor_gets_sound_without_loss(tmp_path):
    kind = Kind("yuv422p10le", "prores_ks", options={"profile": "3"}, count=6)
    source = rich_film(tmp_path / "film.mov", kind, rich=False)
    with av.open(str(filmed(source, tmp_path / "new.mov", 0.2))) as film:
        assert film.streams.audio[0].codec_context.name.startswith("pcm_")


def test_a_film_of_rgb_becomes_another_with_a_note(tmp_path, caplog):
    source = rich_film(tmp_path / "film.mkv", Kind("bgr0", "ffv1", options=INTRA, count=4), rich=False)
    result = filmed(source, tmp_path / "new.mkv", 0.16, FilmOptions(lossless=True))
    assert "bgr0 is no planar Y'CbCr: the film becomes yuv420p." in caplog.text
    assert told(result)[0][:2] == ("ffv1", "yuv420p")


def changed(source, result):
    """Numbers of the pictures that differ by more than their coding."""
    apart = [np.abs(a.astype(int) - b).mean() for a, b in zip(pictures(source), pictures(result), strict=True)]
    return np.flatnonzero(np.array(apart) > 1.5 + 2 * np.median(apart)).tolist()


@pytest.mark.parametrize("lossless", [False, True])
def test_groups_with_and_without_loss_do_not_stand_side_by_side(tmp_path, caplog, lossless):
    options = {"preset": "ultrafast", "qp": "0" if lossless else "12", "g": "10"}
    source = rich_film(tmp_path / "film.mp4", Kind(options=options), rich=False)
    wanted = FilmOptions(length="keep", lossless=not lossless)
    result = filmed(source, tmp_path / "new.mp4", 2, wanted, edited=range(22, 26))
    assert "groups with and without loss" in caplog.text
    assert changed(source, result) == [22, 23, 24, 25]


def test_packets_that_tell_nothing_are_encoded_with_a_note(tmp_path, caplog):
    source = rich_film(tmp_path / "film.ts", rich=False)
    assert len(frames(filmed(source, tmp_path / "new.mp4", 2, edited=[3]))) == 50
    assert "do not tell which pictures a group holds" in caplog.text
    caplog.clear()
    filmed(source, tmp_path / "new.mp4", 2)  # nothing to copy
    assert not caplog.text


def test_a_film_that_was_cut_off_ends_with_a_note(tmp_path, caplog):
    source = rich_film(tmp_path / "film.mkv", Kind(count=75), rich=False)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 3])
    result = filmed(source, tmp_path / "new.mkv", 1, FilmOptions(length="keep"))
    assert "its pictures end at" in caplog.text and "though the file says 3.00 s" in caplog.text
    assert 5 < len(frames(result)) < 60


def test_a_film_that_starts_late_is_no_longer_for_it(tmp_path, caplog):
    source = rich_film(tmp_path / "film.mkv", Kind(count=25, late=Fraction(3)), rich=False)
    assert Film(source).duration == pytest.approx(1, abs=0.1)
    filmed(source, tmp_path / "new.mkv", 1, FilmOptions(length="keep"))
    assert "pictures end at" not in caplog.text


def test_colours_of_hd_without_tags_stay(tmp_path):
    kind = Kind(tags=(0, 2, 2, 2), size=(1280, 32), count=4)
    source = rich_film(tmp_path / "film.mp4", kind, rich=False)
    result = filmed(source, tmp_path / "new.mp4", 0.16, FilmOptions(lossless=True), edited=[])
    assert all(
        np.array_equal(a, b) for one, other in zip(frames(source), frames(result)) for a, b in zip(one[1], other[1])
    )
    assert np.abs(pictures(source)[0].astype(int) - picture(0, (1280, 32))).mean() < 3
    assert told(result)[0][3] == told(source)[0][3]


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_film_stays_turned(tmp_path, turns, codec):
    source = rich_film(tmp_path / "film.mkv", Kind("yuv420p", turns=turns, count=3), rich=False)
    result = filmed(source, tmp_path / "new.mkv", 0.12, FilmOptions(codec=codec, lossless=True))
    old, new = pictures(source)[1], pictures(result)[1]
    assert Film(source).look.turns == Film(result).look.turns == turns and old.shape == new.shape
    assert np.abs(old.astype(int) - np.rot90(picture(1), turns)).mean() < 4
    rows, columns = np.nonzero(np.abs(old.astype(int) - new).max(-1) > 12)
    assert abs(rows.min() - BOX[0].start) < 3 and abs(columns.max() + 1 - BOX[1].stop) < 3


@pytest.mark.parametrize("transfer", [16, 18])
def test_wide_range_stays_wide(tmp_path, transfer):
    kind = Kind("yuv420p10le", tags=(1, 9, 9, transfer), count=4)
    source = rich_film(tmp_path / "film.mp4", kind, rich=False)
    result = filmed(source, tmp_path / "new.mp4", 0.16, FilmOptions(lossless=True))
    assert told(result)[0] == told(source)[0]
    film = Film(source)
    seen = next(iter(film.frames()))[2].frame.reformat(format="rgb24", src_colorspace=9).to_ndarray()
    shown = pictures(source)[0]
    assert (shown.mean() > 1.1 * seen.mean()) == (transfer == 18) or transfer == 16
    new = pictures(result)[3][28:36, 44:60].astype(int)  # inside of the mouth, at 0.12 s
    assert np.abs(new - (12, 60, 60)).mean() < 6


def test_times_of_every_picture_stay(tmp_path):
    steps = [40] * 10 + [200] * 5 + [40] * 10
    kind = Kind(times=tuple(int(t) for t in np.cumsum([0, *steps])), base=Fraction(1, 1000))
    for ending in ("mkv", "mp4"):
        source = rich_film(tmp_path / f"film.{ending}", kind, rich=False)
        result = filmed(source, tmp_path / f"new.{ending}", 2, FilmOptions(length="cut"))
        old, new = frames(source), frames(result)
        assert [at for at, _ in new] == [at for at, _ in old]
        red = [int(shown[32, 52, 0]) for shown in pictures(result)]
        assert np.abs(np.array(red) - [100 * at for at, _ in old]).max() < 6  # each mouth is that of its own time


def test_a_hundred_and_twenty_pictures_a_second_stay(tmp_path):
    source = rich_film(tmp_path / "film.mp4", Kind(rate=120, count=60), rich=False)
    result = filmed(source, tmp_path / "new.mp4", 0.4)
    with av.open(str(result)) as film:
        assert film.streams.video[0].average_rate == 120
    assert len(frames(result)) == 48
    assert len(frames(filmed(source, tmp_path / "slow.mp4", 0.4, fps=30))) == 12


def test_interlaced_films_are_refused_with_what_to_do(tmp_path):
    options = {"preset": "ultrafast", "x264-params": "tff=1"}
    source = rich_film(tmp_path / "film.mp4", Kind(options=options, count=5), rich=False)
    with pytest.raises(MediaError, match="is interlaced.*De-interlace it first"):
        filmed(source, tmp_path / "new.mp4", 0.2)


@pytest.mark.parametrize(
    "way, order", [("bounce", [9, 9, 0, 0]), ("loop", [9, 0, 9, 0]), ("hold", [9, 9, 9, 9]), ("cut", []), ("keep", [])]
)
def test_a_film_shorter_than_its_sound(tmp_path, way, order):
    source = rich_film(tmp_path / "film.mp4", Kind(count=10), rich=False)
    result = pictures(filmed(source, tmp_path / "new.mp4", 1.2, FilmOptions(length=way), edited=[]))
    own = pictures(source)
    found = [int(np.argmin([np.abs(one.astype(int) - shown).sum() for one in own])) for shown in result]
    assert len(result) == (30 if order else 10) and found[:10] == list(range(10))
    if order:
        assert [found[at] for at in (9, 10, 19, 20)] == order
    times = [at for at, _ in frames(tmp_path / "new.mp4")]
    assert times == pytest.approx([n / 25 for n in range(len(times))])


@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_a_passage_is_replaced_and_the_rest_stays(tmp_path, ending):
    source = rich_film(tmp_path / f"film.{ending}", rich=ending == "mp4")
    result = filmed(source, tmp_path / "new.mp4", 3, FilmOptions(since=0.6, until=1.2))
    shown = pictures(result)
    assert len(shown) == 50
    red = np.array([one[28:36, 48:60, 0].mean() for one in shown])
    assert np.abs(red[15:30] - np.arange(15) * 4).max() < 9  # the sound begins with the passage
    own = np.array([one[28:36, 48:60].mean() for one in pictures(source)])
    apart = np.abs(own - [one[28:36, 48:60].mean() for one in shown])
    assert apart[:15].max() < 3 and apart[30:].max() < 3 and apart[15:30].min() > 10
    if ending == "mp4":
        from speechhead.audio.io import load_audio

        sound = load_audio(result)
        assert np.abs(sound[: 16000 // 2]).max() > 0.1 and np.abs(np.diff(sound[11000:18000])).max() < 0.03
    with pytest.raises(ControlError, match="the film ends at 2.00 s"):
        filmed(source, tmp_path / "new.mp4", 1, FilmOptions(since=7))


def test_options_that_contradict_each_other_are_refused(tmp_path):
    for given, text in (
        ({"codec": "prores", "lossless": True}, "always loses a little"),
        ({"crf": 20, "lossless": True}, "for lossy films"),
        ({"codec": "ffv1", "crf": 20}, "has no such quality"),
        ({"since": 1, "length": "loop"}, "keeps its length"),
        ({"since": 2, "until": 1}, "is not after"),
    ):
        with pytest.raises((MediaError, ControlError), match=text):
            FilmOptions(**given)
    source = rich_film(tmp_path / "film.mp4", Kind(count=4), rich=False)
    with pytest.raises(MediaError, match="prores does not go into '.mp4'. Write a .mov or .mkv"):
        filmed(source, tmp_path / "new.mp4", 0.1, FilmOptions(codec="prores"))


KILLED = """
import sys
from pathlib import Path
from support import rich_films
from speechhead.core.film_options import FilmOptions
from speechhead.render import filming
filming.PART_SECONDS = 0.3
drawn = rich_films.mouth
def slow(*given):
    import time
    time.sleep(float(sys.argv[3]))
    return drawn(*given)
rich_films.mouth = slow
rich_films.filmed(Path(sys.argv[1]), Path(sys.argv[2]), 2, FilmOptions())
"""


def test_a_killed_run_goes_on_to_the_same_file(tmp_path):
    source = rich_film(tmp_path / "film.mp4")
    once, again = tmp_path / "once.mp4", tmp_path / "again.mp4"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path])}

    def run(path, pause="0"):
        return subprocess.Popen([sys.executable, "-c", KILLED, source, path, pause], env=environment, stderr=-1)

    assert run(once).communicate()[1] == b""
    process = run(again, "0.05")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".again.*.job/*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not again.exists() and list(tmp_path.glob(".again.*.job"))
    process = run(again)
    assert b"goes on after" in process.communicate()[1] and process.returncode == 0
    assert once.read_bytes() == again.read_bytes()
    assert not list(tmp_path.glob(".*.job"))


def test_job_folders_are_one_processes_and_swept_when_old(tmp_path):
    with FilmJob(tmp_path / "a.mp4", {"options": 1}) as job:
        with pytest.raises(MediaError, match="is being written by another process"):
            FilmJob(tmp_path / "a.mp4", {"options": 1}).__enter__()
        folder = job.folder
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), FilmJob(tmp_path / "a.mp4", {"options": 1}) as job:
        job.part("1").write_bytes(b"x")
        raise KeyboardInterrupt
    assert job.part("1").exists()
    with FilmJob(tmp_path / "b.mp4", {}):
        assert folder.exists()  # it is not old
    with pytest.raises(ValueError), FilmJob(tmp_path / "a.mp4", {"options": 2}) as job:
        assert not job.part("1").exists()  # another film's
        job.part("2").write_bytes(b"x")
        raise ValueError
    os.utime(folder, (0, 0))
    sweep(tmp_path)
    assert not folder.exists()


def test_a_text_in_every_picture(tmp_path):
    source = rich_film(tmp_path / "film.mp4", Kind(count=5), rich=False)
    result = pictures(filmed(source, tmp_path / "new.mp4", 0.2, edited=[], watermark="AI"))
    apart = np.abs(result[2].astype(int) - pictures(source)[2]).max(-1)
    rows, columns = np.nonzero(apart > 60)
    assert len(rows) and rows.min() > 40 and columns.min() > 60


def test_mouth_paints_what_the_tests_measure():
    assert mouth(picture(3), 0, 0.5)[30, 50].tolist() == [50, 60, 60]
