/** How the inside of a mouth stands and is lit, as `compact.teeth`, `jaw` and `habit` tell it. */

import { even, held, mean, smooth } from "./space.js";
import { ARCHES, CAVITY, HABIT, JAW, MESH } from "./tables.js";

const LEAST = 4; // pixels of a box that is drawn
const NOWHERE = [0, 0, 1, 1];
const [UPPER, LOWER] = [MESH.upperMiddle, MESH.lowerMiddle];

export class Mouth {
  /** @param {import("./held.js").Held} held of the portrait */
  constructor(held) {
    this.held = held;
    this.told = held.told.inside;
    this.rest = held.array("rest");
    this.seam = [0, 1, 2].map((axis) => mean(this.rest, [...UPPER, ...LOWER], axis));
    this.measured = new Float64Array(HABIT.mean.length);
    this.more = new Float64Array(HABIT.tells[0].length);
  }

  /**
   * @param {import("./moment.js").Driven} driven @param {import("./numbers.js").Numbers} out
   * @returns {number[]} the box
   */
  write({ face, outline, head }, out) {
    const [told, held] = [this.told, this.held];
    const line = out.number("in_outline");
    for (let i = 0; 2 * i < line.length; i++) for (let axis = 0; axis < 2; axis++) line[2 * i + axis] = outline[3 * i + axis];
    const box = this.#box(line, head.scale);
    const gap = mean(face, LOWER, 1) - mean(face, UPPER, 1);
    out.number("in_soft")[0] = told.soft * head.scale;
    out.number("in_shown")[0] = box ? smooth(gap, ...ARCHES.apart) : 0;
    out.number("in_shade")[0] = 2 * even((CAVITY.shade * head.scale) / 2) + 1;
    this.#stand(face, head, out);
    const breadth = face[3 * 64] - face[3 * 60] - (this.rest[3 * 64] - this.rest[3 * 60]);
    out.number("in_wide")[0] = Math.min(Math.max(1 + CAVITY.rounded * breadth, CAVITY.dimmest), 1);
    const t = head.turn;
    out.number("in_matrix").set(t);
    const scale = 1 / (t[0] * t[4] - t[1] * t[3]);
    out.number("in_inverse").set([t[4] * scale, -t[1] * scale, -t[3] * scale, t[0] * scale]);
    for (const row of ["lower_row", "upper_row"]) out.number(`in_${row}`).set([...held.array(row), told.unit]);
    for (const name of ["skin", "white"]) out.number(`in_${name}`).set(held.array(name));
    out.number("in_most").set((told.hue ?? [1, 1, 1]).map((part) => part * told.most));
    out.number("in_grey")[0] = told.grey;
    return box ?? NOWHERE;
  }

  /** Pixels around the opening and its shade; null where it is out of the frame. */
  #box(line, scale) {
    const margin = even(CAVITY.shade * scale) + 2;
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < line.length; i += 2) {
      left = Math.min(left, line[i]);
      right = Math.max(right, line[i]);
      top = Math.min(top, line[i + 1]);
      bottom = Math.max(bottom, line[i + 1]);
    }
    const low = [left, top].map((edge) => Math.max(Math.floor(edge) - margin, 0));
    const high = [right, bottom].map((edge) => Math.min(Math.ceil(edge) + margin, this.held.size));
    return high[0] - low[0] < LEAST || high[1] - low[1] < LEAST ? null : [...low, ...high];
  }

  /** Where the edges of the rows are, and the light on them and on the tongue, see `Inside.now`. */
  #stand(face, head, out) {
    const [told, seam] = [this.told, this.seam];
    const [upper, lower, tongue, jaw, bite] = this.#habit(face);
    const lip = mean(face, LOWER, 1) - seam[1];
    const down = Math.max(told.jaw_share * this.#dropped(face) + jaw, 0);
    const heights = {
      lower: ARCHES.lower_bite + Math.max(down, lip - ARCHES.lower_bite - ARCHES.bared),
      upper: told.bite + bite,
      middle: 0,
    };
    for (const [name, height] of Object.entries(heights)) {
      const place = out.number(`in_${name}`);
      for (let axis = 0; axis < 3; axis++) place[axis] = head.pixel(axis, seam[0], seam[1] + height, seam[2] + ARCHES.behind);
    }
    out.number("in_even").set([Math.exp(lower), Math.exp(upper)]);
    out.number("in_tongue")[0] = Math.exp(tongue);
  }

  #moved(face, points, axis = 1) {
    return mean(face, points, axis) - mean(this.rest, points, axis);
  }

  /** How far the lower teeth stand below where they are with the mouth closed, see `jaw.dropped`. */
  #dropped(face) {
    const [chin, lip] = [this.#moved(face, JAW.chin_points), this.#moved(face, LOWER)];
    const jaw = JAW.chin * Math.max(chin - JAW.slack, 0) + JAW.lip * lip;
    return Math.min(Math.max(jaw, 0), Math.max(JAW.most * lip, 0));
  }

  /** How the mouth differs from the rules in a moment: light on the rows and the tongue, jaw and bite, see `Habit.now`. */
  #habit(face) {
    const [own, more, at] = [this.told.habit, this.more, this.measured];
    more.fill(0);
    if (!own) return more;
    const moved = (points) => this.#moved(face, points);
    at[0] = moved(UPPER);
    at[1] = moved(LOWER);
    at[2] = moved(JAW.chin_points);
    at[3] = moved(HABIT.ends);
    at[4] = this.#moved(face, HABIT.ends.slice(1), 0) - this.#moved(face, HABIT.ends.slice(0, 1), 0);
    at[5] = mean(face, LOWER, 1) - mean(face, UPPER, 1);
    at[6] = at[0] - moved(HABIT.upper_edge);
    at[7] = moved(HABIT.lower_edge) - at[1];
    for (let i = 0; i < at.length; i++) {
      const away = held((at[i] - HABIT.mean[i]) / HABIT.spread[i], -HABIT.far, HABIT.far);
      for (let k = 0; k < more.length; k++) more[k] += away * HABIT.tells[i][k];
    }
    for (let k = 0; k < more.length; k++) more[k] = k < 2 ? held(own[k] + more[k], ...HABIT.light) : own[k] + more[k];
    return more;
  }
}
