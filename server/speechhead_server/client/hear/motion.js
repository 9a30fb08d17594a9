// Motion: speech, emotion, eyes, head and idle life put together into posed landmarks, frame by frame. The same
// numbers as Python's motion/compose.py, for equal sound and seeds.

import { closeEyes, turnEyes } from "../draw/eyes.js";
import { LowPasses, minimumJerk, softStop } from "./clocks.js";
import { Cues } from "./cues.js";
import { Blinks, Gaze, Urge, raiseBrows } from "./eyes.js";
import {
  EASY, EASY_ROOM, HeadSources, Idle, Nods, PLACES, MotionPace, RISES, TURNS, pacedBrows, pacedPlace, pacedTurn, risesOf, rotationAngles,
  turned,
} from "./head.js";
import { Liveliness } from "./life.js";
import { Ajar, MOUTH, Stillness, intendedGaps, keepBody, lipGaps, setGaps } from "./mouth.js";
import { Prosody } from "./prosody.js";

export const EMOTIONS = ["neutral", "happy", "sad", "surprised", "afraid", "angry", "disgusted"];

/** Controls and what they are where nothing is said, as Python's `Controls`. */
export const CONTROLS = {
  emotion: {}, gaze: null, head: "generated", head_amplitude: 1, temperament: 1, mouth_amplitude: 1.4,
  blink_rate: 16, blink_frames: 10, look_away: 20, idle: true, seed: 0,
};

const POSTURE_PITCH = [0, -0.5, 3, -2, -1.5, 1.5, -1], PARTED = [0, 0, 0, 0.05, 0.035, 0, 0.03];
const WIDEST = 2, PARTS = Array.from({ length: 70 }, (_, k) => (k >= 17 && k < 27 ? 1 : k >= 36 && k < 48 ? 2 : 0));
const LEAD = [[0, 2, 1, 2, 2, 1, 3], [0, 0.5, 2, 2, 2, 4, 1], [0, 8, 1, 6, 6, 3, 2]]; // mouth, brows and lids
const CHANNEL = Array.from({ length: 70 }, (_, k) => ([48, 54, 60, 64].includes(k) ? 1 : k >= 3 && k < 14 ? 2 : 0));
const FURTHER = [[1, 1, 1], [1, 1.343, 1.363], [1, 1.298, 1.293], [1.435, 1.571, 1.414], [1, 1, 1], [1, 1, 1], [1, 1, 1]]; // lips, their corners and the chin in speech, up and down
const FADE_SECONDS = 0.5, INTERRUPT_FRAMES = 6;
const EYE_CONTACT = 0.85, EYE_CONTACT_LIMIT = 9, EYE_CONTACT_ROOM = 3;
const SPEECH_YIELD = 0.3;
const EYES = [36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 68, 69];

