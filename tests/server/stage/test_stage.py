"""The stage: alive at all times, sound and lips on one clock, interrupted at once and without a jump."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from support.fakes import FakeGenerator, FakeSpeech, speech_like

pytest.importorskip("aiortc")

from speechhead_server.stage.clock import FRAME, PACKET, RATE, Clock
from speechhead_server.stage.drawing import Drawing
from speechhead_server.stage.segment import Segment
from speechhead_server.stage.stage import Stage

from speechhead.avatar.portrait import Avatar
from speechhead.avatar.square import on_stage
from speechhead.core.controls import Controls
from speechhead.face.landmarks import rotation_angles
from speechhead.motion.pace import TURNS
from speechhead.render.stream import Renderer

SIZE = 128


class PatientTime:
    """Time that stands still while a stage is behind, so that a busy machine skips no frames."""

    def __init__(self):
        self.stage, self.now, self.seen, self.lock = None, 0.0, time.monotonic(), threading.Lock()

    def __call__(self):
        with self.lock:
            real, last = time.monotonic(), getattr(self.stage, "_next", 1) * FRAME / RATE
            self.now = max(self.now, min(self.now + real - self.seen, last))
            self.seen = real
            return self.now


class Recorded(Stage):
    """A stage that notes what it has drawn: frame -> (landmarks, head angles), the last version of each."""

    def __init__(self, renderer, drawing):
        self.events, self.faces, self.angles, self.drawn_at = [], {}, {}, {}
        patient = PatientTime()
        super().__init__(renderer, drawing, Clock(patient), lambda at, event: self.events.append((at, event)))
        patient.stage = self
        self.pictures.watched = 1
        draw = self.pictures.draw

        def noted(frame, face, pose):
            self.faces[frame], self.angles[frame] = face.copy(), rotation_angles(pose.rotation)
            self.drawn_at[frame] = self.clock.seconds
            draw(frame, face, pose)

        self.pictures.draw = noted

    def opening(self, frame):
        """Height of the mouth at a frame, outer eye distances."""
        return float(self.faces[frame][66, 1] - self.faces[frame][62, 1])

    def until(self, true, timeout=30.0):
        end = time.monotonic() + timeout
        while not true():
            assert time.monotonic() < end, "timed out"
            time.sleep(0.005)

    def named(self, kind):
        """Events of a kind whose time has come and whose frames are there."""
        now = max(self.faces, default=0) * FRAME
        return [(at, event) for at, event in list(self.events) if event["type"] == kind and at <= now]


@pytest.fixture(scope="module")
def staged(portrait):
    return on_stage(Avatar.from_image(portrait), SIZE)


@pytest.fixture
def stage(staged):
    drawing = Drawing(2)
    controls = Controls(blink_rate=0, look_away=0, seed=3)
    made = Recorded(Renderer(staged, controls, FakeGenerator(SIZE), FakeSpeech()), drawing)
    yield made
    made.stop()
    drawing.close()
    assert not made._thread.is_alive()


def said(stage, sound, name="one"):
    segment = Segment(name)
    segment.push(sound)
    segment.close()
    stage.enqueue(segment)
    return segment


def test_it_is_alive_before_anything_is_said(stage):
    stage.until(lambda: stage.pictures.drawn > 20)
    frames = sorted(stage.faces)
    assert frames == list(range(frames[0], frames[-1] + 1))  # none is missing, none comes twice
    assert np.ptp([stage.angles[frame] for frame in frames], axis=0).max() > 0.01  # it breathes
    assert np.ptp([stage.opening(frame) for frame in frames]) < 1e-3  # and does not quiver
    assert stage.pictures.get(stage.clock.frame) is not None


def test_sound_and_lips_of_a_frame_belong_together(stage):
    segment = said(stage, speech_like(2.0))
    stage.until(lambda: stage.named("done"))
    loud = [np.abs(stage._sound[frame]).mean() for frame in segment.placed]
    lips = [stage.opening(frame) for frame in segment.placed]
    shifts = {lag: np.corrcoef(loud[5:-5], lips[5 + lag : len(lips) - 5 + lag])[0, 1] for lag in range(-3, 4)}
    assert max(shifts, key=shifts.get) == 0 and shifts[0] > 0.9
    assert segment.placed == list(range(segment.placed[0], segment.placed[0] + 50))


def test_speech_begins_at_once_and_ends_at_rest(stage):
    stage.until(lambda: stage.pictures.drawn > 5)
    asked = stage.clock.seconds
    segment = said(stage, speech_like(0.6))
    stage.until(lambda: stage.named("done"))
    assert segment.placed[0] * FRAME / 48_000 - asked < 0.24
    end = segment.placed[-1]
    stage.until(lambda: max(stage.faces) > end + 30)
    rest = stage.opening(segment.placed[0] - 1)
    assert abs(stage.opening(end + 30) - rest) < 0.01


def test_an_interrupt_brings_the_mouth_to_rest_without_a_jump(stage):
    stage.until(lambda: stage.pictures.drawn > 10)
    rest = stage.opening(max(stage.faces))
    segment = said(stage, speech_like(8.0))
    stage.until(lambda: segment.placed and stage.clock.frame > segment.placed[0] + 20)
    stage.until(lambda: stage.opening(stage.clock.frame) > rest + 0.05)  # mid-syllable
    at = stage.clock.seconds
    assert stage.interrupt()
    stage.until(lambda: stage.clock.seconds > at + 0.6)

    rested = min(f for f in stage.faces if f * FRAME / 48_000 > at and abs(stage.opening(f) - rest) < 0.004)
    assert rested * FRAME / 48_000 - at <= 0.205
    assert stage.interrupt_ms <= 205
    assert all(abs(stage.opening(f) - rest) < 0.004 for f in range(rested, max(stage.faces)))
    frames = sorted(stage.faces)
    angles = np.array([stage.angles[f] for f in frames])
    assert np.abs(np.diff(angles, 2, axis=0)).max() < max(TURNS.sudden) + 0.01, "the head goes on where it was"

    silent_from = int((at + 0.06) * 48_000) // PACKET
    assert all(np.abs(stage.sound(packet)).max() == 0 for packet in range(silent_from, silent_from + 20))
    (_, done), *more = stage.named("done")
    assert done["interrupted"] and 0.7 < done["position"] < 7 and not more
    assert not stage.interrupt()  # nothing is said any more


def test_an_interrupt_keeps_nothing_of_the_old_speech(stage):
    for name in ("one", "two", "three"):
        said(stage, speech_like(5.0), name)
    stage.until(lambda: stage.named("state"))
    stage.interrupt()
    asked = stage.clock.seconds
    fresh = said(stage, speech_like(0.5, seed=5), "four")
    stage.until(lambda: ("four", False) in [(e["utterance"], e["interrupted"]) for _, e in stage.named("done")])
    assert fresh.placed[0] * FRAME / 48_000 - asked < 0.3
    assert [e["utterance"] for _, e in stage.named("done")] == ["one", "two", "three", "four"]


def test_utterances_follow_each_other_with_a_breath(stage):
    first, second = said(stage, speech_like(0.4), "one"), said(stage, speech_like(0.4), "two")
    stage.until(lambda: len(stage.named("done")) == 2)
    gap = second.placed[0] - first.placed[-1]
    assert 3 <= gap <= 8


def test_a_voice_that_is_late_leaves_silence_not_frames(stage):
    segment = Segment("slow")
    segment.push(speech_like(0.4))
    stage.enqueue(segment)
    stage.until(lambda: len(segment.placed) == 9)  # the end of the tenth is still inside the resampler
    late = stage.clock.seconds + 0.4
    stage.until(lambda: stage.clock.seconds > late)
    segment.push(speech_like(0.4))
    segment.close()
    stage.until(lambda: stage.named("done"))
    assert len(segment.placed) == 20 and segment.placed[9] - segment.placed[8] > 5
    frames = [f for f in sorted(stage.faces) if f <= stage.clock.frame]
    assert frames == list(range(frames[0], frames[-1] + 1))


def test_a_microphone_drives_the_face_until_something_is_said(stage):
    microphone, sound = Segment("mic", "microphone"), speech_like(4.0)
    stage.attach(microphone)
    stop = threading.Event()

    def talk():
        begin = stage.clock.seconds
        for i in range(0, len(sound), 320):
            while (left := begin + i / 16_000 - stage.clock.seconds) > 0:
                if stop.wait(left):
                    return
            microphone.push(sound[i : i + 320])

    thread = threading.Thread(target=talk)
    thread.start()
    stage.until(lambda: stage.listening and len(microphone.placed) > 20)
    lips = [stage.opening(f) for f in microphone.placed[:15]]
    assert np.ptp(lips) > 0.03
    segment = said(stage, speech_like(0.4))
    stage.until(lambda: stage.named("done"))
    assert len(segment.placed) == 10
    before = len(microphone.placed)
    stage.until(lambda: len(microphone.placed) > before + 3)
    assert microphone.seconds_waiting < 0.7  # what was not heard meanwhile is not kept
    stop.set()
    thread.join()
    stage.attach(None)


def test_controls_change_while_it_runs(stage):
    stage.until(lambda: stage.pictures.drawn > 5)
    stage.control(Controls(blink_rate=0, look_away=0, head=[(20.0, 0.0, 0.0)], emotion={"happy": 1.0}))
    before = max(stage.faces)
    smile = stage.faces[before][54, 0] - stage.faces[before][48, 0]
    stage.until(lambda: max(stage.faces) > before + 40)
    after = max(stage.faces)
    assert stage.angles[after][0] > stage.angles[before][0] + 15
    assert stage.faces[after][54, 0] - stage.faces[after][48, 0] > smile + 0.01
    assert np.abs(np.diff([stage.angles[f] for f in range(before, after)], axis=0)).max() < 5


def test_the_emotion_of_one_utterance_passes_with_it(stage):
    segment = Segment("glad", emotion={"happy": 1.0})
    segment.push(speech_like(0.5))
    segment.close()
    stage.enqueue(segment)
    stage.until(lambda: stage.named("state"))
    stage.until(lambda: stage._motion.controls.emotion == {"happy": 1.0})
    stage.until(lambda: stage._motion.controls.emotion == {} and stage.named("done"))


def test_controls_change_within_an_utterance_and_pass_with_it(stage):
    segment = Segment("moods", emotion={"happy": 1.0})
    said = {"type": "controls", "utterance": "moods"}
    cues = [(0.4, {**said, "changes": {"emotion": {"sad": 1.0}}}), (0.6, {**said, "changes": {"blink_rate": 30.0}})]
    segment.push(speech_like(1.5), cues=cues)
    segment.close()
    stage.enqueue(segment)
    stage.until(lambda: stage._motion.controls.emotion == {"happy": 1.0})
    stage.until(lambda: stage._motion.controls.emotion == {"sad": 1.0} and stage._motion.controls.blink_rate == 30.0)
    assert stage._run._stream.felt[0][0] == {"sad": 1.0}
    stage.until(lambda: stage._motion.controls.emotion == {} and stage.named("done"))
    assert stage.controls.emotion == {} and len(stage.named("controls")) == 2


def test_a_head_is_steered(stage):
    stage.until(lambda: stage.faces)
    begin = max(stage.faces)
    for _ in range(15):
        stage.steer((15.0, 0.0, 0.0))
        time.sleep(0.04)
    stage.until(lambda: stage.angles[max(stage.angles)][0] > stage.angles[begin][0] + 5)


def test_a_failing_network_does_not_end_the_show(stage, monkeypatch):
    broken = type("Broken", (), {"push": lambda self, samples: 1 / 0})
    monkeypatch.setattr(stage.renderer, "open_stream", broken)
    said(stage, speech_like(1.0))
    stage.until(lambda: stage.named("done"))
    monkeypatch.undo()
    drawn = stage.pictures.drawn
    said(stage, speech_like(0.4), "two")
    stage.until(lambda: len(stage.named("done")) == 2)
    assert stage.pictures.drawn > drawn


def test_nothing_is_drawn_for_nobody(stage):
    stage.pictures.watched = 0
    time.sleep(0.2)
    drawn = stage.pictures.drawn
    time.sleep(0.3)
    assert stage.pictures.drawn == drawn
    stage.pictures.watched = 1
    stage.until(lambda: stage.pictures.drawn > drawn)


def test_motion_taken_back_goes_the_same_way(staged):
    from speechhead.motion.compose import Motion

    motion = Motion(staged.neutral, staged.pose, Controls(seed=1, blink_rate=60))
    speech = np.random.default_rng(0).normal(0, 0.02, (60, 70, 3)).astype(np.float32)
    motion.step(speech[:20], np.zeros(0, np.float32))
    copy = motion.snapshot()
    first, poses = motion.step(speech[20:], speech_like(1.6))
    again, same = copy.step(speech[20:], speech_like(1.6))
    assert (first == again).all() and all((a.rotation == b.rotation).all() for a, b in zip(poses, same))
