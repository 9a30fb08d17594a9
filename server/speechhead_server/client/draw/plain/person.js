/** The person read through a flow before the background, and what changes all of a picture: a smile's folds, the room's light. */

import { MESH, RELIEF, ROOM } from "../tables.js";
import { between, softly, stretched } from "./shapes.js";
import { SIDE } from "./flow.js";

const BAND = 1.5; // places on each side of a face's outline that are drawn finely
const STRIP = 16; // rows whose ends are looked for together
const LEVELS = 16, WHOLE = 4096, HALF = 1 << 19; // parts of a level of a colour, and of all cover, that samples are stored in
const BITS = 8, PLACES = 1 << BITS, ALL = PLACES * PLACES; // parts of a sample that places are told apart by, and weights of four together

/** The person's layer [n, 4] in whole numbers. */
function stored(data) {
  const out = new Int16Array(data.length);
  for (let k = 0; k < data.length; k += 4) {
    for (let c = 0; c < 3; c++) out[k + c] = Math.round(data[k + c] * LEVELS);
    out[k + 3] = Math.round(data[k + 3] * WHOLE);
  }
  return out;
}

/** Samples of which nothing behind shows, nor between them and the next ones. */
function solid(samples, tall) {
  const out = new Uint8Array(tall * tall), whole = (k) => samples[4 * k + 3] === WHOLE;
  for (let k = 0; k < tall * (tall - 1) - 1; k++) out[k] = whole(k) && whole(k + 1) && whole(k + tall) && whole(k + tall + 1) ? 1 : 0;
  return out;
}

