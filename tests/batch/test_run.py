"""A batch does what is left, records what failed, and reports; its workers may die."""

from __future__ import annotations

import csv
import json
import os
import queue
import sys
from pathlib import Path

import numpy as np
import pytest
from support.fakes import speech_like

from speechhead.batch import child, local, task, worker
from speechhead.batch.job import Job
from speechhead.batch.ledger import Ledger, digest_of
from speechhead.batch.local import LocalPool
from speechhead.batch.run import run_batch
from speechhead.batch.task import Done, perform
from speechhead.batch.worker import Worker
from speechhead.core.errors import BatchError, SpeechheadError
from speechhead.core.kept import forget_opened
from speechhead.media.formats import open_writer
from speechhead.media.sound import write_wav


@pytest.fixture(autouse=True)
def _forgetful():
    yield
    forget_opened()


class Here:
    """Does jobs in this process."""

    def run(self, tasks):
        for number, (job, folder) in enumerate(tasks):
            yield number, {"done": 1, "total": 2}, 1
            yield number, perform(job, folder), 1

    def close(self):
        pass


@pytest.fixture
def made(monkeypatch):
    """Jobs that draw nothing: a grey video, or what is wrong with the text."""
    done = []

    def make(job, folder, progress):
        done.append(job.output)
        if job.text.startswith("bad"):
            raise SpeechheadError(f"{folder}/x.wav: can not be\nspoken.")
        if job.text == "worse":
            raise KeyError("oh")
        task.log.warning("%s is noted", job.text)
        target = folder / Path(job.output).name
        if "%" in job.output:
            (folder / "frames").mkdir()
            target = folder / "frames" / target.name
        with open_writer(target, (64, 64), 25.0, None) as writer:
            writer.write(np.full((64, 64, 3), 90, np.uint8))
        progress(1, 1)

    monkeypatch.setattr(task, "make", make)
    return done


def manifest(folder, *rows):
    path = folder / "jobs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_what_is_done_is_not_done_again(tmp_path, made):
    rows = [{"text": "a", "output": "a.mp4"}, {"text": "bad", "output": "b.mp4"}, {"text": "f", "output": "f/%03d.png"}]
    rows += [{"text": "worse", "output": "sub/w.mp4"}, {"text": "a", "size": "x"}]
    path, out, events = manifest(tmp_path, *rows), tmp_path / "out", []
    first = run_batch(path, out, Here(), events.append)
    assert [each.status for each in first] == ["done", "failed", "done", "failed", "failed"]
    assert [each.error for each in first][1] == "x.wav: can not be spoken.", "no path of a folder that is gone"
    assert "internal error, please report it: KeyError" in first[3].error
    assert first[0].record.notes == ("a is noted",) and (out / "f" / "001.png").is_file()
    assert not any((out / ".batch").glob("work")) and events[-1] == {
        "event": "end",
        "done": 2,
        "skipped": 0,
        "failed": 3,
    }

    made.clear()
    assert [each.status for each in run_batch(path, out, Here())] == [
        "skipped",
        "failed",
        "skipped",
        "failed",
        "failed",
    ]
    assert made == ["b.mp4", "sub/w.mp4"], "what failed is tried again, and nothing else"

    made.clear()
    (out / "a.mp4").write_bytes(b"damaged")
    (out / "f" / "001.png").unlink()
    run_batch(path, out, Here())
    assert {"a.mp4", "f/%03d.png"} <= set(made), "files that are not as they were are made again"

    rows[0]["seed"] = 3
    made.clear()
    run_batch(manifest(tmp_path, *rows), out, Here())
    assert "a.mp4" in made and "f/%03d.png" not in made, "a line that has changed is another job"


def test_the_report_has_pictures_and_errors(tmp_path, made):
    path = manifest(tmp_path, {"text": "a", "output": "a <b>.mp4"}, {"text": "bad & worse", "output": "b.mp4"})
    run_batch(path, tmp_path / "out", Here())
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 1 and "a &lt;b&gt;.mp4" in page and "can not be spoken." in page
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["counts"] == {"done": 1, "skipped": 0, "failed": 1, "left": 0}
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["done", "failed"] and rows[0]["frames"] == "1"


def test_an_interrupt_leaves_a_folder_that_goes_on(tmp_path, made):
    class Interrupted(Here):
        def run(self, tasks):
            yield next(news for news in super().run(tasks) if isinstance(news[1], Done))
            raise KeyboardInterrupt

    path = manifest(tmp_path, {"text": "a", "output": "a.mp4"}, {"text": "b", "output": "b.mp4"})
    with pytest.raises(KeyboardInterrupt):
        run_batch(path, tmp_path / "out", Interrupted())
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["counts"]["left"] == 1
    assert sorted(each.name for each in (tmp_path / "out").glob("*.mp4")) == ["a.mp4"]
    assert [each.status for each in run_batch(path, tmp_path / "out", Here())] == ["skipped", "done"]


