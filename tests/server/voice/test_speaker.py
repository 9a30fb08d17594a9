"""The voice process under load and in trouble: a starved one is left alone, a hung or dead one is replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from speechhead_server.voice import speaker as speakers
from speechhead_server.voice import voice_process
from speechhead_server.voice.own_time import OwnTime, Thread, own_seconds, threads
from speechhead_server.voice.speaker import Speaker

from speechhead.core.errors import ServerError
from speechhead.tts import Speech

linux = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not tell who waits")

ENGINE = """
import os, re, sys, time
import numpy as np
from speechhead_server.voice import voice_process
from speechhead.tts import Speech

class Voice:
    name = "fake"

    def __init__(self, once):
        self.once = once

    def speak(self, text):
        if "stuck" in text:
            time.sleep(1000)
        if "round" in text:
            while True:
                pass
        if "regex" in text:  # and holds the interpreter, so that nothing else of the process goes on
            re.match("(a+)+$", "a" * 60 + "b")
        if "crash" in text:
            os._exit(3)
        if "mishap" in text and not os.path.exists(self.once):
            open(self.once, "w").close()
            os._exit(3)
        if "labour" in text:
            end = time.thread_time() + 0.5
            while time.thread_time() < end:
                pass
        time.sleep(0.25)
        yield Speech(np.full(1600, 0.1, np.float32), [], text)

voice_process.open_voice = lambda name, threads: Voice(name)
voice_process.main()
"""

HEALTHY = [f"Sentence of number {number}." for number in range(12)]


@pytest.fixture
def quick(monkeypatch):
    """Patience of seconds, not of half a minute."""
    monkeypatch.setattr(speakers, "PATIENCE", 2.0)
    monkeypatch.setattr(speakers, "CHECK", 0.1)


def play(scenario, timeout=90):
    """Run a scenario with a speaker of the engine above."""

    async def run():
        speaker = Speaker([sys.executable, "-c", ENGINE])
        try:
            await asyncio.wait_for(scenario(speaker), timeout)
        finally:
            await speaker.close()

    asyncio.run(run())


async def said(speaker, text, voice="fake"):
    """Texts of the pieces that came, and the error at their end or None."""
    texts = []
    try:
        async for piece in speaker.speak(text, voice):
            texts.append(piece.text)
    except ServerError as error:
        return texts, str(error)
    return texts, None


@pytest.mark.parametrize("trouble, restarts", [("stuck", 1), ("round", 1), ("crash", 2)])
def test_one_text_is_to_blame_and_the_others_go_on(quick, trouble, restarts):
    """Every sentence of the others comes once and in order; the culprit's pieces before the trouble came too."""

    async def scenario(speaker):
        bad, *good = await asyncio.gather(
            said(speaker, f"All is well. Now {trouble} here. Never said."), *[said(speaker, " ".join(HEALTHY))] * 2
        )
        assert bad[0] == ["All is well."] and "\n" not in bad[1]
        assert ("nothing in 2 s" in bad[1]) == (trouble != "crash")
        assert good == [(HEALTHY, None)] * 2
        assert await said(speaker, "And on it goes.") == (["And on it goes."], None)
        assert speaker.restarts == restarts

    play(scenario)


def test_a_hang_that_holds_the_interpreter(quick):
    """Nobody in the process gives anything then; it is tried again one by one, and the culprit is found."""

    async def scenario(speaker):
        bad, *good = await asyncio.gather(said(speaker, "Now regex here."), *[said(speaker, " ".join(HEALTHY))] * 2)
        assert bad[0] == [] and "nothing in 2 s" in bad[1]
        assert good == [(HEALTHY, None)] * 2

    play(scenario)


def test_a_crash_that_does_not_come_again_costs_no_text(tmp_path):
    async def scenario(speaker):
        answers = await asyncio.gather(
            said(speaker, "All is well. Now a mishap here. And more.", str(tmp_path / "once")),
            said(speaker, " ".join(HEALTHY)),
        )
        assert answers == [(["All is well.", "Now a mishap here.", "And more."], None), (HEALTHY, None)]
        assert speaker.restarts == 1

    play(scenario)


def test_what_hangs_is_found_though_nobody_waits_for_it_any_more(quick):
    """Texts that were interrupted in their hang do not take a thread of the process for ever."""

    async def scenario(speaker):
        for _ in range(2):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(said(speaker, "Now stuck here."), 0.5)
        assert await said(speaker, " ".join(HEALTHY)) == (HEALTHY, None)
        assert speaker.restarts == 1

    play(scenario)


def test_a_process_that_never_works_fails_its_texts_and_is_not_started_for_ever():
    async def scenario():
        speaker = Speaker([sys.executable, "-c", "raise SystemExit(1)"], warm=("fake",))
        assert await said(speaker, "Hello.") == ([], speakers.ENDED)
        assert speaker.restarts == 1 and speaker.pid is None
        await speaker.close()
        speaker = Speaker(["/nonexistent/voice"])
        assert "does not start" in (await said(speaker, "Hello."))[1]
        await speaker.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@linux
