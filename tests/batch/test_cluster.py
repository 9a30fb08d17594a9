"""The same jobs on a cluster: a toy one here, and a real Ray where it is installed."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from support.fakes import speech_like

from speechhead.batch import cluster, task
from speechhead.batch.cluster import RayPool
from speechhead.batch.job import Job
from speechhead.batch.task import Done
from speechhead.core.errors import BatchError
from speechhead.core.kept import forget_opened
from speechhead.media.sound import write_wav


class Handle:
    def __init__(self, done):
        self.done = done


class ToyRay(types.ModuleType):
    """As much of Ray as the pool needs; an actor of text `dies` dies, of `late` never answers."""

    class exceptions:
        RayError = type("RayError", (Exception,), {})
        RayActorError = type("RayActorError", (RayError,), {})

    def __init__(self):
        super().__init__("ray")
        self.started, self.killed, self.most, self.under_way = None, 0, 0, 0
        self.is_initialized = lambda: self.started is not None
        self.cluster_resources = lambda: {"CPU": 8.0, "GPU": 1.0}

    def init(self, **options):
        if options["address"] == "nowhere:1":
            raise ConnectionError("refused")
        self.started = options

    def remote(self, **options):
        self.options = options

        def made(actor):
            def perform(job, folder):
                self.under_way += 1
                self.most = max(self.most, self.under_way)
                return Handle(lambda: actor().perform(job, folder)) if job["text"] != "late" else Handle(None)

            seat = types.SimpleNamespace(perform=types.SimpleNamespace(remote=perform))
            return types.SimpleNamespace(remote=lambda: seat)

        return made

    def wait(self, handles, num_returns, timeout):
        ready = [handle for handle in handles if handle.done]
        return ready[:1], handles

    def get(self, handle):
        self.under_way -= 1
        return handle.done()

    def kill(self, actor):
        self.killed += 1

    def shutdown(self):
        self.started = None


@pytest.fixture
def toy(monkeypatch):
    ray = ToyRay()
    monkeypatch.setitem(sys.modules, "ray", ray)

    def make(job, folder, progress):
        if job.text == "dies":
            raise ray.exceptions.RayActorError

    def perform(job, folder):
        make(job, folder, None)
        return Done(None, (), 1, 0.1)

    monkeypatch.setattr(cluster, "perform", perform)
    yield ray
    forget_opened()


def jobs(folder, *texts):
    return [(Job(f"{text}.mp4", text=text), folder) for text in texts]


def test_no_more_is_under_way_than_there_are_actors(toy, tmp_path):
    pool = RayPool("auto", gpus=0.25)
    assert pool.workers == 4, "a GPU holds four quarters"
    news = list(pool.run(jobs(tmp_path, *"abcdefghij")))
    assert sorted(number for number, _, _ in news) == list(range(10)) and toy.most == 4
    assert toy.options == {"num_cpus": 1, "num_gpus": 0.25, "max_restarts": 0}
    assert toy.started["runtime_env"]["env_vars"]["OMP_NUM_THREADS"] == "1"
    pool.close()
    assert toy.started is None


def test_actors_that_die_are_replaced_and_late_ones_given_up(toy, tmp_path):
    pool = RayPool("auto", 2, seconds=0.05)
    ends = {number: (done.error, attempt) for number, done, attempt in pool.run(jobs(tmp_path, "dies", "late", "a"))}
    assert ends[0] == ("the actor that did it died twice. Is there enough memory? See Ray's logs.", 2)
    assert ends[1][0].startswith("took more than 0.05 s") and ends[2] == (None, 1)


def test_what_can_not_be_reached_is_named(toy, monkeypatch):
    with pytest.raises(BatchError, match="ray 'nowhere:1': no cluster answers"):
        RayPool("nowhere:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BatchError, match="--ray needs Ray"):
        RayPool("auto")


@pytest.mark.slow
def test_a_real_cluster_makes_videos(tmp_path):
    ray = pytest.importorskip("ray")
    write_wav(tmp_path / "voice.wav", [speech_like(0.2)], 16_000)
    pool = RayPool(cluster.LOCAL, 2)
    tasks = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        job = Job("a.mp4", audio=str(tmp_path / "voice.wav"), options={"size": 64, "crop": True})
        tasks.append((job, tmp_path / str(number)))
    try:
        assert [done.error for _, done, _ in pool.run(tasks)] == [None] * 3
    finally:
        pool.close()
    assert not ray.is_initialized() and all((Path(folder) / "a.mp4").is_file() for _, folder in tasks)


def test_the_actor_opens_things_once(tmp_path, monkeypatch):
    monkeypatch.setattr(task, "make", lambda job, folder, progress: None)
    actor = cluster.JobActor()
    assert actor.perform(Job("a.mp4", text="Hi.").plain(), str(tmp_path)).error is None
    forget_opened()
