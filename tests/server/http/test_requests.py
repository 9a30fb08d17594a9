"""Bodies of requests take the fields of the controls, and the protocol's page holds their table."""

from __future__ import annotations

import dataclasses
import json

import pytest
from speechhead_server.core.problems import Refused
from speechhead_server.http import control_fields
from speechhead_server.http.requests import ControlsBody, keyframes_of, shown_controls
from support.paths import ROOT

from speechhead.core.controls import Controls
from speechhead.core.errors import ControlError


def test_the_protocol_holds_the_table_of_controls():
    assert control_fields.table() in (ROOT / "server" / "PROTOCOL.md").read_text(encoding="utf-8")
    assert "| `blink_rate` | number | 16 | Blinks per minute, 0..120 |" in control_fields.table()


def test_bodies_take_every_control_but_the_seed_and_files():
    names = {field.name for field in dataclasses.fields(Controls)} - {"seed", "keyframes", "head_brows"}
    assert set(ControlsBody.model_fields) == set(shown_controls(Controls())) == names
    for entry in control_fields.FIELDS:
        assert ControlsBody.model_fields[entry.name].description == entry.option.meaning


def test_changes_are_what_was_sent():
    body = ControlsBody.model_validate({"head": [1, 2, 3], "emotion": "happy:0.4", "gaze": None, "idle": None})
    assert body.changes() == {"head": [(1.0, 2.0, 3.0)], "emotion": {"happy": 0.4}, "gaze": None}
    assert shown_controls(Controls(**body.changes()))["head"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "wrong",
    [{"seed": 1}, {"head": "wild"}, {"head": [1, 2]}, {"blink_rate": "often"}, {"gaze": [1]}, {"smile": 1}],
)
def test_what_is_no_control_is_refused(wrong):
    with pytest.raises(ValueError):
        ControlsBody.model_validate(wrong)


def test_keyframes_never_open_a_file_of_the_server(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text('[{"at": 1, "emotion": "happy"}]')
    assert len(keyframes_of(file.read_text())) == 1 and keyframes_of(None) == keyframes_of("") == ()
    assert len(keyframes_of('\ufeff"at","emotion"\n1,"sad"\n')) == 1
    with pytest.raises(ControlError, match="Shorten its cells"):
        keyframes_of("at,emotion\n0," + 200_000 * "a")
    table = keyframes_of("# mood\r\nAt; gaze\r\n0.5; 3,-2\r\n1; none\r\n")
    assert [(key.at, key.changes["gaze"]) for key in table] == [(0.5, (3.0, -2.0)), (1.0, None)]
    for wrong in (json.dumps(str(file)), str(file), "5", "{}", "null", "[" * 100_000):
        with pytest.raises(Refused, match="keyframes are no") as caught:
            keyframes_of(wrong)
        assert caught.value.status == 422 and str(file) not in str(caught.value)