def test_a_process_that_is_stopped_for_a_while_is_left_alone(quick):
    async def scenario(speaker):
        text = asyncio.create_task(said(speaker, " ".join(HEALTHY)))
        while not speaker.pid or not speaker._jobs or next(iter(speaker._jobs.values())).after < 0:
            await asyncio.sleep(0.01)
        pid = speaker.pid
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(2 * speakers.PATIENCE)
        assert not text.done()
        os.kill(pid, signal.SIGCONT)
        assert await text == (HEALTHY, None)
        assert speaker.restarts == 0 and speaker.pid == pid

    play(scenario)


@linux
def test_a_process_that_gets_no_core_is_left_alone(quick):
    """Held to one core at the lowest priority beside two busy processes: late, and killed by nobody."""

    async def scenario(speaker):
        assert (await said(speaker, "Hello."))[1] is None
        pid, core = speaker.pid, min(os.sched_getaffinity(0))
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {core})
            os.setpriority(os.PRIO_PROCESS, int(task), 19)
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        try:
            for burner in busy:
                os.sched_setaffinity(burner.pid, {core})
            await asyncio.sleep(0.2)
            text = asyncio.create_task(said(speaker, "With labour here."))
            await asyncio.sleep(2 * speakers.PATIENCE)
            assert not text.done() and speaker.pid == pid
        finally:
            for burner in busy:
                burner.kill()
                burner.wait()
        assert await text == (["With labour here."], None)
        assert speaker.restarts == 0

    play(scenario)


@pytest.mark.parametrize(
    "own, before, now",
    [
        (1.0, {1: Thread("S", 5, 2)}, {1: Thread("S", 5, 2)}),  # asleep
        (1.0, {1: Thread("R", 5, 2)}, {1: Thread("R", 6, 2)}),  # busy
        (0.1, {1: Thread("S", 5, 2)}, {1: Thread("R", 5.1, 2)}),  # waits for a core, and it is not over
        (0.25, {1: Thread("S", 5, 2)}, {1: Thread("S", 5.1, 2.75)}),  # waited, ran, and sleeps
        (0.0, {1: Thread("R", 5, 2)}, {1: Thread("T", 5, 2)}),  # stopped
        (0.1, {1: Thread("S", 5, 2), 2: Thread("R", 5, 2)}, {1: Thread("S", 5, 2), 2: Thread("R", 5.1, 2)}),
        (1.0, {1: Thread("S", 5, 2)}, {2: Thread("R", 0, 9)}),  # none that was there before
        (1.0, {}, {}),  # the system does not tell
    ],
)
def test_time_of_its_own(own, before, now):
    assert own_seconds(before, now, 1.0) == pytest.approx(own)


@linux
def test_a_look_after_a_long_pause_counts_no_more_than_the_longest():
    clock = OwnTime(os.getppid(), 0.05)
    time.sleep(0.2)
    assert clock.advance() <= 0.05
    assert threads(os.getpid()) and not threads(2**22 + 1)


class Speaks:
    name = "test"

    def speak(self, text):
        yield Speech(np.full(16000, 0.1, np.float32), [], text)


@pytest.mark.parametrize("after", [-1, 0, 3])
def test_a_text_goes_on_after_a_piece(after):
    heads = [head for head, _ in voice_process.speak(Speaks(), " ".join(HEALTHY), after)]
    assert [head["text"] for head in heads] == HEALTHY[after + 1 :]
    assert [head["piece"] for head in heads] == list(range(after + 1, len(HEALTHY)))


@pytest.mark.skipif(sys.platform != "linux", reason="nice values of threads")
@pytest.mark.parametrize("stretch, urgent", [(1.0, 2), (6.0, 10)])
def test_what_is_heard_soon_is_urgent_and_what_is_not_is_patient(stretch, urgent):
    """Priorities of the threads that make the pieces of a text, a second each; a busy machine needs a longer start."""
    import io
    import threading

    nices, over = [], threading.Event()

    def work():
        for number in range(12):
            nices.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            yield {"piece": number}, np.zeros(16000, np.float32)
        over.set()

    turns, own = voice_process.Turns(io.BytesIO()), os.getpriority(os.PRIO_PROCESS, 0)
    turns._learn(0.1 * stretch, 0.1)
    turns.begin("a", work())
    assert over.wait(20)
    assert nices == [own + voice_process.URGENT] * urgent + [own + voice_process.PATIENT] * (12 - urgent)


def test_the_stretch_rises_at_once_and_falls_slowly():
    import io

    turns = voice_process.Turns(io.BytesIO())
    turns._learn(0.5, 0.1)
    assert turns._stretch == pytest.approx(5.0)
    turns._learn(0.1, 0.1)
    assert turns._stretch == pytest.approx(5.0 - 4 * voice_process.RECOVERS)
    turns._learn(9.0, 0.001)  # waits for a network rather than for a core
    assert turns._stretch == pytest.approx(5.0 - 4 * voice_process.RECOVERS)
