"""Hearing in the browser's language gives Python's numbers: random draws, sound, speech and motion (by Node)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.node import NODE, run
from support.paths import ROOT

from speechhead.audio.features import whisper_mel
from speechhead.audio.io import resample
from speechhead.audio.prosody import prosody
from speechhead.core.controls import Controls
from speechhead.core.head_track import HeadTrack
from speechhead.face.landmarks import REFERENCE, Pose
from speechhead.motion.compose import Motion
from speechhead.speech.model import Speech2Landmarks

pytestmark = pytest.mark.skipif(NODE is None, reason="no node found")

LIFE = str(ROOT / "weights/life.npz")
POSE = Pose.from_angles(6, -4, 2, (250, 220, 3), 180)


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """A tone with overtones that comes and goes like syllables, in a little noise: float32 [n] at 16 kHz."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2 * np.pi * (130 * time - 4 * np.cos(2 * np.pi * 0.7 * time))
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    loud = np.clip(np.sin(2 * np.pi * 3.1 * time), 0, 1) * (np.sin(2 * np.pi * 0.35 * time + 0.5) > -0.3)
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.12 * voice * loud + 1e-4 * noise).astype(np.float32)


def written(folder, **arrays):
    """Arrays as little-endian files of float32 that a script reads."""
    for name, values in arrays.items():
        (folder / f"{name}.f32").write_bytes(np.ascontiguousarray(values, np.float32).tobytes())


READ = """
const { writeFileSync } = await import("node:fs");
const file = (path) => {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
};
const read = (name) => new Float32Array(file(`${given.at}/${name}.f32`));
const write = (name, values) => writeFileSync(`${given.at}/${name}.f32`, Float32Array.from(values));
"""


def node(folder, script, **given):
    """What a script returns, or None, that reads and writes arrays by name in a folder."""
    return run(READ + script + "return null;", folder, at=str(folder), **given)


def read(folder, name, *shape):
    return np.frombuffer((folder / f"{name}.f32").read_bytes(), np.float32).reshape(*shape)


def test_random_numbers_are_numpys(tmp_path):
    script = """
const { Random } = await load("hear/random.js");
const draws = (seed, kind) => { const random = new Random(seed); return Array.from({ length: 3000 }, () => random[kind]()); };
return [draws([0, 0xb11], "random"), draws([7, 0x1d1e], "normal"), draws([5000000000, 3], "exponential")];
"""  # noqa: E501
    uniform, normal, exponential = node(tmp_path, script)
    assert uniform == np.random.default_rng([0, 0xB11]).random(3000).tolist()
    assert normal == pytest.approx(np.random.default_rng([7, 0x1D1E]).standard_normal(3000).tolist(), rel=1e-13)
    assert exponential == pytest.approx(np.random.default_rng([5_000_000_000, 3]).exponential(size=3000), rel=1e-13)


def test_a_mel_spectrum_that_slides_is_that_of_each_window(tmp_path):
    sound = speech(1.2)
    written(tmp_path, sound=sound)
    node(tmp_path, """
const { SlidingMel } = await load("hear/mel.js");
const sound = read("sound"), mel = new SlidingMel(12800, 1280), out = [];
for (let at = 0; at + 12800 <= sound.length; at += 1280) out.push(...mel.next(sound.subarray(at, at + 12800)));
write("mel", out);
""")  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(sound, 12800)[::1280]
    assert np.abs(read(tmp_path, "mel", len(windows), 80, 80) - whisper_mel(windows)).max() < 2e-6


@pytest.mark.parametrize("rate", [44_100, 48_000, 8_000])
def test_resampled_in_pieces_as_libswresample_does(tmp_path, rate):
    time = np.arange(rate) / rate
    sound = (0.4 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 3100 * time)).astype(np.float32)
    written(tmp_path, sound=sound)
    node(tmp_path, """
const { Resampler } = await load("hear/resample.js");
const sound = read("sound"), resampler = new Resampler(given.rate), out = [];
for (let at = 0; at < sound.length; at += 1000) out.push(...resampler.push(sound.subarray(at, at + 1000)));
write("out", [...out, ...resampler.flush()]);
""", rate=rate)  # fmt: skip
    wanted, given = resample(sound, rate), read(tmp_path, "out", -1)
    assert len(given) == len(wanted) == 16_000
    assert np.abs(given - wanted)[100:-100].max() < 3e-4  # the ends are mirrored there, and silent here


def test_pitch_energy_and_speech_activity(tmp_path):
    sound = speech(6)
    written(tmp_path, sound=sound)
    node(tmp_path, """
const { Prosody } = await load("hear/prosody.js");
const sound = read("sound"), prosody = new Prosody(), out = [];
for (let at = 0; at < sound.length; at += 640) {
  const { energy, pitch, active } = prosody.step(sound.subarray(at, at + 640));
  out.push(energy, pitch, Number(active));
}
write("out", out);
""")  # fmt: skip
    wanted, given = prosody(sound), read(tmp_path, "out", -1, 3)
    assert (given[:, 2] == wanted.active).all() and wanted.active.any() and not wanted.active.all()
    assert np.abs(given[:, 0] - wanted.energy).max() < 1e-4
    assert np.abs(given[:, 1] - wanted.pitch).max() < 1e-2 and wanted.voiced.sum() > 20


