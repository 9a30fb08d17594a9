"""Keyframes: from files and lists, in the order of their times, and what is wrong in one line."""

from __future__ import annotations

import json

import pytest

from speechhead.core.controls import Controls
from speechhead.core.errors import ControlError


def test_a_table_and_a_list_say_the_same(tmp_path):
    table, listed = tmp_path / "a.csv", tmp_path / "a.json"
    table.write_text(
        '# a comment\nat,emotion,gaze,blink_rate\n2,"happy:0.5,sad:0.2",,\n0.5,,"10,-5",0\n3,neutral,none,\n'
    )
    listed.write_text(
        json.dumps(
            [
                {"at": 0.5, "gaze": [10, -5], "blink_rate": 0},
                {"at": 2, "emotion": {"happy": 0.5, "sad": 0.2}},
                {"at": 3, "emotion": "neutral", "gaze": None},
            ]
        )
    )
    cues = Controls(keyframes=table).cues
    assert cues == Controls(keyframes=str(listed)).cues == Controls(keyframes=cues).cues
    assert [cue.at for cue in cues] == [0.5, 2, 3]
    assert cues[0].changes == {"gaze": (10.0, -5.0), "blink_rate": 0}
    assert cues[2].changes == {"emotion": {"neutral": 1.0}, "gaze": None}


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("emotion\nhappy\n", "has no column 'at'"),
        ("at,emotion\n1,merry\n", "keyframe at 1 s: emotion 'merry' is unknown"),
        ("at,seed\n1,2\n", "entry 1: 'seed' can not change over time"),
        ("at,emotion\n-1,happy\n", "entry 1: at -1.0 is not usable"),
        ("at,emotion\n1,happy,sad\n", "line 2: more cells than columns"),
        ("at,blink_rate\n1,often\n", "blink rate 'often' is not usable"),
        ("at,gaze\n1,left\n", "gaze 'left' is not a pair"),
        ('[{"at": 1', "is no JSON"),
        ('{"at": 1}', "is not usable. Give a list"),
        ("[3]", "entry 1: 3 has no time"),
        ("[" * 100_000, "is nested too deeply"),
        ('[{"at": 1' + "0" * 400 + "}]", "is not usable. Give seconds from 0"),
        (b"\xff\xfe\x00", "is no text"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, content, line):
    file = tmp_path / "keys.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ControlError) as caught:
        Controls(keyframes=file)
    assert line in str(caught.value) and "\n" not in str(caught.value)


def test_all_that_fades_may_change_over_time():
    assert Controls(keyframes=[{"at": 1, "temperament": 0.2}]).cues[0].changes == {"temperament": 0.2}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ControlError, match="none.json: no such file"):
        Controls(keyframes=tmp_path / "none.json")
