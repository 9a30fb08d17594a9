/** Where each place of a coarse field is read in the portrait: a face by its mesh, before all that is around it. */

import { halves } from "../outlines.js";
import { MESH as FACE, RELIEF } from "../tables.js";
import { Surroundings } from "./around.js";
import { Raster, softly, stretched } from "./shapes.js";

export const SIDE = FACE.resolution;
const RINGS = FACE.rings / 2; // triangles of the ring next to the face; the outer one stands still
const FIRST = RINGS + FACE.holes;
const MARGIN = 8; // places around a face's outline that are drawn
const FAR = 4; // places from it that are told apart
const NEAR = 2.5, JUMP = 1 / SIDE; // places beside it, and [-1, 1] of the crop between flows that are apart there: half a place, as in far_edge.py

/** Pairs of what lies around a place in a row of `SIDE`. */
const OPPOSITE = [1, SIDE - 1, SIDE, SIDE + 1], NINE = [0, ...OPPOSITE, ...OPPOSITE.map((step) => -step)];

export class Flow {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    const planes = () => [0, 1].map(() => new Float32Array(SIDE * SIDE));
    this.triangles = Int16Array.from(FACE.triangles.slice(RINGS).flat());
    this.origins = scene.array("vertices").data;
    this.surroundings = new Surroundings(scene);
    this.raster = new Raster();
    this.affine = new Float64Array((6 * this.triangles.length) / 3);
    [this.own, this.face, this.rest, this.moves] = [0, 1, 2, 3].map(planes); // own: before single places between triangles are filled
    this.known = new Uint8Array(SIDE * SIDE);
    /** Places from the face's outline, negative within. */
    this.away = new Float32Array(SIDE * SIDE);
    this.grid = stretched(RELIEF.resolution, SIDE);
    this.taper = Float32Array.from({ length: SIDE }, (_, k) => (1 - Math.abs((2 * k + 1) / SIDE - 1)) / 0.2);
    this.sorted = new Float64Array(9);
    /** Rows in which the face's flow and that around it are apart at its outline. */
    this.jumps = new Uint8Array(SIDE);
    /** The farthest that anything is read from its place, [-1, 1] of the crop. */
    this.most = 0;
  }

  /** @param {(name: string) => Float32Array} number numbers of a frame by name */
  draw(number) {
    const { hull, sides, bounds } = halves(number("hull")), last = SIDE - 1;
    const room = [bounds[0] - MARGIN, bounds[1] - MARGIN, bounds[2] + MARGIN, bounds[3] + MARGIN];
    const [left, top, right, bottom] = room.map((edge, k) => Math.min(Math.max(k < 2 ? Math.floor(edge) : Math.ceil(edge), 0), last));
    this.#around(number("around"));
    if (right > left && bottom > top) this.#draw(number("vertices"), [left, top, right, bottom]);
    this.#measure(hull, sides, bounds);
    this.#join([left, top, right, bottom]);
  }

  /** What is around, at twice as many places a side. */
  #around(moves) {
    this.surroundings.draw(moves);
    const { before, part } = this.grid, { x, y } = this.surroundings, [rx, ry] = this.rest, count = RELIEF.resolution;
    for (let row = 0, k = 0; row < SIDE; row++) {
      const one = before[row] * count, other = Math.min(before[row] + 1, count - 1) * count, fy = part[row];
      for (let column = 0; column < SIDE; column++, k++) {
        const a = before[column], b = a + 1 < count ? a + 1 : a, fx = part[column];
        const upper = x[one + a] + fx * (x[one + b] - x[one + a]), lower = x[other + a] + fx * (x[other + b] - x[other + a]);
        const up = y[one + a] + fx * (y[one + b] - y[one + a]), low = y[other + a] + fx * (y[other + b] - y[other + a]);
        rx[k] = upper + fy * (lower - upper);
        ry[k] = up + fy * (low - up);
      }
    }
  }

  /** The face's places of a box, by the triangles that lie on them. */
  #draw(vertices, box) {
    this.#triangles(vertices, box);
    const [left, top, right, bottom] = box, { seen, width } = this.raster, { affine, own: [x, y] } = this;
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const k = row * SIDE + column, number = seen[(row - top) * width + column - left];
        const at = 6 * (number - 1), u = (2 * column + 1) / SIDE - 1, v = (2 * row + 1) / SIDE - 1;
        x[k] = number ? affine[at] + affine[at + 1] * u + affine[at + 2] * v - u : 0;
        y[k] = number ? affine[at + 3] + affine[at + 4] * u + affine[at + 5] * v - v : 0;
      }
    }
    this.#fill(box);
    this.#grow(box);
  }

  #triangles(vertices, [left, top, right, bottom]) {
    const { raster, raster: { next }, triangles, origins, affine } = this, half = SIDE / 2;
    raster.begin(right - left + 1, bottom - top + 1);
    for (let number = 0, at = 0; at < triangles.length; number++, at += 3) {
      const a = 3 * triangles[at], b = 3 * triangles[at + 1], c = 3 * triangles[at + 2];
      const px = vertices[a], py = vertices[a + 1], ux = vertices[b] - px, uy = vertices[b + 1] - py, vx = vertices[c] - px, vy = vertices[c + 1] - py;
      const twice = ux * vy - uy * vx;
      if (number >= RINGS && number < FIRST ? twice <= 2e-5 : Math.abs(twice) <= 1e-7) continue; // where lips or lids have met, nothing shows
      const sum = 0.1 * (vertices[a + 2] + vertices[b + 2] + vertices[c + 2]);
      const far = number < RINGS ? 0.98 : number < FIRST ? 0.95 : Math.min(Math.max(sum, -0.9), 0.9);
      for (let axis = 0; axis < 2; axis++) {
        const o = origins[a + axis], s = origins[b + axis] - o, t = origins[c + axis] - o, to = 6 * number + 3 * axis;
        affine[to + 1] = (s * vy - t * uy) / twice;
        affine[to + 2] = (t * ux - s * vx) / twice;
        affine[to] = o - affine[to + 1] * px - affine[to + 2] * py;
      }
      const x = (px + 1) * half - 0.5 - left, y = (py + 1) * half - 0.5 - top;
      next[0] = x;
      next[1] = y;
      next[2] = x + half * ux;
      next[3] = y + half * uy;
      next[4] = x + half * vx;
      next[5] = y + half * vy;
      next[6] = far;
      raster.draw(number);
    }
  }

  /** Single places between folded triangles belong to none; the median takes the flow around them. */
  #fill([left, top, right, bottom]) {
    const { raster: { seen, width }, own, face, known, sorted } = this;
    for (let row = top + 1; row < bottom; row++) {
      for (let column = left + 1; column < right; column++) {
        const k = row * SIDE + column, at = (row - top) * width + column - left;
        let count = 0;
        for (let j = -width; j <= width; j += width) count += (seen[at + j - 1] > RINGS) + (seen[at + j] > RINGS) + (seen[at + j + 1] > RINGS);
        known[k] = count >= FACE.neighbours ? 1 : 0;
        for (let axis = 0; axis < 2; axis++) face[axis][k] = median(own[axis], k, sorted);
      }
    }
    for (const map of [known, ...face]) {
      for (let row = top; row <= bottom; row++) map[row * SIDE + left] = map[row * SIDE + right] = 0;
      for (const row of [top, bottom]) map.fill(0, row * SIDE + left, row * SIDE + right + 1);
    }
  }

  /** A face's flow a little beyond where it is known, and then that of what is around it. */
  #grow([left, top, right, bottom]) {
    const [x, y] = this.face, { known, rest: [rx, ry] } = this;
    for (let row = top + 3; row <= bottom - 3; row++) {
      for (let column = left + 3; column <= right - 3; column++) {
        const k = row * SIDE + column;
        if (known[k]) continue;
        let sx = 0, sy = 0, count = 0;
        for (let j = k - 2 * SIDE; j <= k + 2 * SIDE; j += SIDE) {
          for (let i = j - 2; i <= j + 2; i++) {
            if (!known[i]) continue;
            sx += x[i];
            sy += y[i];
            count++;
          }
        }
        x[k] = count ? sx / count : rx[k];
        y[k] = count ? sy / count : ry[k];
      }
    }
  }

  /** How far places are from the face's outline; most are passed over, as nothing is nearer than a place before, less one. */
  #measure(hull, sides, [left, top, right, bottom]) {
    const { away } = this, last = Math.min(Math.floor(right), SIDE - 1);
    away.fill(FAR);
    for (let row = Math.max(Math.ceil(top), 0), low = Math.min(bottom, SIDE - 1); row <= low; row++) {
      for (let column = Math.max(Math.ceil(left), 0); column <= last; ) {
        let far = -SIDE;
        for (let i = 0; i < 3 * sides; i += 3) {
          const out = hull[i] * column + hull[i + 1] * row + hull[i + 2];
          if (out > far) far = out;
        }
        const more = Math.max(Math.ceil(Math.abs(far) - FAR), 1), end = Math.min(column + more, last + 1);
        away.fill(Math.min(Math.max(far, -FAR), FAR), row * SIDE + column, row * SIDE + end);
        column = end;
      }
    }
  }

  /** Both as one flow, which falls to nothing at the crop's border. */
  #join([left, top, right, bottom]) {
    const { taper, away, jumps, rest: [rx, ry], face: [fx, fy], moves: [x, y] } = this;
    let most = 0;
    jumps.fill(0);
    for (let row = 0, k = 0; row < SIDE; row++) {
      const inside = row >= top && row <= bottom;
      for (let column = 0; column < SIDE; column++, k++) {
        const edge = Math.min(taper[row], taper[column], 1), share = edge * edge * (3 - 2 * edge);
        x[k] = rx[k] *= share;
        y[k] = ry[k] *= share;
        if (inside && column >= left && column <= right) {
          const cover = softly(away[k]);
          fx[k] *= share;
          fy[k] *= share;
          const across = fx[k] - rx[k], down = fy[k] - ry[k];
          x[k] += cover * across;
          y[k] += cover * down;
          if (Math.abs(away[k]) < NEAR && Math.max(Math.abs(across), Math.abs(down)) > JUMP) jumps[row] = 1;
        }
        most = Math.max(most, Math.abs(x[k]), Math.abs(y[k]), Math.abs(rx[k]), Math.abs(ry[k]));
      }
    }
    this.most = most;
  }
}

/** The median of a place and the eight around it. */
function median(map, k, sorted) {
  const own = map[k];
  let even = true;
  for (let i = 0; i < 4 && even; i++) even = (map[k + OPPOSITE[i]] - own) * (map[k - OPPOSITE[i]] - own) <= 0;
  if (even) return own; // as many above it as below
  for (let i = 0; i < 9; i++) {
    const value = map[k + NINE[i]];
    let at = i;
    for (; at > 0 && sorted[at - 1] > value; at--) sorted[at] = sorted[at - 1];
    sorted[at] = value;
  }
  return sorted[4];
}
