/** Eyeballs that look aside and lids that close, as `compact.eyes` and `eyeball` place them. */

import { leftOver } from "./driving.js";
import { Numbers } from "./numbers.js";
import { after, even, fitted, inverse, smooth } from "./space.js";
import { BALL, EYES, MESH } from "./tables.js";

const WIDTHS = 64; // steps in which the places for an eye's columns grow
const LOOP = 16;
const LAST = 8; // place of the second corner in a loop
const EYEBALL = 0.14; // see `motion.gaze`

/** The box of a frame's pixels in which a layer lies; null where it is out of the frame. */
function box(matrix, width, height, size) {
  const back = inverse(matrix);
  const ends = [[0, 0], [width, 0], [width, height], [0, height]];
  const [across, down] = [0, 3].map((row) => ends.map(([x, y]) => back[row] * x + back[row + 1] * y + back[row + 2]));
  const low = [across, down].map((part) => Math.max(Math.floor(Math.min(...part)), 0));
  const high = [across, down].map((part) => Math.min(Math.ceil(Math.max(...part)) + 1, size));
  return high[0] - low[0] < 2 || high[1] - low[1] < 2 ? null : [...low, ...high];
}

/** Rows of one edge of an eye, smooth, of the places of a loop in order along it. */
function edge(points, order, width, rows, out) {
  const [x, y] = [[], []];
  order.forEach((point, i) => {
    x.push(Math.max(i ? x[i - 1] : -Infinity, points[2 * point] + i * 1e-3));
    y.push(points[2 * point + 1]);
  });
  const last = x.length - 1;
  for (let column = 0, k = 0; column < width; column++) {
    while (k < last && x[k + 1] <= column) k++;
    if (column <= x[0]) rows[column] = y[0];
    else if (k === last) rows[column] = y[last];
    else rows[column] = y[k] + ((column - x[k]) / (x[k + 1] - x[k])) * (y[k + 1] - y[k]);
  }
  const half = Math.max(1, even(0.06 * (x[last] - x[0])));
  const end = width - 1;
  const at = (i) => (i < 0 ? 2 * rows[0] - rows[-i] : i > end ? 2 * rows[end] - rows[2 * end - i] : rows[i]); // its slope goes on
  let sum = 0;
  for (let i = -half; i <= half; i++) sum += at(i);
  for (let column = 0; column < width; column++) {
    out[column] = sum / (2 * half + 1);
    sum += at(column + half + 1) - at(column - half);
  }
}

const UPPER = Array.from({ length: LAST + 1 }, (_, i) => i);
const LOWER = Array.from({ length: LAST + 1 }, (_, i) => (LOOP - i) % LOOP);

/** One eye's layers. */
class Eye {
  /** @param {import("./held.js").Held} held @param {number} side 0 or 1 */
  constructor(held, side) {
    this.size = held.size;
    this.told = held.told.lids[side];
    this.loop = MESH.loops[side];
    this.iris = MESH.irises[side];
    for (const name of ["points", "matrix", "upper", "lower", "sag", "line", "dark", "home"]) this[name] = held.array(`lid${side}_${name}`);
    const long = held.size + ((WIDTHS - (held.size % WIDTHS)) % WIDTHS);
    this.rows = new Float32Array(long);
    this.cover = new Numbers([["to", [2, 3]], ["share", [1]], ["upper", [long]], ["lower", [long]], ["line", [long]], ["lid", [5]], ["dark", [3]]]);
    this.cover.number("line").set(this.line);
    this.cover.number("dark").set(this.dark);
    if (!this.told.ball) return;
    this.corner = held.array(`lid${side}_ball_corner`);
    this.centre = held.array(`lid${side}_ball_centre`);
    this.ball = new Numbers([
      ["to", [2, 3]], ["share", [1]], ["turn", [2, 3]], ["glint_moved", [2]], ["upper", [long]], ["lower", [long]], ["ball", [3]],
    ]);
  }

