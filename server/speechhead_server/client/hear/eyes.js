// When eyes blink and where they look, seeded; and brows. What eyes do to a face is in ../draw/eyes.js.

import { FPS, clip, minimumJerk } from "./clocks.js";
import { Random } from "./random.js";

const CLOSING = 0.3, OPENING = 5.1, REFRACTORY = 0.2;
const PHRASE_END = 3, GLANCE = 6, TURN = 2, AT_REST = 0.6;
const CONTROL_FPS = 30; // in which lengths of blinks are given

/** Seeded blinks: a Poisson process with a refractory time. */
export class Blinks {
  constructor(seed) {
    this.random = new Random([seed, 0xb11]);
    this.elapsed = null;
    this.length = this.rest = 0;
  }

  /** Closure 0..1 of the next frame, for `rate` blinks a minute of `frames` at 30 fps, `urge` times likelier now. */
  step(rate, frames, urge = 1) {
    const draw = this.random.random();
    if (this.elapsed === null) {
      if (rate <= 0) return 0;
      const interval = (60 * FPS) / rate, length = (frames * FPS) / CONTROL_FPS;
      if (this.rest > 0) {
        this.rest = Math.min(this.rest, REFRACTORY * interval) - 1;
        return 0;
      }
      const wait = interval - length - REFRACTORY * interval;
      const chance = wait <= 1 ? 1 : Math.min(urge / wait, 1);
      if (draw >= chance) return 0;
      [this.elapsed, this.length] = [draw / chance, length];
    } else {
      this.elapsed += 1;
    }
    const closure = blinkProfile(this.elapsed, this.length);
    if (this.elapsed + 1 >= this.length) {
      this.elapsed = null;
      if (rate > 0) {
        const interval = (60 * FPS) / rate;
        this.rest = Math.floor(Math.max(Math.min(REFRACTORY * interval, interval - this.length), 0));
      }
    }
    return closure;
  }
}

function blinkProfile(elapsed, length) {
  const shut = Math.min(1, 0.7 * length), down = CLOSING * (length - shut);
  if (elapsed < down) return minimumJerk(elapsed / down);
  const up = clip((elapsed - down - shut) / (length - shut - down), 0, 1);
  return opening(up) - up * opening(1);
}

const opening = (part) => (1 + OPENING * part) * Math.exp(-OPENING * part);

/** When people rather blink: at the ends of phrases, as their eyes move on, and as the head turns quickly. */
export class Urge {
  constructor() {
    this.gaze = [0, 0];
    this.angles = [0, 0, 0];
  }

  /** How much likelier than usual a blink is in the next frame; gaze and angles in degrees. */
  step(cues, gaze, angles) {
    const looked = Math.max(...gaze.map((value, k) => Math.abs(value - this.gaze[k])));
    const moved = angles.reduce((sum, value, k) => sum + Math.abs(value - this.angles[k]), 0);
    [this.gaze, this.angles] = [[...gaze], [...angles]];
    let urge = AT_REST;
    if (cues[5] > 0 && cues[5] < 0.25) urge *= PHRASE_END;
    if (looked > 3) urge *= GLANCE;
    return urge * (moved > 1.2 ? TURN : 1);
  }
}

/** Raise the brows of a face [70 x 3] at the left and the right of the image, in place, outer eye distances. */
export function raiseBrows(face, left, right) {
  for (const [brow, lids, rise] of [[17, [37, 38], left], [22, [43, 44], right]]) {
    for (let point = brow; point < brow + 5; point++) face[3 * point + 1] -= rise;
    for (const lid of lids) face[3 * lid + 1] -= 0.08 * rise;
  }
}

const FIXATION_SECONDS = 1.3, FIXATION_DEGREES = 0.8;
const GLANCE_CHANCE = 0.22, GLANCE_SECONDS = 0.9, GLANCE_MEAN = 0.35, SHORTEST = 0.2;

const direction = (turn) => [Math.cos(2 * Math.PI * turn), Math.sin(2 * Math.PI * turn)];

/** Seeded gaze: fixations, saccades and glances away, degrees from the portrait's own. */
export class Gaze {
  constructor(seed) {
    this.random = new Random([seed, 0x9a2e]);
    this.now = this.from = this.to = [0, 0];
    this.moving = null; // seconds into the running saccade
    this.wait = FIXATION_SECONDS;
    this.away = false;
    this.aim = null;
  }

  /** [yaw, pitch] of the next frame; `aim` is where the eyes rest, or null for the viewer. */
  step(lookAway, aim) {
    const draws = Array.from({ length: 6 }, () => this.random.random());
    if (String(aim ?? null) !== String(this.aim)) [this.aim, this.away, this.wait] = [aim ?? null, false, 0];
    this.wait -= 1 / FPS;
    if (this.wait <= 0) this.#saccade(draws, lookAway);
    if (this.moving !== null) {
      this.moving += 1 / FPS;
      const way = [this.to[0] - this.from[0], this.to[1] - this.from[1]];
      const duration = 0.021 + 0.0022 * Math.hypot(...way), part = minimumJerk(this.moving / duration);
      this.now = this.from.map((value, k) => value + part * way[k]);
      if (this.moving >= duration) this.moving = null;
    }
    return this.now;
  }

  #saccade(draws, lookAway) {
    const centre = this.aim ?? [0, 0];
    const spread = Math.min(FIXATION_DEGREES * Math.sqrt(-2 * Math.log(1 - draws[0])), 2.5);
    let target = direction(draws[1]).map((value, k) => centre[k] + spread * value);
    const glances = this.aim === null && lookAway > 0 && !this.away && draws[2] < GLANCE_CHANCE;
    if (glances) {
      const size = Math.min(-GLANCE_MEAN * lookAway * Math.log(1 - draws[3]), lookAway);
      target = direction(draws[4]).map((value, k) => size * value * (k ? 0.6 : 1));
    }
    this.away = glances;
    this.wait = SHORTEST - ((glances ? GLANCE_SECONDS : FIXATION_SECONDS) - SHORTEST) * Math.log(1 - draws[5]);
    [this.from, this.to, this.moving] = [this.now, target, draws[4] / FPS - 1 / FPS];
  }
}