export class Person {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    const { size } = scene.meta, { shape: [tall], data } = scene.array("person"), behind = scene.array("background").data;
    Object.assign(this, { size, tall, density: tall / size, grid: stretched(SIDE, size) });
    this.samples = stored(data);
    this.solid = solid(this.samples, tall);
    this.behind = new Uint8ClampedArray(4 * size * size).fill(255);
    for (let k = 0; k < size * size; k++) for (let c = 0; c < 3; c++) this.behind[4 * k + c] = behind[3 * k + c];
    this.#ends();
    this.line = new Float32Array(3 * (SIDE + 1));
    [this.one, this.other] = [0, 1].map(() => new Int32Array(4));
    this.fine = new Float64Array(5); // of an edge: the flow of the face and of what is around it, and how far away it is
  }

  /** First pixel of each row that has anything of the person, and the one after the last. */
  #ends() {
    const { size, tall, density, samples } = this;
    [this.first, this.last] = [new Int16Array(size).fill(size), new Int16Array(size)];
    for (let y = 0, k = 0; y < tall; y++) {
      const row = Math.floor(y / density);
      for (let x = 0; x < tall; x++, k += 4) {
        if (!(samples[k] || samples[k + 1] || samples[k + 2] || samples[k + 3])) continue;
        this.first[row] = Math.min(this.first[row], Math.floor(x / density));
        this.last[row] = Math.max(this.last[row], Math.floor(x / density) + 1);
      }
    }
  }

  /** @param {import("./flow.js").Flow} flow @param {Uint8ClampedArray} frame pixels [S, S, 4] */
  draw(flow, frame) {
    const { size, behind } = this, reach = Math.ceil((flow.most * size) / 2) + 2;
    frame.set(behind);
    for (let top = 0; top < size; top += STRIP) {
      let left = size, right = 0;
      for (let y = Math.max(top - reach, 0), end = Math.min(top + STRIP + reach, size); y < end; y++) {
        left = Math.min(left, this.first[y]);
        right = Math.max(right, this.last[y]);
      }
      if (left >= right) continue;
      const ends = [Math.max(left - reach, 0), Math.min(right + reach, size)];
      for (let y = top; y < Math.min(top + STRIP, size); y++) this.#row(flow, frame, y, ...ends);
    }
  }

  /** The flow in a row of pixels from `left` to `right`: x, y and how far away the face's outline is, in turn. @returns {boolean} whether that is near, and a jump of the flow */
  #flow({ moves: [x, y], away, jumps }, row, left, right) {
    const { line, grid } = this, one = grid.before[row] * SIDE, other = Math.min(grid.before[row] + 1, SIDE - 1) * SIDE, part = grid.part[row];
    const apart = jumps.subarray(Math.max(grid.before[row] - 1, 0), grid.before[row] + 3).includes(1), end = Math.min(grid.before[right - 1] + 2, SIDE);
    let near = false;
    for (let i = grid.before[left]; i < end; i++) {
      line[3 * i] = x[one + i] + part * (x[other + i] - x[one + i]);
      line[3 * i + 1] = y[one + i] + part * (y[other + i] - y[one + i]);
      if (!apart) continue;
      const far = (line[3 * i + 2] = away[one + i] + part * (away[other + i] - away[one + i]));
      if (far < BAND) near = true;
    }
    if (end === SIDE) for (let i = 0; i < 3; i++) line[3 * SIDE + i] = line[3 * SIDE - 3 + i];
    return near;
  }

  #row(flow, frame, y, left, right) {
    const near = this.#flow(flow, y, left, right), { line, samples, solid, behind, fine, tall, size, density, grid: { before, part } } = this;
    const half = (PLACES * tall) / 2, step = PLACES * density, most = PLACES * (tall - 1), down = y * step + 0.5, long = 4 * tall;
    for (let x = left, k = 4 * (y * size + left); x < right; x++, k += 4) {
      const at = 3 * before[x], share = part[x];
      if (near) {
        const far = line[at + 2] + share * (line[at + 5] - line[at + 2]);
        if (far < BAND && far > -BAND) {
          fine[4] = far;
          this.#edge(flow, frame, x, y);
          continue;
        }
      }
      let px = (x * step + 0.5 + half * (line[at] + share * (line[at + 3] - line[at]))) | 0;
      let py = (down + half * (line[at + 1] + share * (line[at + 4] - line[at + 1]))) | 0;
      px = px < 0 ? 0 : px > most ? most : px;
      py = py < 0 ? 0 : py > most ? most : py;
      const fx = px & (PLACES - 1), fy = py & (PLACES - 1), own = (py >> BITS) * tall + (px >> BITS), a = 4 * own, b = fx ? a + 4 : a, c = fy ? a + long : a, d = fx ? c + 4 : c;
      const dd = Math.imul(fx, fy), cc = (fy << BITS) - dd, bb = (fx << BITS) - dd, aa = ALL - bb - cc - dd;
      if (solid[own]) {
        frame[k] = (Math.imul(aa, samples[a]) + Math.imul(bb, samples[b]) + Math.imul(cc, samples[c]) + Math.imul(dd, samples[d]) + HALF) >> 20;
        frame[k + 1] = (Math.imul(aa, samples[a + 1]) + Math.imul(bb, samples[b + 1]) + Math.imul(cc, samples[c + 1]) + Math.imul(dd, samples[d + 1]) + HALF) >> 20;
        frame[k + 2] = (Math.imul(aa, samples[a + 2]) + Math.imul(bb, samples[b + 2]) + Math.imul(cc, samples[c + 2]) + Math.imul(dd, samples[d + 2]) + HALF) >> 20;
        continue;
      }
      const cover = Math.imul(aa, samples[a + 3]) + Math.imul(bb, samples[b + 3]) + Math.imul(cc, samples[c + 3]) + Math.imul(dd, samples[d + 3]);
      const rest = (WHOLE * ALL - cover) >> 8;
      frame[k] = (Math.imul(aa, samples[a]) + Math.imul(bb, samples[b]) + Math.imul(cc, samples[c]) + Math.imul(dd, samples[d]) + Math.imul(behind[k], rest) + HALF) >> 20;
      frame[k + 1] = (Math.imul(aa, samples[a + 1]) + Math.imul(bb, samples[b + 1]) + Math.imul(cc, samples[c + 1]) + Math.imul(dd, samples[d + 1]) + Math.imul(behind[k + 1], rest) + HALF) >> 20;
      frame[k + 2] = (Math.imul(aa, samples[a + 2]) + Math.imul(bb, samples[b + 2]) + Math.imul(cc, samples[c + 2]) + Math.imul(dd, samples[d + 2]) + Math.imul(behind[k + 2], rest) + HALF) >> 20;
    }
  }

  /** A pixel at the face's outline, as fine as the picture: see far_edge.py. */
  #edge({ face, rest }, frame, x, y) {
    const { grid: { before, part }, fine, one, other, behind, size } = this, share = softly((fine[4] * size) / SIDE);
    const left = before[x], right = Math.min(left + 1, SIDE - 1), up = before[y] * SIDE, low = Math.min(before[y] + 1, SIDE - 1) * SIDE;
    for (let i = 0; i < 4; i++) {
      const map = i < 2 ? face[i] : rest[i - 2], upper = map[up + left] + part[x] * (map[up + right] - map[up + left]);
      fine[i] = upper + part[y] * (map[low + left] + part[x] * (map[low + right] - map[low + left]) - upper);
    }
    this.#read(x, y, 0, one);
    this.#read(x, y, 2, other);
    const cover = 1 - (other[3] + share * (one[3] - other[3])) / (WHOLE * ALL), k = 4 * (y * size + x);
    for (let c = 0; c < 3; c++) frame[k + c] = (other[c] + share * (one[c] - other[c])) / (LEVELS * ALL) + cover * behind[k + c];
  }

  /** The layer at a pixel that is read through one of `fine`. */
  #read(x, y, at, out) {
    const { samples, tall, density, fine } = this, half = tall / 2, most = PLACES * (tall - 1);
    const px = Math.min(Math.max(Math.round(PLACES * (x * density + half * fine[at])), 0), most);
    const py = Math.min(Math.max(Math.round(PLACES * (y * density + half * fine[at + 1])), 0), most), fx = px & (PLACES - 1), fy = py & (PLACES - 1);
    const a = 4 * ((py >> BITS) * tall + (px >> BITS)), b = fx ? a + 4 : a, down = fy ? 4 * tall : 0, dd = fx * fy;
    for (let c = 0; c < 4; c++) {
      out[c] = (ALL - PLACES * (fx + fy) + dd) * samples[a + c] + (PLACES * fx - dd) * samples[b + c] + (PLACES * fy - dd) * samples[a + down + c] + dd * samples[b + down + c];
    }
  }
}