  /** The loop and what follows it, of a mesh in pixels, two numbers each. */
  #seen(mesh) {
    return [...this.loop, this.iris].flatMap((vertex) => [mesh[3 * vertex], mesh[3 * vertex + 1]]);
  }

  /** The eyeball behind lids that have closed by `part`; null of one that does not look aside. */
  aside(part, { keypoints, mesh, head }) {
    if (!this.ball || part >= EYES.shut) return null;
    const moves = [0, 1].map((axis) => keypoints[3 * this.iris + axis] - this.home[3 * LOOP + axis]);
    const far = Math.hypot(...moves);
    if (far <= BALL.turned[0]) return null;
    const home = head.pixels(this.home, new Float32Array(this.home.length));
    const still = Array.from({ length: 2 * (LOOP + 1) }, (_, i) => home[3 * (i >> 1) + (i & 1)]);
    const to = after(fitted(still, this.points, LOOP), this.matrix);
    const seen = this.#seen(mesh);
    const [a, b, c, d, e, f] = to;
    const points = seen.map((_, i) => (i & 1 ? d * seen[i - 1] + e * seen[i] + f : a * seen[i] + b * seen[i + 1] + c));
    const [x, y] = still.slice(2 * LOOP);
    const moved = [points[2 * LOOP] - (a * x + b * y + c), points[2 * LOOP + 1] - (d * x + e * y + f)];
    to[2] -= this.corner[0];
    to[5] -= this.corner[1];
    const { width, height } = this.told.ball;
    const where = box(to, width, height, this.size);
    if (!where) return null;
    this.#look(points.map((place, i) => place - this.corner[i & 1]), moved);
    this.ball.number("to").set(to);
    this.ball.number("share")[0] = smooth(far, ...BALL.turned);
    return { numbers: this.ball.numbers, number: (name) => this.ball.number(name), box: where };
  }

  /** Its edges, and where its iris has gone, see `Eyeball.layer`. */
  #look(points, moved) {
    const [{ unit, soft, width }, out] = [this.told.ball, this.ball];
    const [upper, lower] = [out.number("upper"), out.number("lower")];
    edge(points, UPPER, width, this.rows, upper);
    edge(points, LOWER, width, this.rows, lower);
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const [one, other] = [upper[i], lower[i]];
      upper[i] = Math.min(one, other);
      lower[i] = Math.max(one, other);
      sum += upper[i];
    }
    out.number("turn").set(inverse(this.#turn(moved, unit)));
    out.number("glint_moved").set(moved.map((way) => BALL.glint * way));
    out.number("ball").set([sum / width, unit, Math.max(soft, 1) + 0.004 * unit]);
  }

  #turn(moved, unit) {
    const far = Math.hypot(...moved);
    const [x, y] = moved.map((way) => way / Math.max(far, 1e-6));
    const less = 1 - Math.sqrt(Math.max(1 - (far / (EYEBALL * unit)) ** 2, 0.5));
    const [a, b, d] = [1 - less * x * x, -less * x * y, 1 - less * y * y];
    const [cx, cy] = this.centre;
    return [a, b, cx + moved[0] - a * cx - b * cy, b, d, cy + moved[1] - b * cx - d * cy];
  }

  /** The lid of whose closure `part` is left over; null of one that is open. */
  closing(part, { mesh }) {
    if (part <= 0) return null;
    const shut = part + EYES.haste * part * (1 - part);
    const to = after(fitted(this.#seen(mesh), this.points, LOOP), this.matrix);
    const { width, height, soft, breadth, unit } = this.told;
    const where = box(to, width, height, this.size);
    if (!where) return null;
    const [out, late] = [this.cover, smooth(shut, EYES.late, 1)];
    const [upper, lower] = [out.number("upper"), out.number("lower")];
    for (let i = 0; i < width; i++) {
      const gap = this.lower[i] - this.upper[i];
      upper[i] = this.upper[i] + shut * (1 - EYES.seam) * gap + late * this.sag[i];
      lower[i] = this.lower[i] - late * (EYES.seam * gap - this.sag[i]);
    }
    out.number("to").set(to);
    out.number("share")[0] = smooth(shut, 0, EYES.taken);
    out.number("lid").set([shut, late, soft, breadth, unit]);
    return { numbers: out.numbers, number: (name) => out.number(name), box: where };
  }
}

export class Lids {
  /** @param {import("./held.js").Held} held */
  constructor(held) {
    this.eyes = held.told.lids.map((lid, side) => lid && new Eye(held, side));
  }

  /** The eyeballs of a frame that look aside and its lids that close, null for the others. @param {import("./moment.js").Driven} driven */
  of(driven) {
    const parts = driven.closures.map((closure) => leftOver(closure));
    return {
      balls: this.eyes.map((eye, side) => eye && eye.aside(parts[side], driven)),
      lids: this.eyes.map((eye, side) => eye && eye.closing(parts[side], driven)),
    };
  }
}