MOVE = """
const { readNpz } = await load("hear/npz.js");
const { Bank } = await load("hear/life.js");
const { Motion } = await load("hear/motion.js");
const bank = new Bank(await readNpz(file(given.life))), controls = given.controls;
const [rest, emotions, pose, sound, lips] = ["rest", "emotions", "pose", "sound", "lips"].map(read);
const face = { rest, emotions, pose: { rotation: pose.slice(0, 9), translation: pose.slice(9, 12), scale: pose[12] } };
const motion = new Motion(face, bank, controls), faces = [], poses = [];
for (let frame = 0; frame * 210 < lips.length; frame++) {
  if (frame === 100) motion.update({ emotion: { happy: 0.7 }, gaze: [12, -5], temperament: 1.4 });
  if (frame === 150) motion.resetSpeech();
  if (frame === 200) motion.update({ head: "retained", gaze: null });
  if (frame >= 260 && frame < 280) motion.steer([10, -5, 3]);
  const moved = motion.step(lips.slice(210 * frame, 210 * (frame + 1)), sound.slice(640 * frame, 640 * (frame + 1)));
  faces.push(...moved.landmarks);
  poses.push(...moved.pose);
}
write("faces", faces);
write("poses", poses);
"""

TRACK = {"angles": [[5.0, 2.0, 1.0], [8.0, -3.0, 0.0], [2.0, 1.0, -4.0]], "relative": True, "brow": [0.0, 0.1, 0.05]}


