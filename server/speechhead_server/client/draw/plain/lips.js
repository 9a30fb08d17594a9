/** The lips as two sheets, seen from either side of the lip line, and the thin dark between them. */

import { over } from "../outlines.js";
import { LIPS, SHEETS } from "../tables.js";
import { across, bell, covered, distances, down, GROWN, pictured, Raster, roomy, softly } from "./shapes.js";

const FLAT = 1e-3; // twice the area in pixels of a triangle that is not drawn
const { skin, sheet, edges } = SHEETS;

/** How far a triangle is at least: skin behind all, the edge before a lip behind the lip. */
const BASE = Float64Array.from(SHEETS.triangles, (_, k) =>
  k < skin ? 0.6 : k < skin + edges || (k >= skin + sheet && k < skin + sheet + edges) ? 0 : -0.6);

export class Lips {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    this.size = scene.meta.size;
    this.triangles = Int16Array.from(SHEETS.triangles.flat());
    this.origins = scene.array("lip_vertices").data;
    this.plates = ["lip_upper", "lip_lower"].map((name) => pictured(scene.array(name), 1, 255, Uint8Array));
    this.sheets = [new Raster(), new Raster()];
    this.affine = new Float64Array(2 * this.triangles.length);
    this.made = new Uint8Array(BASE.length);
    [this.one, this.other] = [0, 1].map(() => new Float64Array(3));
  }

  /** Lay the lips into a frame. @param number numbers of the frame by name @param box its pixels that they may change */
  draw(number, [x0, y0, x1, y1], frame) {
    const told = number("lips"), [shown, , opening, fade, there] = told, width = x1 - x0, height = y1 - y0;
    if (!(there > 0) || width < 2 || height < 2) return;
    const box = [x0, y0, width, height], all = width * height, { size, one, other } = this, tone = number("lip_tone");
    this.#measure(number, box, fade, opening);
    this.driving = number("lip_driving");
    this.limit = [told[5], told[6]];
    this.made.fill(0);
    this.sheets.forEach((raster, part) => this.#sheet(raster, part, box));
    const dark = shown > 0 && this.#dark(number, box), { gap, above } = this;
    for (let k = 0; k < all; k++) {
      const share = Math.min(0.5 + (opening + GROWN - gap[k]) / fade, 1);
      if (share <= 0) continue;
      const x = k % width, y = (k / width) | 0, upper = this.#seen(0, x, y, k), lower = this.#seen(1, x, y, k);
      let part = softly(above[k], LIPS.finer);
      if (!(part >= 0.5 ? upper : lower)) continue;
      if (!upper || !lower) part = upper ? 1 : 0;
      if (part > 0) this.#colour(0, upper - 1, x0 + x, y0 + y, one);
      if (part < 1) this.#colour(1, lower - 1, x0 + x, y0 + y, other);
      const at = 4 * ((y0 + y) * size + x0 + x), shade = dark ? shown * dark[k] : 0;
      for (let c = 0; c < 3; c++) {
        let mixed = part === 1 ? one[c] : part === 0 ? other[c] : other[c] + part * (one[c] - other[c]);
        if (tone[c] < mixed) mixed += shade * (tone[c] - mixed);
        frame[at + c] += share * (mixed - frame[at + c]);
      }
    }
  }

  /** How far pixels are from the lips' outline and from their line. */
  #measure(number, box, fade, opening) {
    const all = box[2] * box[3], ends = opening + GROWN;
    this.gap = roomy(this.gap, all);
    this.above = roomy(this.above, all);
    distances(this.gap, number("lip_between"), box, ends - fade / 2, ends + fade / 2);
    distances(this.above, over(number("lip_line"), this.size), box, -1, 1);
  }

  #sheet(raster, part, [x0, y0, width, height]) {
    const { triangles, driving } = this, { next } = raster;
    raster.begin(width, height);
    for (let k = 0, end = skin + sheet; k < end; k++) {
      const number = k < skin ? k : k + part * sheet;
      const a = 3 * triangles[3 * number], b = 3 * triangles[3 * number + 1], c = 3 * triangles[3 * number + 2];
      next[0] = driving[a] - x0;
      next[1] = driving[a + 1] - y0;
      next[2] = driving[b] - x0;
      next[3] = driving[b + 1] - y0;
      next[4] = driving[c] - x0;
      next[5] = driving[c + 1] - y0;
      if (Math.abs((next[2] - next[0]) * (next[5] - next[1]) - (next[3] - next[1]) * (next[4] - next[0])) <= FLAT) continue;
      const near = 5e-4 * (driving[a + 2] + driving[b + 2] + driving[c + 2]);
      next[6] = BASE[number] + Math.min(Math.max(near, -0.29), 0.29);
      raster.draw(number);
    }
  }

  /** The triangle that is drawn at a pixel, and 1; between folded ones the nearest around it. */
  #seen(part, x, y, k) {
    const { seen, depth, width, height } = this.sheets[part];
    if (seen[k]) return seen[k];
    let nearest = 2, own = 0;
    for (let j = Math.max(y - 1, 0); j <= Math.min(y + 1, height - 1); j++) {
      for (let i = Math.max(x - 1, 0); i <= Math.min(x + 1, width - 1); i++) {
        const at = j * width + i;
        if (!seen[at] || depth[at] >= nearest) continue;
        nearest = depth[at];
        own = seen[at];
      }
    }
    return own;
  }

  /** The dark between the lips, softly. */
  #dark(number, box) {
    const [, sigma] = number("lips"), all = box[2] * box[3], weights = bell(sigma, Math.ceil(4 * sigma));
    [this.mask, this.soft] = [roomy(this.mask, all), roomy(this.soft, all)];
    covered(this.mask, number("lip_dark"), box);
    across(this.mask, this.soft, box[2], box[3], 1, weights);
    down(this.soft, this.mask, box[2], box[3], 1, weights);
    return this.mask;
  }

  /** Where a triangle is read in its plate, as a map of pixels. */
  #map(number) {
    const { triangles, driving, origins, affine } = this, to = 6 * number;
    const a = triangles[3 * number], b = triangles[3 * number + 1], c = triangles[3 * number + 2];
    const px = driving[3 * a], py = driving[3 * a + 1], ux = driving[3 * b] - px, uy = driving[3 * b + 1] - py;
    const vx = driving[3 * c] - px, vy = driving[3 * c + 1] - py, twice = ux * vy - uy * vx;
    const ox = origins[2 * a], oy = origins[2 * a + 1], sx = origins[2 * b] - ox, sy = origins[2 * b + 1] - oy;
    const tx = origins[2 * c] - ox, ty = origins[2 * c + 1] - oy;
    const behind = number >= skin && (number - skin) % sheet < edges;
    const whole = Math.abs(twice) > LIPS.sliver && (behind || Math.abs(sx * ty - sy * tx) <= LIPS.shrunk * Math.abs(twice));
    for (let axis = 0; axis < 2; axis++) {
      const at = to + 3 * axis, o = axis ? oy : ox, s = axis ? sy : sx, t = axis ? ty : tx;
      affine[at + 1] = whole ? (s * vy - t * uy) / twice : 0;
      affine[at + 2] = whole ? (t * ux - s * vx) / twice : 0;
      affine[at] = whole ? o - affine[at + 1] * px - affine[at + 2] * py : o + (s + t) / 3; // a sliver has one colour
    }
    this.made[number] = 1;
  }

  #colour(part, number, x, y, out) {
    if (!this.made[number]) this.#map(number);
    const { affine, limit } = this, { width, height, data } = this.plates[part], at = 6 * number;
    const u = affine[at] + affine[at + 1] * x + affine[at + 2] * y, v = affine[at + 3] + affine[at + 4] * x + affine[at + 5] * y;
    const px = u < 0 ? 0 : u > limit[0] ? limit[0] : u, py = v < 0 ? 0 : v > limit[1] ? limit[1] : v;
    const left = px | 0, top = py | 0, fx = px - left, fy = py - top, k = 4 * (top * width + left);
    const right = left + 1 < width ? 4 : 0, low = top + 1 < height ? 4 * width : 0;
    for (let c = 0; c < 3; c++) {
      const a = data[k + c] + fx * (data[k + right + c] - data[k + c]);
      const b = data[k + low + c] + fx * (data[k + low + right + c] - data[k + low + c]);
      out[c] = a + fy * (b - a);
    }
  }
}
