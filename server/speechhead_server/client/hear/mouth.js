// Lips: what of the speech motion to show in silence, and the promise that lips which touch in speech touch in the
// picture. Faces are Float32Array [70 x 3], in outer eye distances.

import { FPS, LowPass, smoothstep } from "./clocks.js";

const UPPER_INNER = [61, 62, 63], LOWER_INNER = [67, 66, 65];
const CLOSED = 0.008, PARTED = 0.03; // gaps that mean closed and open lips
const UPPER_SHARE = 0.35;
const THINNER = 0.05;
const UPPER_ALONG = [[[61, 1], [50, 1], [49, 0.5]], [[62, 1], [51, 1]], [[63, 1], [52, 1], [53, 0.5]]];
const LOWER_ALONG = [[[67, 1], [58, 1], [59, 0.5]], [[66, 1], [57, 1]], [[65, 1], [56, 1], [55, 0.5]]];
const OUTER = [[[50, 1], [49, 0.5]], [[51, 1]], [[52, 1], [53, 0.5]]];
const LOWER_OUTER = [[[58, 1], [59, 0.5]], [[57, 1]], [[56, 1], [55, 0.5]]];
const JAW = [[8, 0.8], [7, 0.76], [9, 0.76], [6, 0.68], [10, 0.68], [5, 0.48], [11, 0.48], [4, 0.24], [12, 0.24]];

/** How much each landmark takes part in the mouth's amplitude. */
export const MOUTH = Float32Array.from({ length: 70 }, (_, k) => {
  if (k === 3 || k === 13) return 0.5;
  return (k >= 48 && k < 68) || (k >= 4 && k < 13) ? 1 : 0;
});

/** Vertical gaps of the three inner-lip pairs. */
export const lipGaps = (face) => UPPER_INNER.map((upper, k) => Math.fround(face[3 * LOWER_INNER[k] + 1] - face[3 * upper + 1]));

/** Gaps to show for those of the speech. */
export const intendedGaps = (gaps, amplitude) =>
  gaps.map((gap) => amplitude * Math.max(gap, 0) * smoothstep(gap, CLOSED, PARTED));

/** Move the lips in place so that the inner pairs stand `gaps` apart; at 0 the points coincide. */
export function setGaps(face, gaps) {
  gaps.forEach((gap, pair) => {
    const upper = 3 * UPPER_INNER[pair], lower = 3 * LOWER_INNER[pair];
    const present = [0, 1, 2].map((axis) => Math.fround(face[lower + axis] - face[upper + axis]));
    const shrink = Math.min(gap / Math.max(present[1], 1e-6), 1);
    const wanted = [present[0] * shrink, gap, present[2] * shrink];
    const change = wanted.map((value, axis) => Math.fround(Math.fround(value) - present[axis]));
    const move = (points, share) => {
      for (const [point, part] of points) for (let axis = 0; axis < 3; axis++) face[3 * point + axis] += share * part * change[axis];
    };
    move(UPPER_ALONG[pair], -UPPER_SHARE);
    move(LOWER_ALONG[pair], 1 - UPPER_SHARE);
    if (gap === 0) face.copyWithin(upper, lower, lower + 3);
  });
}

/** Let outer lips and jaw go along with the inner lips of one frame of speech motion, in place. */
export function keepBody(speech) {
  lipGaps(speech).forEach((signed, pair) => {
    const gap = THINNER * Math.max(signed, 0), y = (point) => speech[3 * point + 1];
    const rise = Math.max(y(OUTER[pair][0][0]) - y(UPPER_INNER[pair]) - gap, 0);
    const fall = Math.max(y(LOWER_INNER[pair]) - y(LOWER_OUTER[pair][0][0]) - gap, 0);
    for (const [point, part] of OUTER[pair]) speech[3 * point + 1] -= part * rise;
    for (const [point, part] of LOWER_OUTER[pair]) speech[3 * point + 1] += part * fall;
    for (const [point, part] of JAW) speech[3 * point + 1] += (part * fall) / 3;
  });
}

const SILENCE_FRAMES = 6, STILL = 0.012, MOVING = 0.03;
const QUIET_DB = 25, QUIET_FRAMES = 3, VOICE_FALL_DB = 3;
const FOLLOW = 0.25, LESS = 0.7, SLOWER = 0.4, FASTER = 0.6;

/** Lips at rest in silence: small motion is held back, and larger motion goes slowly. */
export class Stillness {
  constructor() {
    this.hold = new LowPass(0.24, 1);
    this.silent = SILENCE_FRAMES;
    this.voice = -100;
    this.pause = this.slow = 0;
    this.shown = new Float32Array(210);
  }

  /** Displacement [210] to show in place of `speech`, for the frame's energy in dB and speech activity. */
  step(speech, energy, active) {
    this.silent = active ? 0 : this.silent + 1;
    const hold = this.hold.step(Number(this.silent >= SILENCE_FRAMES));
    let size = 0;
    for (let k = 3 * 48; k < 3 * 68; k++) size = Math.max(size, Math.abs(speech[k]));
    const gain = Math.fround(1 - hold * (1 - smoothstep(size, STILL, MOVING)));
    this.voice = Math.max(this.voice - VOICE_FALL_DB / FPS, active ? energy : -100);
    this.pause = energy < this.voice - QUIET_DB ? this.pause + 1 : 0;
    const paused = this.pause >= QUIET_FRAMES;
    this.slow += (paused ? SLOWER : FASTER) * (Number(paused) - this.slow);
    const follow = Math.fround(1 - this.slow * (1 - FOLLOW)), part = gain * Math.fround(1 - LESS * this.slow);
    for (let k = 0; k < 210; k++) this.shown[k] += follow * (part * speech[k] - this.shown[k]);
    return this.shown;
  }
}

const OPENS = 0.15, SHUTS = 0.55;

/** How far silent lips stand open as far as an emotion parts them, 0 to 1: what speaks has its lips to itself. */
export class Ajar {
  constructor() {
    this.silent = this.open = 0;
  }

  /** Of the next frame. */
  step(active) {
    this.silent = active ? 0 : this.silent + 1;
    if (active) this.open *= 1 - SHUTS;
    else if (this.silent > SILENCE_FRAMES) this.open += OPENS * (1 - this.open);
    return this.open;
  }
}
