// The head: its pose about the neck, nods and breath, how far it may go, and where its motion comes from.

import { FPS, LowPass, LowPasses, Noise, clip, softStop } from "./clocks.js";
import { Random } from "./random.js";

export const EASY = [10, 8, 8], EASY_ROOM = [4, 3, 3], SEEN = [0.8, 0.75, 1];
export const WAY = [0.35, 0.25], WAY_ROOM = [0.12, 0.08];
const TURN = [20, 15, 15], FRONT = [35, 25, 30], LEAST = [10, 6, 8], ROOM = [5, 4, 5];
const TOGETHER = 1.45, TOGETHER_ROOM = 0.1;
const NECK = [0, 1, 0.9];

const DEGREES = 180 / Math.PI;

/** Rotation [9], rows first, of [yaw, pitch, roll] in degrees. */
export function rotationMatrix(angles) {
  const [yaw, pitch, roll] = angles.map((angle) => angle / DEGREES);
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const [cr, sr] = [Math.cos(roll), Math.sin(roll)];
  return Float32Array.of(
    cr * cy, -sr * cp - cr * sy * sp, sr * sp - cr * sy * cp,
    sr * cy, cr * cp - sr * sy * sp, -cr * sp - sr * sy * cp,
    sy, cy * sp, cy * cp);
}

/** [yaw, pitch, roll] in degrees of a rotation [9]. */
export function rotationAngles(r) {
  return [Math.asin(clip(r[6], -1, 1)), Math.atan2(r[7], r[8]), Math.atan2(r[3], r[0])].map((angle) => Math.fround(angle * DEGREES));
}

const atNeck = (rotation, row) => rotation[3 * row] * NECK[0] + rotation[3 * row + 1] * NECK[1] + rotation[3 * row + 2] * NECK[2];

/** `pose` turned by degrees about the neck, which moves by `shift` outer eye distances; `grow` is log of the size. */
export function turned(pose, angles, shift, grow) {
  const own = rotationAngles(pose.rotation), scale = pose.scale * Math.exp(grow);
  const rotation = rotationMatrix(own.map((angle, k) => angle + angles[k]));
  const translation = Float32Array.from({ length: 3 }, (_, axis) => {
    const place = pose.translation[axis] + pose.scale * atNeck(pose.rotation, axis) + pose.scale * (shift[axis] ?? 0);
    return place - scale * atNeck(rotation, axis);
  });
  return { rotation, translation, scale };
}

/** Lowest and highest degrees [2][3] away from a portrait's own that its picture holds. */
function ends(own) {
  const away = own.map((angle, k) => clip(FRONT[k] - Math.abs(angle), LEAST[k], TURN[k]));
  return [own.map((angle, k) => (angle >= 0 ? -TURN[k] : -away[k])), own.map((angle, k) => (angle >= 0 ? away[k] : TURN[k]))];
}

/** Degrees [3] away from a portrait's own, faded out beyond what its picture holds. */
export function heldTurn(angles, own) {
  const [low, high] = ends(own);
  const far = Math.hypot(...angles.map((angle, k) => angle / (angle < 0 ? -low[k] : high[k])));
  const part = far > TOGETHER ? softStop(far, 0, TOGETHER, TOGETHER_ROOM) / far : 1;
  return angles.map((angle, k) => softStop(angle * part, low[k], high[k], ROOM[k]));
}

/** Drawn degrees a frame of [yaw, pitch, roll], and by how much they change, at most: see Python's motion/pace.py. */
const QUICKEST = [4.1, 2.5, 1.6], SUDDEN = [1.8, 1.35, 0.65];

/** Degrees a frame at which a head still stops within `way`, of either sign, when it loses `lost` a frame. */
function brake(way, lost) {
  const far = Math.abs(way), frames = Math.max(Math.ceil(0.5 * (Math.sqrt(1 + (8 * far) / lost) - 1)), 1);
  return Math.sign(way) * (far / frames + 0.5 * lost * (frames - 1));
}

/** Follows turns, bit for bit where they are no quicker than people's; else it lags, and catches up. */
export class TurnPace {
  constructor() {
    this.at = null;
    this.speed = [0, 0, 0];
  }

  /** The next frame's turn [3] to draw, for the generated one [3], what is added to it, and the portrait's own angles. */
  paced(head, generated, aside, own) {
    const drawn = (angles) => angles.map((angle, k) => (head * angle) / SEEN[k]), [from, to] = ends(own);
    const asked = heldTurn(drawn(generated.map((angle, k) => angle + aside[k])), own);
    const [low, high] = [-1, 1].map((side) => {
      const end = drawn(EASY.map((easy, k) => side * (easy + EASY_ROOM[k]) + aside[k]));
      return end.map((angle, k) => softStop(angle, from[k], to[k], ROOM[k]));
    });
    return this.step(asked, low.map((end, k) => Math.min(end, asked[k])), high.map((end, k) => Math.max(end, asked[k])));
  }

