"""A manifest's lines become jobs, or errors that name what is wrong with that line alone."""

from __future__ import annotations

import json

import pytest

from speechhead.batch.job import COLUMNS, Job, job_of
from speechhead.batch.manifest import read_manifest
from speechhead.core.errors import BatchError, SpeechheadError


@pytest.fixture
def home(tmp_path):
    (tmp_path / "voice.wav").write_bytes(b"sound")
    (tmp_path / "face.jpg").write_bytes(b"picture")
    return tmp_path


def test_columns_are_the_options_of_the_command_line(home):
    line = {
        "--text": "Hi.",
        "portrait": "face.jpg",
        "Size": "128",
        "blinks": "12",
        "crop": "yes",
        "emotion": "happy:0.5",
    }
    job = job_of(line, 7, home)
    assert job.options == {"size": 128, "crop": True} and job.controls == {"blink_rate": 12, "emotion": "happy:0.5"}
    assert job.source == str(home / "face.jpg") and job.output == "0007-face.mp4"
    assert Job(**json.loads(json.dumps(job.plain()))) == job, "it travels between processes"
    assert {"fps", "seed", "watermark", "amplitude", "alpha", "background", "export_motion"} <= set(COLUMNS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"text": "Hi.", "colour": "red"}, "column 'colour' is unknown. Columns are"),
        ({"text": "Hi.", "audio": "voice.wav"}, "both text and audio are given"),
        ({"emotion": "sad"}, "nothing to say"),
        ({"audio": "gone.wav"}, "gone.wav: no such sound"),
        ({"text": "Hi.", "source": "gone.jpg"}, "gone.jpg: no such picture or video"),
        ({"text": "Hi.", "size": "big"}, "size 'big' is not a number"),
        ({"text": "Hi.", "size": "63"}, "size 63 is not usable"),
        ({"text": "Hi.", "crop": "perhaps"}, "crop 'perhaps' is not usable. Write yes or no"),
        ({"text": "Hi.", "emotion": "cheerful"}, "emotion 'cheerful' is unknown"),
        ({"text": "Hi.", "output": "../out.mp4"}, "leads out of the folder"),
        ({"text": "Hi.", "output": "out.xyz"}, "'.xyz' is not a video format"),
        ({"text": "Hi.", "output": "out.mp4", "alpha": "yes"}, "holds no transparency"),
        ({"text": "Hi.", "portrait": "face.jpg", "source": "face.jpg"}, "source is given twice"),
        ({"audio": "voice.wav", "voice": "joe"}, "Leave voice out"),
        ({"text": "Hi.", "subtitles": "a.txt"}, "Use .vtt or .srt"),
        ({"text": "Hi.", "output": ".hidden.mp4"}, "does not start with a dot"),
        ({"text": ["Hi."]}, "is not usable. Give one value"),
    ],
)
def test_what_is_wrong_with_a_line_is_named(home, line, said):
    with pytest.raises(SpeechheadError) as raised:
        job_of(line, 1, home)
    assert said in str(raised.value)


def test_frames_are_inputs(home):
    (home / "f").mkdir()
    for number in (1, 2):
        (home / "f" / f"{number:03}.png").write_bytes(b"frame")
    job = job_of({"audio": "voice.wav", "source": "f/%03d.png"}, 1, home)
    assert [path.name for path in job.inputs] == ["voice.wav", "001.png", "002.png"]


def test_an_output_is_no_input(home):
    (home / "film.mp4").write_bytes(b"film")
    with pytest.raises(SpeechheadError, match="the output is the same file as the input"):
        job_of({"text": "Hi.", "source": "film.mp4", "output": "film.mp4"}, 1, home, home)


def test_csv_and_json_lines_say_the_same(home):
    table, objects = home / "jobs.csv", home / "jobs.jsonl"
    table.write_text('text,size,output\n"One,\ntwo.",128,a.mp4\n\nHi.,,a.mp4\n,,b.mp4\n', encoding="utf-8-sig")
    rows = [
        {"text": "One,\ntwo.", "size": 128, "output": "a.mp4"},
        {"text": "Hi.", "output": "A.mp4"},
        {"output": "b.mp4"},
    ]
    objects.write_text("\n".join(map(json.dumps, rows)) + "\n[1]\n{\n")
    first, second = read_manifest(table), read_manifest(objects)
    assert first[0].job == second[0].job and first[0].number == 3 and second[0].number == 1
    assert first[1].error == "output 'a.mp4' is that of line 3 already. Choose another."
    assert "is that of line 1 already" in second[1].error, "capital letters do not tell files apart everywhere"
    assert [line.error.split(".")[0][:20] for line in second[2:]] == [
        "nothing to say",
        "is no JSON object",
        "is no JSON (Expectin",
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("jobs.txt", b"text\nHi.\n", "is no manifest"),
        ("jobs.csv", b"text\n", "has no jobs"),
        ("jobs.csv", b"\xff\xfe\x00", "not text in UTF-8"),
        ("jobs.csv", b'text\n"open', "line 1 is no CSV"),
        ("gone.csv", None, "no such file"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BatchError) as raised:
        read_manifest(tmp_path / name)
    assert said in str(raised.value)


def test_tables_of_spreadsheets_with_semicolons_and_too_many_values(tmp_path):
    (tmp_path / "jobs.csv").write_text("text;size\nHi.;128\n")
    assert read_manifest(tmp_path / "jobs.csv")[0].job.options == {"size": 128}
    (tmp_path / "more.csv").write_text("text,size\nHi, you.,128\n")
    assert "Put a text with commas between double quotes" in read_manifest(tmp_path / "more.csv")[0].error