@pytest.mark.parametrize(
    "controls",
    [{"seed": 9, "emotion": {"surprised": 0.5, "angry": 0.4}, "blink_rate": 40.0, "temperament": 1.5,
      "head_amplitude": 1.5},
     {"seed": 4, "head": TRACK | {"blink": [0.0, 0.6, 1.0]}, "head_amplitude": 1.3}],
)  # fmt: skip
def test_motion_is_pythons(tmp_path, controls):
    """Landmarks within 2e-5 of an eye distance, angles within a thousandth of a degree, over 13 s of all that moves."""
    frames, smile = 320, REFERENCE + np.float32(0.002) * np.arange(210, dtype=np.float32).reshape(70, 3) % 0.01
    sound, random = speech(frames / 25), np.random.default_rng(1)
    lips = np.zeros((frames, 70, 3), np.float32)
    moving = np.repeat(random.standard_normal((frames // 4, 1)), 4, 0).clip(0, 2)
    lips[:, 48:68] = 0.03 * moving[:, None] * random.standard_normal((1, 20, 3)) + 0.002
    given = {**controls, "head": HeadTrack(**controls["head"])} if "head" in controls else controls
    motion = Motion(smile, POSE, Controls(**given))
    faces, poses = [], []
    for frame in range(frames):
        if frame == 100:
            changes = {"emotion": {"happy": 0.7}, "gaze": (12, -5), "temperament": 1.4}
            motion.update(Controls(**{**given, **changes}))
        if frame == 150:
            motion.reset_speech()
        if frame == 200:
            motion.update(Controls(**{**given, **changes, "head": "retained", "gaze": None}))
        if 260 <= frame < 280:
            motion.steer((10, -5, 3))
        face, pose = motion.step(lips[frame : frame + 1], sound[640 * frame : 640 * (frame + 1)])
        faces.append(face[0])
        poses.append([*pose[0].angles, *pose[0].translation, pose[0].scale])
    placed = np.concatenate([POSE.rotation.ravel(), POSE.translation, [POSE.scale]])
    written(tmp_path, rest=motion.rest, emotions=motion._emotions, pose=placed, sound=sound, lips=lips)
    node(tmp_path, MOVE, life=LIFE, controls=controls)
    assert np.abs(read(tmp_path, "faces", frames, 70, 3) - np.stack(faces)).max() < 2e-5
    away = np.abs(read(tmp_path, "poses", frames, 7) - np.array(poses, np.float32))
    assert away[:, :3].max() < 1e-3 and away[:, 3:].max() < 1e-3 * POSE.scale / 100
    assert np.std(np.array(poses)[:200, 0]) > 0.3  # the head did move


HEAR = """
const { Bank } = await load("hear/life.js");
const { readNpz } = await load("hear/npz.js");
const { Hearing } = await load("hear/hearing.js");
const { SpeechConfig } = await load("hear/speech.js");
const [features, motions, states] = ["features", "motions", "states"].map(read), asked = [];
let window = 0, step = 0;
const networks = {  // answers what Python's networks said, and keeps what it was asked
  async run(name, inputs) {
    if (name === "whisper_encoder") {
      asked.push(...inputs.mel.data);
      return { features: { data: features.slice(window++ * 3072, window * 3072) } };
    }
    const at = step++;
    const [motion, next_state] = [motions.slice(420 * at, 420 * step), states.slice(448 * at, 448 * step)];
    return { motion: { data: motion }, next_state: { data: next_state } };
  },
};
const [rest, emotions, pose, sound] = ["rest", "emotions", "pose", "sound"].map(read);
const face = { rest, emotions, pose: { rotation: pose.slice(0, 9), translation: pose.slice(9, 12), scale: pose[12] } };
const config = new SpeechConfig(given.config);
const hearing = new Hearing(networks, config, face, new Bank(await readNpz(file(given.life))), { seed: 3 });
const faces = [];
let late = 0;
for (let at = 0; at < sound.length; at += 700) {
  await hearing.push(sound.slice(at, at + 700));
  for (const { landmarks } of hearing.frames()) faces.push(...landmarks);
  late = Math.max(late, Math.min(at + 700, sound.length) / 16000 - faces.length / 210 / 25);
}
await hearing.flush();
for (const { landmarks } of hearing.frames()) faces.push(...landmarks);
write("mel", asked);
write("faces", faces);
return { late, delay: hearing.delay };
"""


@pytest.fixture(scope="module")
def heard():
    """A sentence, and what Python's networks made of it: sound, mel spectra, features, motions and states."""
    model, sound = Speech2Landmarks.load(threads=1), speech(2.5)
    kept = {"mel": [], "features": [], "motions": [], "states": []}
    session, step = model.encoder._session, model._session

    class Ear:
        def run(self, names, feed):
            out = session.run(names, feed)
            kept["mel"].append(feed["mel"][0])
            kept["features"].append(out[0][0])
            return out

    class Lips:
        def run(self, names, feed):
            out = step.run(names, feed)
            kept["motions"].append(out[0])
            kept["states"].append(out[1].ravel())
            return out

    model.encoder._session, model._session = Ear(), Lips()
    motion = Motion(REFERENCE, POSE, Controls(seed=3))
    displacement = model.whole(sound, neutral=motion.rest)
    faces, _ = motion.step(displacement, sound)
    rest, emotions = motion.rest, motion._emotions
    return sound, {name: np.stack(values) for name, values in kept.items()}, faces, rest, emotions


def test_a_sentence_is_heard_as_python_hears_it(tmp_path, heard):
    sound, kept, faces, rest, emotions = heard
    placed = np.concatenate([POSE.rotation.ravel(), POSE.translation, [POSE.scale]])
    written(tmp_path, rest=rest, emotions=emotions, pose=placed, sound=sound, **kept)
    config = json.loads((ROOT / "weights/speech2landmarks.json").read_text())
    told = node(tmp_path, HEAR, life=LIFE, config=config)
    mel = read(tmp_path, "mel", -1, 80, 80)
    assert len(mel) == len(kept["mel"]) and np.abs(mel - kept["mel"]).max() < 2e-6
    given = read(tmp_path, "faces", -1, 70, 3)
    assert given.shape == faces.shape and np.abs(given - faces).max() < 2e-5
    assert told["late"] <= told["delay"] + 0.05 == pytest.approx(0.25)


EAR = """
const { Ear } = await load("hear/ear.js");
const joined = [], context = { currentTime: 10, destination: "loud", outputLatency: 0 };
const ear = new Ear({ delay: 0.2, frames: () => [], push: async () => {} });
clearInterval(ear.idle);
ear.context = context;
ear.output = { connect: () => joined.push("on"), disconnect: () => joined.push("off") };
ear.begins = { time: 0, frame: 0 };
ear.mute(false);
const at = (seconds, frame) => {
  context.currentTime = seconds;
  ear.motions = [{ frame, landmarks: Float32Array.of(1, 0.3), spoken: Float32Array.of(0, 0.2) }];
  return ear.due().landmarks[1];
};
const before = at(10, 200);
ear.interrupt();
const during = [at(10.08, 201), at(10.2, 202), at(10.3, 203), at(10.46, 204)];
await new Promise((go) => setTimeout(go, 600));
const after = at(10.6, 205);
ear.mute(true);
return { before, during, after, joined };
"""


def test_an_interrupt_closes_the_mouth_before_the_sound_that_is_held_back_has_passed(tmp_path):
    found = run(EAR, tmp_path)
    assert found["before"] == pytest.approx(0.3) and found["after"] == pytest.approx(0.3)
    assert found["during"] == pytest.approx([0.2, 0.1, 0.1, 0.3 - 0.2 * 0.180], abs=0.005)
    assert found["joined"] == ["on", "off", "on", "off"]