/** Weights [7] of a mix of emotions by name; a sum above 1 is scaled to 1. */
export function mix(emotion) {
  const unknown = Object.keys(emotion).find((name) => !EMOTIONS.includes(name));
  if (unknown) throw new Error(`emotion '${unknown}' is unknown. Choose from ${EMOTIONS.join(", ")}.`);
  const weights = EMOTIONS.map((name) => emotion[name] ?? 0);
  const sum = Math.max(1, weights.reduce((total, weight) => total + weight, 0));
  return weights.map((weight) => weight / sum);
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Weights [3][7] of a mix in each part of the face: together as much as they are, shared out by LEAD. */
export function led(weights) {
  const felt = sum(weights.slice(1));
  return LEAD.map((lead) => {
    const shares = lead.map((part, k) => part * weights[k]), total = Math.max(sum(shares), 1e-12);
    return shares.map((share) => Math.fround(share * (felt / total)));
  });
}

/** Amplitude of speech up and down under a mix, of lips, corners and chin; none goes beyond WIDEST by itself. */
const amplitudes = (weights, amplitude) => [0, 1, 2].map((channel) => {
  const further = 1 + sum(weights.map((weight, k) => weight * (FURTHER[k][channel] - 1)));
  return Math.min(amplitude * further, Math.max(amplitude, WIDEST));
});

/** Controls with what they leave out. */
export function completed(controls) {
  const unknown = Object.keys(controls).find((name) => !(name in CONTROLS));
  if (unknown) throw new Error(`control '${unknown}' is unknown. Choose from ${Object.keys(CONTROLS).join(", ")}.`);
  return { ...CONTROLS, ...controls };
}

/**
 * A face in motion.
 *
 * @typedef {{rest: Float32Array, emotions: Float32Array, pose: Pose}} Face the portrait with closed, relaxed mouth
 *   [70 x 3], what emotions do to it [7 x 70 x 3], and where its head is
 * @typedef {{rotation: Float32Array, translation: Float32Array, scale: number}} Pose [9], [3] and pixels of an eye distance
 */
export class Motion {
  /** @param {Face} face @param {import("./life.js").Bank} bank @param {Partial<typeof CONTROLS>} controls */
  constructor(face, bank, controls = {}) {
    this.face = face;
    this.base = rotationAngles(face.pose.rotation);
    this.controls = completed(controls);
    const { seed, head } = this.controls;
    this.blinks = new Blinks(seed);
    this.gaze = new Gaze(seed);
    this.idle = new Idle(seed);
    this.life = new Liveliness(seed, bank);
    this.heard = new Cues();
    this.nods = new Nods();
    [this.pace, this.placePace, this.browPace] = [new MotionPace(TURNS), new MotionPace(PLACES), new MotionPace(RISES)];
    this.urge = new Urge();
    this.sources = new HeadSources(head, FADE_SECONDS);
    this.prosody = new Prosody();
    this.faded = new LowPasses(FADE_SECONDS, this.#targets());
    this.stillness = new Stillness();
    this.ajar = new Ajar();
    this.speech = this.beforeReset = new Float32Array(210);
    this.sinceReset = this.glide = INTERRUPT_FRAMES;
    this.frame = 0;
  }

  /** Change controls: what is not named stays. The seed is that of the beginning. */
  update(changes) {
    const next = completed({ ...this.controls, ...changes });
    if (JSON.stringify(next.head) !== JSON.stringify(this.controls.head)) this.sources.switch(next.head);
    this.controls = next;
  }

  /** Turn the head to [yaw, pitch, roll] in degrees, given live. */
  steer(angles) {
    this.sources.steer(angles);
  }

  /** The speech was interrupted: in `frames` frames the mouth glides from where it is into what comes next. */
  resetSpeech(frames = INTERRUPT_FRAMES) {
    [this.beforeReset, this.sinceReset, this.glide] = [this.speech, 0, frames];
    this.prosody = new Prosody();
  }

  #targets() {
    const { emotion, mouth_amplitude, head_amplitude, temperament, idle } = this.controls;
    return [...mix(emotion), mouth_amplitude, head_amplitude, temperament, Number(idle)];
  }

  /**
   * The next frame.
   * @param {Float32Array} displacement [210] of the speech, from the closed-mouth face
   * @param {Float32Array} block [640], its sound at 16 kHz
   * @returns {{frame: number, landmarks: Float32Array, pose: number[], gaze: number[], closure: number, spoken: Float32Array}} normalised
   *   landmarks [210]; yaw, pitch, roll in degrees, x, y, z and scale of the head; how far the eyes are turned and closed;
   *   what of the landmarks is speech
   */
  step(displacement, block) {
    const faded = this.faded.step(this.#targets()), weights = faded.slice(0, 7), mouth = faded[7];
    const sound = this.prosody.step(block), cues = this.heard.step(sound);
    const speech = this.#articulation(displacement, sound), landmarks = new Float32Array(210), felt = new Float32Array(210);
    const { rest, emotions } = this.face, shares = led(weights), down = amplitudes(weights, mouth);
    const [wide, ...tall] = [mouth, ...down].map((part) => Math.fround(Math.fround(part) - 1)), yields = Math.fround(1 - SPEECH_YIELD * cues[0]);
    for (let k = 0; k < 210; k++) {
      const point = Math.trunc(k / 3), part = MOUTH[point], share = shares[PARTS[point]];
      let expression = 0;
      for (let emotion = 0; emotion < 7; emotion++) expression += share[emotion] * emotions[210 * emotion + k];
      felt[k] = expression;
      landmarks[k] = Math.fround(rest[k] + speech[k] * (1 + (k % 3 === 1 ? tall[CHANNEL[point]] : wide) * part)) + expression * (1 - part + yields * part);
    }
    const ajar = this.ajar.step(sound.active) * weights.reduce((sum, weight, k) => sum + weight * PARTED[k], 0);
    setGaps(landmarks, intendedGaps(lipGaps(speech), down[0]).map((gap) => Math.max(gap, ajar)));
    const spoken = landmarks.map((value, k) => value - Math.fround(rest[k] + felt[k]));
    const { pose, gaze, closure } = this.#turn(landmarks, cues, weights, felt, faded.slice(8));
    const placed = [...rotationAngles(pose.rotation), ...pose.translation, pose.scale];
    return { frame: this.frame++, landmarks, pose: placed, gaze, closure, spoken };
  }

  /** Speech motion to show: without eyes, still in silence, lips of flesh, gliding after an interrupt. */
  #articulation(displacement, { energy, active }) {
    const bare = Float32Array.from(displacement);
    for (const point of EYES) bare.fill(0, 3 * point, 3 * point + 3);
    const speech = Float32Array.from(this.stillness.step(bare, energy, active));
    keepBody(speech);
    if (this.sinceReset < this.glide) {
      this.sinceReset += 1;
      const share = Math.fround(minimumJerk(this.sinceReset / this.glide));
      for (let k = 0; k < 210; k++) speech[k] = share * speech[k] + (1 - share) * this.beforeReset[k];
    }
    this.speech = speech;
    return speech;
  }

  #turn(face, cues, weights, felt, [head, lively, idle]) {
    const move = this.life.step(cues), [nod, raised] = this.nods.step(this.heard.stress), [tip, rise] = this.idle.step();
    const generated = [0, 1, 2].map((k) => {
      const angle = lively * (move[k] + (k === 1 ? nod : 0));
      return softStop(angle, -EASY[k], EASY[k], EASY_ROOM[k]);
    });
    const posture = weights.reduce((sum, weight, k) => sum + weight * POSTURE_PITCH[k], 0);
    const turn = this.sources.step(this.base), aside = [0, idle * tip + posture, 0];
    const angles = pacedTurn(this.pace, head, generated, aside, turn, this.base);
    const brows = pacedBrows(this.browPace, [6, 7].map((side) => lively * (move[side] + raised)), risesOf(felt))
      .map((brow) => (1 - turn.lids) * brow + turn.brow);
    raiseBrows(face, brows[0], brows[1]);
    const eyes = this.#look(face, cues, angles, turn);
    const shift = pacedPlace(this.placePace, [3, 4, 5].map((k) => turn.own * head * lively * move[k]));
    shift[1] -= turn.own * idle * rise;
    return { pose: turned(this.face.pose, angles, shift.slice(0, 2), shift[2]), ...eyes };
  }

  /** Gaze and lids of a face whose head is turned by `angles`, in place. */
  #look(face, cues, angles, turn) {
    const { look_away, gaze, blink_rate, blink_frames } = this.controls;
    const now = this.gaze.step(look_away, gaze);
    const back = [0, 1].map((k) => softStop(EYE_CONTACT * angles[k], -EYE_CONTACT_LIMIT, EYE_CONTACT_LIMIT, EYE_CONTACT_ROOM));
    const turnedBy = now.map((angle, k) => angle - back[k]);
    turnEyes(face, turnedBy[0], turnedBy[1]);
    const own = this.blinks.step(blink_rate, blink_frames, this.urge.step(cues, now, angles));
    const closure = (1 - turn.lids) * own + turn.blink;
    closeEyes(face, closure);
    return { gaze: turnedBy, closure };
  }
}