  /** The next frame's turn [3], for the one that is asked, all in drawn degrees; low <= asked <= high. */
  step(asked, low, high) {
    if (!this.at) this.at = this.asked = asked;
    const { at, asked: last, speed } = this;
    this.speed = asked.map((angle, k) => {
      const wanted = angle - last[k] + brake(last[k] - at[k], SUDDEN[k]);
      const inside = clip(wanted, brake(low[k] - at[k], SUDDEN[k]), brake(high[k] - at[k], SUDDEN[k]));
      return clip(clip(inside, -QUICKEST[k], QUICKEST[k]), speed[k] - SUDDEN[k], speed[k] + SUDDEN[k]);
    });
    this.at = asked.map((angle, k) => (Math.abs(at[k] + this.speed[k] - angle) < 1e-9 ? angle : at[k] + this.speed[k]));
    this.asked = asked;
    return this.at;
  }
}

/** What head and brows do on stress. */
export class Nods {
  constructor() {
    this.lift = new LowPass(0.16, 0);
    this.dip = new LowPass(0.7, 0);
    this.brow = new LowPass(0.3, 0);
  }

  /** [pitch in degrees, rise of the brows] for the frame's stress in dB. */
  step(stress) {
    const pitch = -0.09 * this.lift.step(stress) - 0.025 * this.dip.step(stress);
    return [pitch, 0.0015 * this.brow.step(Math.max(stress, 0))];
  }
}

/** Seeded breath. */
export class Idle {
  constructor(seed) {
    this.random = new Random([seed, 0x1d1e]);
    this.tempo = new Noise(6);
    this.phase = 0;
  }

  /** [pitch in degrees, rise in outer eye distances] of the next frame. */
  step() {
    const tempo = this.tempo.step(this.random.normal());
    this.phase += Math.max(14 * (1 + 0.15 * tempo), 0) / 60 / FPS;
    const breath = 0.5 - 0.5 * Math.cos(2 * Math.PI * this.phase);
    return [-0.25 * breath, 0.006 * breath];
  }
}

const STEERED = FPS; // frames for which the last steering counts
const STEER_SECONDS = 0.08;

/**
 * Where the head's angles come from, cross-faded. A source is "generated", "retained", a list of [yaw, pitch, roll] per
 * frame, or a track {angles, relative, brow, blink}.
 */
export class HeadSources {
  constructor(head, fadeSeconds) {
    this.fadeSeconds = fadeSeconds;
    this.head = head;
    this.sources = [{ head, weight: new LowPass(fadeSeconds, 1), frame: 0 }];
    this.steered = 0;
  }

  switch(head) {
    this.head = head;
    if (!this.steered) this.#fadeTo(head);
  }

  /** Follow [yaw, pitch, roll] given live, for a second after the last time. */
  steer(angles) {
    if (!this.steered) this.#fadeTo({ live: true });
    this.sources.at(-1).head.aim = angles;
    this.steered = STEERED;
  }

  #fadeTo(head) {
    this.sources.push({ head, weight: new LowPass(this.fadeSeconds, 0), frame: 0 });
  }

  /** The next frame's {angles, own, brow, lids, blink}, from the portrait's angles; generated ones are laid on elsewhere. */
  step(base) {
    if (this.steered && --this.steered === 0) this.#fadeTo(this.head);
    const turn = { angles: [0, 0, 0], own: 0, brow: 0, lids: 0, blink: 0 }, last = this.sources.at(-1);
    this.sources = this.sources.filter((source) => {
      const weight = source.weight.step(Number(source === last));
      add(turn, source, weight, base);
      return source === last || weight > 1e-6;
    });
    return turn;
  }
}

function add(turn, source, weight, base) {
  const { head } = source, number = source.frame++;
  const lay = (angles) => angles.forEach((angle, k) => (turn.angles[k] += weight * angle));
  if (head === "generated") turn.own += weight;
  else if (head.live) {
    source.now ??= new LowPasses(STEER_SECONDS, head.aim);
    lay(source.now.step(head.aim).map((angle, k) => angle - base[k]));
  } else if (typeof head !== "string") {
    const track = Array.isArray(head) ? { angles: head, relative: false } : head, last = track.angles.length - 1;
    const period = Math.max(1, 2 * last), place = number % period; // a track is played to and fro, of a list the last holds
    const at = Array.isArray(head) ? Math.min(number, last) : Math.min(place, period - place);
    lay(track.angles[at].map((angle, k) => angle - (track.relative ? 0 : base[k])));
    if (track.brow) turn.brow += weight * track.brow[at];
    if (track.blink) {
      turn.lids += weight;
      turn.blink += weight * track.blink[at];
    }
  }
}
