// The clocks of the project: 16 kHz sound, 10 ms feature hops, 25 frames per second; and easing on them.

/** Samples a second of all sound that is heard. */
export const SAMPLE_RATE = 16000;

/** Video frames a second. */
export const FPS = 25;

/** Samples of a feature's hop: 10 ms. */
export const HOP = SAMPLE_RATE / 100;

/** Samples of a video frame: 640. */
export const BLOCK = SAMPLE_RATE / FPS;

/** `x` within low..high. */
export const clip = (x, low, high) => Math.min(Math.max(x, low), high);

/** 0 below `start`, 1 above `end` (or the reverse if end < start), with level ends. */
export function smoothstep(x, start, end) {
  const t = clip((x - start) / (end - start), 0, 1);
  return t * t * (3 - 2 * t);
}

/** Position 0..1 at time `s` in 0..1 of the movement with the least jerk. */
export function minimumJerk(s) {
  const t = clip(s, 0, 1);
  return t * t * t * (10 + t * (6 * t - 15));
}

/** `value` as it is within low..high; beyond, it comes to rest within `room` more. */
export function softStop(value, low, high, room) {
  const over = Math.max(value - high, 0), under = Math.max(low - value, 0);
  return clip(value, low, high) - room * (Math.expm1(-over / room) - Math.expm1(-under / room));
}

/** A chain of one-pole low-pass filters of one number, `seconds` long in all. */
export class LowPass {
  /** @param {number} seconds @param {number} value at which it rests @param {number} order of poles */
  constructor(seconds, value, order = 3) {
    this.keep = Math.exp(-order / (seconds * FPS));
    this.poles = new Float64Array(order).fill(value);
  }

  /** Its output after one more video frame of input `target`. */
  step(target) {
    for (let pole = 0; pole < this.poles.length; pole++) {
      target = this.poles[pole] = this.keep * this.poles[pole] + (1 - this.keep) * target;
    }
    return target;
  }
}

/** The same of several numbers at once. */
export class LowPasses {
  /** @param {number} seconds @param {ArrayLike<number>} values @param {number} order */
  constructor(seconds, values, order = 3) {
    this.filters = Array.from(values, (value) => new LowPass(seconds, value, order));
  }

  /** @param {ArrayLike<number>} targets @returns {number[]} */
  step(targets) {
    return this.filters.map((filter, at) => filter.step(targets[at]));
  }
}

/** Smooth random motion of unit variance, of white noise: six poles; it starts at rest at 0. */
export class Noise {
  constructor(seconds) {
    this.filter = new LowPass(seconds, 0, 6);
    const kernel = new LowPass(seconds, 0, 6);
    let power = 0;
    for (let frame = 0; frame < Math.trunc(5 * seconds * FPS) + 8; frame++) power += kernel.step(Number(frame === 0)) ** 2;
    this.gain = 1 / Math.sqrt(power);
  }

  /** The next frame's value for a standard normal number. */
  step(white) {
    return this.gain * this.filter.step(white);
  }
}
