"""The stage: an avatar that is alive at all times, one thread that moves it just ahead of the clock."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from speechhead.audio.io import Samples
from speechhead.core.clocks import SAMPLES_PER_FRAME
from speechhead.core.controls import Controls
from speechhead.motion.compose import Motion
from speechhead.render.stream import Renderer

from .clock import FRAME, PACKET, RATE, Clock
from .drawing import Drawing
from .moves import Moves
from .run import Run
from .segment import SILENCE_ENDS, Segment

log = logging.getLogger("speechhead.server")

AT_REST = 0.19
"""Seconds after an interrupt at which the mouth is to be at rest."""

EASE = (2, 4)
"""Frames in which it comes to rest, at least and at most: 80 to 160 ms, a quick but natural closing."""

REDRAW = 0.06
"""Seconds that are allowed for drawing a frame anew at most; on a slower machine it is left out."""

GAP = 5
"""Blocks of silence between two utterances that wait for one another."""

TAIL = 30
"""Blocks of silence that are still listened to after speech, until mouth and voice activity have come to rest."""

CHECKPOINT = 4
"""Frames from one snapshot of the motion to the next; what lies between is stepped again when it is taken back."""

STALLED = 25
"""Frames behind the clock beyond which the time in between is skipped instead of being lived through."""

HISTORY = 50
"""Frames of sound kept after they were heard, for viewers whose connection lags."""

FADE = np.linspace(1, 0, RATE // 100, dtype=np.float32)

Event = Callable[[int, dict[str, Any]], None]


class Stage:
    """Sound in, pictures and sound out against a clock; idle life where there is no sound.

    The sound of frame n is fixed when the speech network has heard it, at most its look-ahead (200 ms) before the frame
    is drawn, just before it is shown. Speech that is there at once starts within two or three frames, and what was
    foreseen but not shown can be taken back by an interrupt.

    Parameters
    ----------
    renderer : of the prepared portrait, see `portrait.on_stage`
    drawing : where pictures are drawn, shared by all stages
    on_event : called with the sample at which an event is shown, from the stage's own thread
    """

    def __init__(self, renderer: Renderer, drawing: Drawing, clock: Clock, on_event: Event) -> None:
        self.renderer, self.clock = renderer, clock
        self.pictures = drawing.easel(clock, renderer)
        self.moves = Moves(self.pictures)
        self._motion: Motion = renderer.motion
        self._controls = self._base_controls = self._motion.controls
        self._on_event = on_event
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._sound: dict[int, Samples] = {}  # by frame; absent is silence
        self._queue: deque[Segment] = deque()
        self._segment: Segment | None = None
        self._live: Segment | None = None
        self._live_runs = False
        self._gap = 0
        self._run: Run | None = None
        self._next = clock.frame + 1  # the frame to move next
        self._past: deque[tuple[int, Motion | None, Samples, Samples]] = deque()  # what can be taken back
        self._interrupt: float | None = None  # when mouth and sound were asked to stop, on the clock
        self._steered: tuple[float, float, float] | None = None
        self._rest: tuple[int, float] | None = None
        self.interrupt_ms: float | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._perform, name="stage", daemon=True)
        self._thread.start()

    # What the session calls.

    @property
    def queued(self) -> int:
        """Utterances that wait or are being said."""
        with self._lock:
            return len(self._queue) + (self._segment is not None)

    def waiting(self, last: Segment | None = None) -> tuple[float, int]:
        """Seconds and bytes of sound that wait, down to the segment `last` where it is given."""
        with self._lock:
            segments = [segment for segment in (self._segment, *self._queue) if segment is not None]
        if last in segments:
            segments = segments[: segments.index(last) + 1]
        return sum(s.seconds_waiting for s in segments), sum(s.bytes_waiting for s in segments)

    @property
    def speaking(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._segment is not None

    @property
    def listening(self) -> bool:
        """Whether the microphone drives the face."""
        return self._live_runs and self._segment is None

    def enqueue(self, segment: Segment) -> None:
        """Say this after what is being said; it may still be growing."""
        with self._wake:
            self._queue.append(segment)
            self._wake.notify()

    def attach(self, segment: Segment | None) -> None:
        """Let a microphone drive the face where nothing else is said; None takes it away."""
        with self._wake:
            self._live, self._live_runs = segment, False
            self._wake.notify()

    def control(self, controls: Controls) -> None:
        """Change the controls from the next frame on."""
        with self._wake:
            self._base_controls = controls
            self._controls = self._said_with(self._segment)
            self._wake.notify()

    def steer(self, angles: tuple[float, float, float]) -> None:
        """Turn the head to (yaw, pitch, roll) in degrees from the next frame on, until a second has passed."""
        with self._wake:
            self._steered = angles

    @property
    def controls(self) -> Controls:
        """The session's controls, without those of a single utterance."""
        return self._base_controls

    def interrupt(self) -> bool:
        """Stop all that is said and waits: sound within 10 ms, the mouth eased to rest. False if nothing was said.

        Segments that grow are cancelled, blocks that were not heard removed, frames moved or drawn ahead taken back.
        """
        with self._wake:
            segments = [s for s in (self._segment, *self._queue) if s is not None]
            shown = self.clock.frame
            for segment in segments:
                segment.cancel()
                self._done(segment, shown, True)
            self._queue.clear()
            self._segment, self._gap = None, 0
            if not segments and not self._live_runs:
                return False
            self._hush(shown)
            self._controls = self._base_controls
            self._interrupt = self.clock.seconds
            self._wake.notify()
            return True

    def sound(self, packet: int) -> Samples:
        """Sound number `packet` of 20 ms, float32 [960] at 48 kHz."""
        frame, half = divmod(packet, FRAME // PACKET)
        block = self._sound.get(frame)
        return np.zeros(PACKET, np.float32) if block is None else block[half * PACKET : (half + 1) * PACKET]

    @property
    def silent_before(self) -> int:
        """Frame before which no sound can begin that is not there yet."""
        following = self._next  # to be read first: a run begins with it
        return following if self._run is None else self.clock.frame

    def stop(self) -> None:
        """End the thread; the stage is not usable afterwards."""
        with self._wake:
            self._stopped = True
            for segment in (*self._queue, self._segment, self._live):
                if segment is not None:
                    segment.cancel()
            self._wake.notify()
        self._thread.join(5)
        self.pictures.close()
        self._sound.clear()
        self._past.clear()
        self._run = None

    # From here on: the stage's own thread.

    def _perform(self) -> None:
        while not self._stopped:
            try:
                with self._wake:
                    interrupt, self._interrupt = self._interrupt, None
                if interrupt is not None:
                    self._take_back(interrupt)
                count = self.pictures.together(self._next)
                pause = self.clock.until((self._next + count - 1 - self.pictures.ahead) * FRAME)
                if pause > 0:
                    with self._wake:
                        if self._interrupt is None and not self._stopped:
                            self._wake.wait(pause)
                    continue
                for _ in range(count):
                    self._move()
            except Exception:  # the avatar must stay alive: forget the speech that caused it, keep the thread
                log.exception("stage: a frame failed, its speech is dropped")
                with self._lock:
                    self._run = None
                    self._end_segment(self._next, failed=True)
                self._next += 1

    def _move(self) -> None:
        """Move the next frame and have it drawn."""
        shown = self.clock.frame
        if self._next < shown - STALLED:  # the machine slept
            self._next, self._run = shown + 1, None
            self._past.clear()
        frame = self._next
        self._start_run(frame)
        motion, block = self._articulation(frame)
        checkpoint = None
        if self._run is not None and (not self._past or frame % CHECKPOINT == 0):
            checkpoint = self._motion.snapshot()
        if self._controls != self._motion.controls:
            self._motion.update(self._controls)
        with self._lock:
            steered, self._steered = self._steered, None
        if steered is not None:
            self._motion.steer(steered)
        deaf = self.moves.deaf
        if not deaf:
            faces, poses = self._motion.step(motion[None], block)
        if self._run is not None:
            self._past.append((frame, checkpoint, motion, block))
            while len(self._past) > CHECKPOINT and self._past[CHECKPOINT][0] <= shown:
                self._past.popleft()
        self._next = frame + 1
        if frame > shown and not deaf:
            self.moves.tell(frame, self._motion, poses[0])
            self.pictures.draw(frame, faces[0], poses[0])
        if self._rest is not None and frame >= self._rest[0]:
            shown_at = max(self._rest[0] * FRAME / RATE, self.clock.seconds)  # later on a machine that lags
            self.interrupt_ms = 1e3 * (shown_at - self._rest[1])
            self._rest = None
        self._forget(shown)

    def _articulation(self, frame: int) -> tuple[Samples, Samples]:
        """Speech motion [70, 3] and sound [640] of a frame; rest and silence where nothing is said."""
        run = self._run
        while run is not None and run is self._run and not run.motion:
            self._feed(run)
        if run is None or not run.motion:
            return np.zeros((70, 3), np.float32), np.zeros(SAMPLES_PER_FRAME, np.float32)
        motion, block = run.motion.popleft(), run.sound.popleft()
        if run.silence >= run.fed - (frame - run.start) + TAIL:
            self._motion.reset_speech()  # glide over whatever the network still says in silence
            self._run = None
        return motion, block

    def _start_run(self, frame: int) -> None:
        """Begin to listen when there is sound and nothing but silence lies ahead."""
        run = self._run
        if run is not None:
            silent = run.silence >= run.fed - (frame - run.start)
            if not silent or self._segment is not None or self._gap > 0:
                return
        with self._lock:
            # A voice that was silent for so long that nobody listened any more goes on where it was.
            following = self._segment or (self._queue[0] if self._queue else None)
            waits = following.ready if following is not None else self._live_ready()
        if not waits:
            return
        if run is not None:
            self._motion.reset_speech(EASE[0])
        self._past.clear()
        self._gap = 0
        self._controls = self._said_with(following)
        if self._controls != self._motion.controls:
            self._motion.update(self._controls)
        self._run = Run(self.renderer.open_stream, frame)

    def _feed(self, run: Run) -> None:
        """Give the network the next block of sound and fix the frame at which it is heard."""
        frame = run.start + run.fed
        with self._lock:
            taken = self._take(frame)
        if taken is None:
            run.silence += 1
            run.feed(np.zeros(SAMPLES_PER_FRAME, np.float32), self.moves.deaf)
            return
        speech, audio, cues = taken
        with self._lock:
            if self._interrupt is not None:
                return
            run.silence = 0
            self._sound[frame] = audio
        for at, event in cues:
            if event["type"] == "controls":
                self._change(event["changes"], run)
            self._on_event(at, event)
        run.feed(speech, self.moves.deaf)

    def _change(self, changes: dict[str, Any], run: Run) -> None:
        """Let the utterance change controls for its own time, with what it says next."""
        with self._lock:
            if self._segment is None:
                return
            self._segment.changes |= changes
            self._controls = self._said_with(self._segment)
        if "emotion" in changes:
            run.feel(self._controls.emotion)

    def _take(self, frame: int) -> tuple[Samples, Samples, list[tuple[int, dict[str, Any]]]] | None:
        """The block of sound for a frame from whoever has the word, with the lock held."""
        if self._interrupt is not None:
            return None
        if self._segment is None and self._queue and self._gap <= 0 and self._queue[0].ready:
            self._segment = self._queue.popleft()
            self._controls = self._said_with(self._segment)
            self._on_event(frame * FRAME, {"type": "state", "state": "speaking", "utterance": self._segment.name})
        segment = self._segment
        if segment is None:
            self._gap -= 1
            live = self._live if self._live_ready() else None
            if (live is not None) != self._live_runs:
                self._live_runs = live is not None
                state = "listening" if live else "idle"
                self._on_event(frame * FRAME, {"type": "state", "state": state, "utterance": None})
            return live.take(frame) if live else None
        taken = segment.take(frame)
        if taken is None and (segment.exhausted or (segment.kind == "pcm" and segment.starved > SILENCE_ENDS)):
            self._end_segment(frame)
        return taken

    def _live_ready(self) -> bool:
        return self._live is not None and (self._live.waiting > 0 if self._live_runs else self._live.ready)

    def _end_segment(self, frame: int, failed: bool = False) -> None:
        segment, self._segment, self._gap = self._segment, None, GAP
        if segment is not None:
            segment.close()
            segment.failed |= failed
            self._controls = self._base_controls
            self._done(segment, frame, segment.failed)

    def _done(self, segment: Segment, frame: int, cut: bool) -> None:
        """Say that an utterance has ended before `frame`."""
        event = {"type": "done", "utterance": segment.name, "interrupted": cut, "position": segment.position(frame)}
        self._on_event(frame * FRAME, event)

    def _said_with(self, segment: Segment | None) -> Controls:
        return replace(self._base_controls, **segment.changes) if segment is not None else self._base_controls

    def _hush(self, shown: int) -> None:
        """Remove the sound that was not heard yet, fading out so that it does not click."""
        for frame in [frame for frame in self._sound if frame > shown]:
            block = self._sound.pop(frame)
            if frame == shown + 1:
                faded = np.zeros_like(block)
                faded[: len(FADE)] = block[: len(FADE)] * FADE
                self._sound[frame] = faded

    def _take_back(self, interrupt: float) -> None:
        """Go back to the first frame that can still be redrawn in time, and let the mouth come to rest from there."""
        frame = int((self.clock.seconds + min(REDRAW, self.pictures.latency)) * RATE) // FRAME + 1
        if frame < self._next and self._run is not None and self._past and self._past[0][0] <= frame:
            steps = [entry for entry in self._past if entry[0] < frame]
            begin = max((i for i, entry in enumerate(self._past) if entry[1] and entry[0] <= frame), default=None)
            if begin is not None:
                motion = self._past[begin][1]
                assert motion is not None
                for _, _, speech, block in steps[begin:]:
                    motion.step(speech[None], block)
                self.pictures.take_back(frame)
                self._motion, self._next = motion, frame
                self.moves.epoch += 1
        left = interrupt + AT_REST - self._next * FRAME / RATE
        ease = min(EASE[1], max(EASE[0], 1 + int(left * RATE / FRAME)))
        self._motion.reset_speech(ease)
        self._run = None
        self._past.clear()
        self._rest = self._next + ease - 1, interrupt

    def _forget(self, shown: int) -> None:
        with self._lock:
            for frame in [frame for frame in self._sound if frame < shown - HISTORY]:
                del self._sound[frame]
