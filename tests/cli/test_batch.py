"""The command `batch`: events as JSON, plain lines where nobody watches, exit code 1 where a job failed."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from speechhead.batch import local
from speechhead.batch.task import Done
from speechhead.cli.main import app


@pytest.fixture
def quick(monkeypatch):
    """Jobs that are done at once; one of text `stop` is an interrupt."""

    def run(pool, tasks):
        for number, (job, folder) in enumerate(tasks):
            if job.text == "stop":
                raise KeyboardInterrupt
            (folder / job.output).write_bytes(b"video")
            yield number, {"done": 1, "total": 2}, 1
            yield number, Done(None, (), 2, 0.5), 1

    monkeypatch.setattr(local.LocalPool, "run", run)


def call(folder, *rows, words=()):
    (folder / "jobs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return CliRunner().invoke(app, ["batch", str(folder / "jobs.jsonl"), "-o", str(folder / "out"), *words])


def test_events_are_lines_of_json(tmp_path, quick):
    done = call(tmp_path, {"text": "a", "output": "a.mp4"}, {"text": "", "output": "b.mp4"}, words=["--json"])
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "failed", "progress", "done", "end"]
    assert done.exit_code == 1 and events[1]["error"].startswith("nothing to say") and events[3]["frames"] == 2


def test_plain_lines_and_the_page_s_path(tmp_path, quick):
    done = call(tmp_path, {"text": "a", "output": "a.mp4"})
    assert done.exit_code == 0 and done.stdout.strip() == str(tmp_path / "out" / "report.html")
    assert done.stderr.splitlines() == ["[1/1] done a.mp4: 2 frames, 0.5 s", "1 done, 0 skipped, 0 failed"]


def test_an_interrupt_says_how_to_go_on(tmp_path, quick):
    done = call(tmp_path, {"text": "stop", "output": "a.mp4"})
    assert done.exit_code == 130 and "The same command goes on with what is left." in done.stderr
