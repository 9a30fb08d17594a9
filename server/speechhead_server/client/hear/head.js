// The head: its pose about the neck, nods and breath, how far it may go, and where its motion comes from.

import { FPS, LowPass, LowPasses, Noise, clip, softStop } from "./clocks.js";
import { Random } from "./random.js";

export const EASY = [10, 8, 8], EASY_ROOM = [4, 3, 3];
const SEEN = [0.8, 0.75, 1];
const PLACE_ENDS = [0.35, 0.25, 0.2], PLACE_ROOM = [0.12, 0.08, 0.1]; // of the neck's way, and of the log of the size
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

/** Of one frame, at most: by how much numbers change, and by how much that changes: see Python's motion/pace.py. */
export const TURNS = { quickest: [4.1, 2.5, 1.6], sudden: [1.8, 1.35, 0.65] };
export const PLACES = { quickest: [0.051, 0.045, 0.0141], sudden: [0.027, 0.038, 0.0123] };
export const RISES = { quickest: [0.0188, 0.0188], sudden: [0.0163, 0.0163] };
const FAR = 1e6;

/** Speed a frame at which motion still stops within `way`, of either sign, when it loses `lost` a frame. */
function brake(way, lost) {
  const far = Math.abs(way), frames = Math.max(Math.ceil(0.5 * (Math.sqrt(1 + (8 * far) / lost) - 1)), 1);
  return Math.sign(way) * (far / frames + 0.5 * lost * (frames - 1));
}

/** Follows numbers, bit for bit where they are no quicker than people's; else it lags, and catches up. */
export class MotionPace {
  /** @param {typeof TURNS} limits */
  constructor(limits) {
    this.limits = limits;
    this.at = this.given = null;
    this.speed = limits.sudden.map(() => 0);
    this.givenSpeed = this.speed;
  }

  /**
   * The next frame's numbers [n], for those that are asked; low <= asked <= high.
   * @param {number[] | null} given from elsewhere, with which they are mixed, theirs being the weight `own`
   */
  step(asked, low, high, given = null, own = 1) {
    const moves = this.#elsewhere(given), others = given ? 1 - own : 0;
    const mixed = given ? asked.map((value, k) => own * value + others * given[k]) : asked;
    if (!this.at) this.at = this.asked = mixed;
    const { at, asked: last, speed } = this;
    this.speed = mixed.map((value, k) => {
      const quickest = this.limits.quickest[k] + others * moves[k][0], sudden = this.limits.sudden[k] + others * moves[k][1];
      const wanted = value - last[k] + brake(last[k] - at[k], sudden);
      const between = [low[k] - others * FAR, high[k] + others * FAR].map((end) => brake(end - at[k], sudden));
      return clip(clip(clip(wanted, ...between), -quickest, quickest), speed[k] - sudden, speed[k] + sudden);
    });
    this.at = mixed.map((value, k) => (Math.abs(at[k] + this.speed[k] - value) < 1e-9 ? value : at[k] + this.speed[k]));
    this.asked = mixed;
    return [...this.at];
  }

  /** By how much what is given moves in this frame, and by how much that changes, of each number. */
  #elsewhere(given) {
    const speed = this.speed.map((_, k) => (given && this.given ? given[k] - this.given[k] : 0));
    const moves = speed.map((value, k) => [Math.abs(value), Math.abs(value - this.givenSpeed[k])]);
    [this.given, this.givenSpeed] = [given, speed];
    return moves;
  }
}

/** The turn [3] to draw: a generated one [3] and what is added to it, at a pace, mixed with what is given. */
export function pacedTurn(pace, head, generated, aside, turn, own) {
  const shown = (angles) => angles.map((angle, k) => (head * angle) / SEEN[k]), [from, to] = ends(own);
  const asked = heldTurn(shown(generated.map((angle, k) => angle + aside[k])), own);
  const [low, high] = [-1, 1].map((side) => {
    const end = shown(EASY.map((easy, k) => side * (easy + EASY_ROOM[k]) + aside[k]));
    return end.map((angle, k) => softStop(angle, from[k], to[k], ROOM[k]));
  });
  const others = 1 - turn.own;
  const given = others > 1e-6 ? heldTurn(shown(turn.angles.map((angle) => angle / others)), own) : null;
  return pace.step(asked, low.map((end, k) => Math.min(end, asked[k])), high.map((end, k) => Math.max(end, asked[k])), given, turn.own);
}

/** The neck's way [2] and growth to draw at a pace, as far as they hold, for those that are generated [3]. */
export function pacedPlace(pace, places) {
  const asked = places.map((value, k) => softStop(value, -PLACE_ENDS[k], PLACE_ENDS[k], PLACE_ROOM[k]));
  const far = PLACE_ENDS.map((end, k) => end + PLACE_ROOM[k]);
  return pace.step(asked, far.map((end) => -end), far);
}

const HIGHEST = 0.045, LOWEST = 0.05, BROW_ROOM = 0.02, LEAST_RISE = 0.012;

/** By how much an expression [70 x 3] raises the brows at the left and the right of the image. */
export const risesOf = (expression) =>
  [17, 22].map((brow) => -[0, 1, 2, 3, 4].reduce((sum, k) => sum + expression[3 * (brow + k) + 1], 0) / 5);

/** Rises [2] of brows that move by themselves, at a pace, where an emotion raises them by `felt` [2]. */
export function pacedBrows(pace, rises, felt) {
  const low = felt.map((rise) => -Math.max(LOWEST + rise, LEAST_RISE)), high = felt.map((rise) => Math.max(HIGHEST - rise, LEAST_RISE));
  const asked = rises.map((rise, k) => softStop(rise, low[k], high[k], BROW_ROOM));
  return pace.step(asked, low.map((end) => end - BROW_ROOM), high.map((end) => end + BROW_ROOM));
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