const GRID = 2 * MESH.resolution;

/** What takes a smile's folds out of a picture. */
export class Smile {
  constructor(scene) {
    const { shape: [height, width], data } = scene.array("light"), { size } = scene.meta;
    Object.assign(this, { size, width, height, data, grid: stretched(GRID, size), more: new Float32Array((GRID + 1) * (GRID + 1)) });
    this.box = [width, height, -1, -1];
    for (let k = 0; k < data.length; k++) {
      if (!data[k]) continue;
      const x = k % width, y = Math.floor(k / width), [x0, y0, x1, y1] = this.box;
      this.box = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x), Math.max(y1, y)];
    }
  }

  /** @param {number} amount 0 to 1 */
  draw(amount, flow, frame) {
    const { size, grid: { before, part }, more, box } = this, ratio = GRID / this.width;
    if (!(amount > 0) || box[2] < 0) return;
    const reach = flow.most * MESH.resolution + 2, ends = (end, way) => Math.min(Math.max(Math.floor((end + 0.5) * ratio - 0.5 + way * reach), 0), GRID - 1);
    const [left, top, right, bottom] = [ends(box[0], -1), ends(box[1], -1), ends(box[2] + 1, 1), ends(box[3] + 1, 1)];
    more.fill(0);
    for (let y = top; y <= bottom; y++) for (let x = left; x <= right; x++) more[y * (GRID + 1) + x] = amount * this.#there(flow, x, y);
    const within = (end) => (end * size) / GRID, high = Math.min(Math.ceil(within(bottom + 2)), size), wide = Math.min(Math.ceil(within(right + 2)), size);
    for (let y = Math.max(Math.floor(within(top - 1)), 0); y < high; y++) {
      const row = before[y] * (GRID + 1), fy = part[y];
      for (let x = Math.max(Math.floor(within(left - 1)), 0); x < wide; x++) {
        const k = row + before[x], fx = part[x], up = more[k] + fx * (more[k + 1] - more[k]), low = more[k + GRID + 1] + fx * (more[k + GRID + 2] - more[k + GRID + 1]);
        const add = up + fy * (low - up), at = 4 * (y * size + x);
        if (add === 0) continue;
        frame[at] += add;
        frame[at + 1] += add;
        frame[at + 2] += add;
      }
    }
  }

  #there({ moves: [fx, fy] }, x, y) {
    const { width, height, data } = this, at = (map) => {
      const u = Math.min(Math.max((x + 0.5) * 0.5 - 0.5, 0), SIDE - 1), v = Math.min(Math.max((y + 0.5) * 0.5 - 0.5, 0), SIDE - 1);
      const left = Math.floor(u), up = Math.floor(v) * SIDE, right = Math.min(left + 1, SIDE - 1), low = Math.min(Math.floor(v) + 1, SIDE - 1) * SIDE, part = u - left;
      const upper = map[up + left] + part * (map[up + right] - map[up + left]);
      return upper + (v - Math.floor(v)) * (map[low + left] + part * (map[low + right] - map[low + left]) - upper);
    };
    return between(data, width, height, ((x + 0.5) * width) / GRID - 0.5 + (at(fx) * width) / 2, ((y + 0.5) * height) / GRID - 0.5 + (at(fy) * height) / 2);
  }
}