def test_a_folder_is_one_batch_s_at_a_time(tmp_path):
    with (
        Ledger(tmp_path / "out"),
        pytest.raises(BatchError, match="another batch works there"),
        Ledger(tmp_path / "out"),
    ):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(BatchError, match="can not hold results"), Ledger(tmp_path / "file" / "out"):
        pass


def test_large_files_are_told_apart_by_their_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("speechhead.batch.ledger.WHOLE", 10)
    monkeypatch.setattr("speechhead.batch.ledger.END", 4)
    path = tmp_path / "large"
    path.write_bytes(b"a" * 20)
    first = digest_of(path)
    path.write_bytes(b"a" * 19 + b"b")
    assert digest_of(path) != first and digest_of(tmp_path / "gone") == ""


CHILD = """
import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    text, folder = job["job"]["text"], job["folder"]
    mark = os.path.join(os.path.dirname(folder), "died")
    if text == "dies" or (text == "dies once" and not os.path.exists(mark)):
        open(mark, "w").close(); open(os.path.join(folder, "left"), "w").close(); os.kill(os.getpid(), 9)
    if text == "hangs": time.sleep(60)
    print(json.dumps({"event": "progress", "done": 1, "total": 1}), flush=True)
    said = [os.environ["OMP_NUM_THREADS"], str(os.getpid()), *os.listdir(folder)]
    print(json.dumps({"event": "done", "error": None, "notes": said, "frames": 1, "seconds": 0.1}), flush=True)
"""


@pytest.fixture
def toy_child(monkeypatch):
    monkeypatch.setattr(worker, "child_command", lambda module: [sys.executable, "-S", "-c", CHILD])


def tasks_of(folder, *texts):
    found = []
    for number, text in enumerate(texts):
        (folder / str(number)).mkdir()
        found.append((Job(f"{number}.mp4", text=text), folder / str(number)))
    return found


def test_killed_processes_are_replaced_and_their_jobs_tried_once_more(tmp_path, toy_child):
    tasks = tasks_of(tmp_path, "a", "dies once", "b")
    ends = {number: (news, attempt) for number, news, attempt in LocalPool(1).run(tasks) if isinstance(news, Done)}
    assert [ends[number][0].error for number in range(3)] == [None] * 3 and ends[1][1] == 2
    assert ends[1][0].notes[2:] == (), "nothing of the first attempt is left"
    assert ends[0][0].notes[0] == "1" and ends[1][0].notes[1] == ends[2][0].notes[1] != ends[0][0].notes[1]


def test_jobs_that_kill_or_hang_are_given_up(tmp_path, toy_child):
    pool = LocalPool(2, seconds=0.5)
    ends = {
        n: news.error for n, news, _ in pool.run(tasks_of(tmp_path, "dies", "hangs", "a")) if isinstance(news, Done)
    }
    assert ends[0].startswith("the process that did it ended (signal 9). Is there enough memory?")
    assert ends[1] == "took more than 0.5 s. Raise --timeout, or cut it into parts." and ends[2] is None


def test_a_reader_that_stops_leaves_no_process(tmp_path, toy_child, monkeypatch):
    workers = []
    monkeypatch.setattr(local, "Worker", lambda *given: workers.append(Worker(*given)) or workers[-1])
    news = LocalPool(2).run(tasks_of(tmp_path, "a", "hangs"))
    next(news)
    news.close()
    assert workers and not any(each.alive for each in workers)


def test_the_child_does_a_job_and_tells_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "make", lambda job, folder, progress: progress(3, 3))
    jobs, events = queue.Queue(), []
    jobs.put(json.dumps({"job": Job("a.mp4", text="Hi.").plain(), "folder": str(tmp_path)}))
    jobs.put("")
    child.work(jobs, events.append)
    assert [event["event"] for event in events] == ["ready", "progress", "done"]
    assert events[2]["frames"] == 3 and events[2]["error"] is None


def test_a_process_of_its_own_makes_a_video(tmp_path):
    """The real child, once: a portrait and a recording."""
    write_wav(tmp_path / "voice.wav", [speech_like(0.2)], 16_000)
    (tmp_path / "work").mkdir()
    told, hand = [], Worker(1, ("--nice", "1", "--file", str(1 << 28)))
    job = Job("a.mp4", audio=str(tmp_path / "voice.wav"), options={"size": 64, "crop": True})
    try:
        done = hand.perform(job, tmp_path / "work", 120, told.append)
    finally:
        hand.kill()
    assert done.error is None and done.frames == 5 and told[-1]["done"] == 5
    assert (tmp_path / "work" / "a.mp4").stat().st_size > 1000 and not os.path.exists(tmp_path / "work" / "frames")
