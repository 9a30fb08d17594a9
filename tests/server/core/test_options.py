"""The options of `speechhead serve` are the settings."""

from __future__ import annotations

import pytest
from speechhead_server.core.config import SECRETS, ServerSettings
from support.paths import ROOT
from typer.main import get_command

from speechhead.cli.main import app
from speechhead.core.errors import ServerError
from speechhead.core.records import entries


def test_the_command_has_the_settings_as_its_options():
    parameters = {parameter.name: parameter for parameter in get_command(app).get_command(None, "serve").params}
    shown = [entry for entry in entries(ServerSettings) if entry.option.command]
    files = {f"{name}_file" for name in SECRETS}
    assert set(parameters) - {"help"} == {entry.name for entry in shown} | files
    assert files == {f"{name}_file" for name in ("token", "turn_password", "turn_secret", "llm_key", "asr_key")}
    for entry in shown:
        assert parameters[entry.name].help.startswith(entry.option.meaning)
        assert not parameters[entry.name].default  # what is not given is looked for in the environment
    assert parameters["port"].help == "TCP port, 0..65535; 8080 if not given."
    assert parameters["origins"].opts == ["--origin"] and parameters["origins"].multiple


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("queue seconds 0 is not usable. Give a number above 0 seconds.", {"queue_seconds": 0}),
        ("port 70000 is not usable. Give a whole number from 0 to 65535.", {"port": 70000}),
        ("max sessions 0 is not usable. Give a whole number above 0.", {"max_sessions": 0}),
    ],
)
def test_a_limit_that_allows_nothing_is_named(line, settings):
    with pytest.raises(ServerError) as caught:
        ServerSettings(**settings)
    assert str(caught.value) == line


def test_every_setting_is_told_on_the_page_for_operators():
    page = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    for entry in entries(ServerSettings):
        flag = entry.option.flag or f"--{entry.name.replace('_', '-')}"
        variable = f"SPEECHHEAD_{entry.name.upper()}"
        told = [flag] if entry.option.command else []
        assert any(word in page for word in (*told, variable, f"`{entry.name}`")), (flag, variable)
