// The life of a head and its brows: stretches of real motion, chosen by what is said and joined without a seam.

import { FPS } from "./clocks.js";
import { Random } from "./random.js";

const CHANNELS = 8, CUES = 6;
const UNITS = [0.05, 0.05, 0.05, 0.001, 0.001, 0.0003, 0.0002, 0.0002];
const MIRRORED = [-1, 1, -1, -1, 1, 1, 1, 1], MIRROR_FROM = [0, 1, 2, 3, 4, 5, 7, 6];

/** How the next stretch is chosen: `Matching` of Python's motion/life.py. */
const MATCHING = {
  every: 5, shortest: 30, longest: 100,
  cues: [3.0, 0.6, 0.5, 0.4, 0.7, 0.7],
  places: [0.15, 0.17, 0.17, 2.1, 2.5, 8.4, 15.0, 15.0],
  speeds: [0.84, 0.84, 0.84, 8.4, 8.4, 25.0, 24.0, 24.0],
  centre: 0.005, stay: 3.0, restless: 0.04, taste: 1.5, chance: 1.5, again: 20.0, forgotten: 750, fade: 4.5,
};
const WEIGHTS = [...MATCHING.places, ...MATCHING.speeds].map(Math.fround);
const CUE_WEIGHTS = MATCHING.cues.map(Math.fround);
const LEAST_LEFT = 20, STRIDE = 2;

/** The bank of real motion, and the places in it that may be leapt to. */
export class Bank {
  /** @param arrays of weights/life.npz, see `readNpz` */
  constructor({ frames, first, steps, cues }) {
    const total = steps.shape[1];
    this.motion = new Float32Array(total * CHANNELS);
    this.speed = new Float32Array(total * CHANNELS);
    this.cues = new Float32Array(total * CUES);
    this.left = new Int32Array(total);
    this.stretch = new Int32Array(total);
    this.stretches = frames.data.length;
    for (let frame = 0; frame < total; frame++) {
      for (let cue = 0; cue < CUES; cue++) this.cues[frame * CUES + cue] = cues.data[cue * total + frame] * Math.fround(1 / 48);
    }
    let begin = 0;
    frames.data.forEach((count, stretch) => {
      for (let channel = 0; channel < CHANNELS; channel++) {
        let whole = first.data[stretch * CHANNELS + channel];
        for (let frame = begin; frame < begin + count; frame++) {
          whole += steps.data[channel * total + frame];
          const at = frame * CHANNELS + channel;
          this.motion[at] = whole * UNITS[channel];
          this.speed[at] = frame === begin ? 0 : this.motion[at] - this.motion[at - CHANNELS];
        }
      }
      for (let k = 0; k < count; k++) [this.left[begin + k], this.stretch[begin + k]] = [count - 1 - k, stretch];
      begin += count;
    });
    this.#gather();
  }

  /** Weighted features of the places that may be leapt to, of the people as filmed and mirrored. */
  #gather() {
    const open = [];
    for (let frame = 0; frame < this.left.length; frame++) if (this.left[frame] >= LEAST_LEFT) open.push(frame);
    this.places = Int32Array.from(open.filter((_, k) => k % STRIDE === 0));
    const count = this.places.length;
    this.askedCues = new Float32Array(count * CUES);
    this.features = [0, 1].map(() => new Float32Array(count * 16));
    this.aside = new Float32Array(count);
    this.places.forEach((frame, place) => {
      for (let cue = 0; cue < CUES; cue++) this.askedCues[place * CUES + cue] = this.cues[frame * CUES + cue] * CUE_WEIGHTS[cue];
      [this.motion, this.speed].forEach((values, half) => {
        for (let channel = 0; channel < CHANNELS; channel++) {
          const at = place * 16 + 8 * half + channel, weight = WEIGHTS[8 * half + channel];
          this.features[0][at] = values[frame * CHANNELS + channel] * weight;
          this.features[1][at] = values[frame * CHANNELS + MIRROR_FROM[channel]] * MIRRORED[channel] * weight;
        }
      });
      for (let k = 0; k < 3; k++) this.aside[place] += MATCHING.centre * this.motion[frame * CHANNELS + k] ** 2;
    });
  }
}

/** Seeded real motion, one video frame at a time; it starts at the portrait's own pose, at rest. */
export class Liveliness {
  /** @param {number} seed @param {Bank} bank */
  constructor(seed, bank) {
    this.bank = bank;
    this.random = new Random([seed, 0x11fe]);
    this.frame = -1;
    this.mirror = this.speaking = false;
    this.age = this.time = 0;
    this.offset = new Float64Array(CHANNELS);
    this.drift = new Float64Array(CHANNELS);
    this.shown = new Float64Array(CHANNELS);
    this.before = new Float64Array(CHANNELS);
    this.taste = this.#whims(MATCHING.taste);
    this.used = []; // [time, frame of the bank] of the leaps
  }