const COUNT = RELIEF.resolution;

/** A picture as the room lights it. */
export class Room {
  constructor(scene) {
    const { size } = scene.meta;
    Object.assign(this, { size, shades: scene.array("shades").data, grid: stretched(SIDE, size) });
    this.gain = new Float32Array(COUNT * COUNT);
    this.moved = new Float32Array(SIDE * SIDE);
    this.line = new Float32Array(SIDE + 1);
  }

  /** @param {Float32Array} light [8], how it changes @param {Float32Array[]} moves the flow that the person was read through */
  draw(light, [fx, fy], frame) {
    if (!light.some((value) => Math.abs(value) >= ROOM.faint)) return;
    const { shades, gain, moved, size, line, grid: { before, part } } = this;
    for (let k = 0; k < COUNT * COUNT; k++) {
      let more = 0;
      for (let i = 0; i < ROOM.terms; i++) more += shades[ROOM.terms * k + i] * light[i];
      gain[k] = Math.min(Math.max(more, ROOM.low), ROOM.high);
    }
    this.#move(fx, fy);
    for (let y = 0; y < size; y++) {
      const one = before[y] * SIDE, other = Math.min(before[y] + 1, SIDE - 1) * SIDE, share = part[y];
      let first = SIDE, last = -1; // places of the row that have another light
      for (let i = 0; i < SIDE; i++) {
        const more = moved[one + i] + share * (moved[other + i] - moved[one + i]);
        line[i] = 1 + more;
        if (more === 0) continue;
        first = Math.min(first, i);
        last = i;
      }
      line[SIDE] = line[SIDE - 1];
      const end = Math.min(Math.ceil(((last + 2) * size) / SIDE), size);
      for (let x = Math.max(Math.floor(((first - 1) * size) / SIDE), 0), at = 4 * (y * size + x); x < end; x++, at += 4) {
        const k = before[x], more = line[k] + part[x] * (line[k + 1] - line[k]);
        if (more === 1) continue;
        frame[at] *= more;
        frame[at + 1] *= more;
        frame[at + 2] *= more;
      }
    }
  }

  /** The light as it goes with a flow; beyond the portrait it stays. */
  #move(fx, fy) {
    const { gain, moved } = this, step = COUNT / SIDE, half = COUNT / 2;
    for (let y = 0, k = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++, k++) {
        const px = (x + 0.5) * step - 0.5 + fx[k] * half, py = (y + 0.5) * step - 0.5 + fy[k] * half, left = Math.floor(px), top = Math.floor(py);
        if (left < -1 || top < -1 || left >= COUNT || top >= COUNT) {
          moved[k] = 0;
          continue;
        }
        const at = top * COUNT + left, in0 = left >= 0, in1 = left + 1 < COUNT, up = top >= 0, low = top + 1 < COUNT, u = px - left;
        const a = in0 && up ? gain[at] : 0, b = in1 && up ? gain[at + 1] : 0, c = in0 && low ? gain[at + COUNT] : 0, d = in1 && low ? gain[at + COUNT + 1] : 0;
        const one = a + u * (b - a), other = c + u * (d - c);
        moved[k] = one + (py - top) * (other - one);
      }
    }
  }
}