  #whims(mean) {
    return Float32Array.from({ length: 2 * this.bank.stretches }, () => mean * Math.fround(this.random.exponential()));
  }

  /** Yaw, pitch, roll in degrees, x, y, growth and both brows of the next frame, for its cues [6]. */
  step(cues) {
    this.time += 1;
    this.age += 1;
    const speaking = cues[0] > 0.5, border = speaking !== this.speaking;
    this.speaking = speaking;
    const ended = this.frame < 0 || this.bank.left[this.frame] === 0;
    if (ended || border || (this.age >= MATCHING.shortest && this.time % MATCHING.every === 0)) this.#look(cues, ended);
    else this.frame += 1;
    this.#fade();
    this.before = this.shown;
    this.shown = this.#real(this.frame).map((value, k) => value + this.offset[k]);
    return this.shown;
  }

  #real(frame) {
    const at = frame * CHANNELS, { motion } = this.bank;
    if (!this.mirror) return Float64Array.from(motion.subarray(at, at + CHANNELS));
    return Float64Array.from(MIRROR_FROM, (from, k) => motion[at + from] * MIRRORED[from]);
  }

  /** Change per second at a frame, or after it where a stretch begins. */
  #speed(frame) {
    const first = frame === 0 || this.bank.left[frame - 1] === 0;
    const [from, to] = first ? [frame, frame + 1] : [frame - 1, frame];
    const start = this.#real(from);
    return this.#real(to).map((value, k) => (value - start[k]) * FPS);
  }

  /** Go on in the stretch, or leap to a place that fits better. */
  #look(cues, ended) {
    const { bank } = this, wanted = [Number(this.speaking), ...cues.slice(1)];
    const asked = wanted.map((cue, k) => Math.fround(cue * MATCHING.cues[k]));
    const now = [...this.shown, ...this.shown.map((value, k) => value - this.before[k])];
    const state = now.map((value, k) => Math.fround(value * WEIGHTS[k]));
    const whim = this.#whims(MATCHING.chance), stale = this.#stale();
    let best = -1, mirror = 0, least = Infinity;
    for (let side = 0; side < 2; side++) {
      const features = bank.features[side];
      for (let place = 0; place < bank.places.length; place++) {
        const kind = side * bank.stretches + bank.stretch[bank.places[place]];
        let cost = bank.aside[place] + stale[place] + this.taste[kind] + whim[kind];
        for (let k = 0; k < CUES; k++) cost += (bank.askedCues[place * CUES + k] - asked[k]) ** 2;
        for (let k = 0; k < 16 && cost < least; k++) cost += (features[place * 16 + k] - state[k]) ** 2;
        if (cost < least) [least, best, mirror] = [cost, place, side];
      }
    }
    if (!ended) {
      let stay = -MATCHING.stay + MATCHING.restless * Math.max(0, this.age - MATCHING.longest);
      for (let k = 0; k < CUES; k++) stay += (bank.cues[(this.frame + 1) * CUES + k] * CUE_WEIGHTS[k] - asked[k]) ** 2;
      if (stay <= least) {
        this.frame += 1;
        return;
      }
    }
    this.#leap(bank.places[best], Boolean(mirror));
  }

  #leap(frame, mirror) {
    const going = this.shown.map((value, k) => (value - this.before[k]) * FPS);
    [this.frame, this.mirror, this.age] = [frame, mirror, 0];
    this.used = this.used.filter(([time]) => this.time - time < MATCHING.forgotten);
    this.used.push([this.time, frame]);
    const speed = this.#speed(frame), real = this.#real(frame);
    this.drift = going.map((value, k) => value - speed[k]);
    this.offset = this.shown.map((value, k) => value - (real[k] - speed[k] / FPS));
  }

  /** One frame of a critically damped spring that takes the offset to nothing. */
  #fade() {
    const { fade } = MATCHING, keep = Math.exp(-fade / FPS);
    for (let k = 0; k < CHANNELS; k++) {
      const pull = this.drift[k] + fade * this.offset[k];
      this.offset[k] = (this.offset[k] + pull / FPS) * keep;
      this.drift[k] = (this.drift[k] - (fade * pull) / FPS) * keep;
    }
  }

  /** Cost of places near those that were used lately. */
  #stale() {
    const cost = new Float32Array(this.bank.places.length);
    for (const [time, frame] of this.used) {
      const fresh = 1 - (this.time - time) / MATCHING.forgotten;
      if (fresh <= 0) continue;
      this.bank.places.forEach((place, k) => {
        if (place >= frame - 25 && place < frame + 100) cost[k] = Math.max(cost[k], MATCHING.again * fresh);
      });
    }
    return cost;
  }
}
