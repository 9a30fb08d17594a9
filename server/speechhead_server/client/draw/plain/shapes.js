/** What pictures are drawn with by plain numbers: outlines, triangles, soft edges, blurs and places between pixels. */

const FAT = 0.675, RAMP = 1.25; // how OpenCV draws smooth outlines: they end so many pixels outside, and fade over so many

/** What an outline covers of a pixel so far away from it. */
export function softly(away, finer = 0) {
  const share = finer ? 0.5 + (FAT / finer - away) / (1 + RAMP / (2 * finer)) : 0.5 + (FAT - away) / RAMP;
  return share < 0 ? 0 : share > 1 ? 1 : share;
}

export const GROWN = FAT;

/** Beyond these an outline covers all of a pixel, or nothing. */
export const SOFT = [FAT - RAMP / 2, FAT + RAMP / 2];

/** 0 below `low`, 1 above `high`. */
export function smooth(x, low, high) {
  const t = Math.min(Math.max((x - low) / (high - low), 0), 1);
  return t * t * (3 - 2 * t);
}

/** An array of at least a length: the one that is there where it is large enough. */
export function roomy(array, length, Kind = Float32Array) {
  return array && array.length >= length ? array : new Kind(Math.ceil(length * 1.3));
}

/** How far a place is from an outline [n, 2], negative within (even-odd). */
export function away(points, x, y) {
  const long = points.length;
  let near = 1e12, inside = false, ax = points[long - 2], ay = points[long - 1];
  for (let i = 0; i < long; i += 2) {
    const bx = points[i], by = points[i + 1], ux = bx - ax, uy = by - ay, vx = x - ax, vy = y - ay;
    const whole = ux * ux + uy * uy, part = (vx * ux + vy * uy) / (whole > 1e-12 ? whole : 1e-12);
    const t = part < 0 ? 0 : part > 1 ? 1 : part, rx = vx - t * ux, ry = vy - t * uy, far = rx * rx + ry * ry;
    if (far < near) near = far;
    if (ay > y !== by > y && vx < (ux * vy) / uy) inside = !inside;
    ax = bx;
    ay = by;
  }
  return inside ? -Math.sqrt(near) : Math.sqrt(near);
}

/**
 * How far all pixels of a box are from an outline, into `out` [height x width]. What is below `low` or above `high` is
 * only known to be: nothing is nearer than it was a pixel before, less one, so that most pixels are passed over.
 */
export function distances(out, points, [left, top, width, height], low, high) {
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = 0; x < width; ) {
      const far = away(points, left + x, top + y);
      const more = far > high ? Math.ceil(far - high) : far < low ? Math.ceil(low - far) : 1;
      const end = Math.min(x + more, width);
      while (x < end) out[row + x++] = far;
    }
  }
}

/** What outlines cover of a box's pixels, into `out`. */
export function covered(out, points, box) {
  distances(out, points, box, ...SOFT);
  for (let k = 0, all = box[2] * box[3]; k < all; k++) out[k] = softly(out[k]);
}

/** A picture of triangles, each with its number and one depth: nearer ones lie before farther ones. */
export class Raster {
  /** Of the triangle that is drawn next: x, y of each corner, and how far it is. Numbers of a call would be made anew each time. */
  next = new Float64Array(7);

  /** What is drawn lies in `seen`, a number and 1 for each pixel, and how far it is in `depth`. */
  begin(width, height) {
    const all = width * height;
    Object.assign(this, { width, height, seen: roomy(this.seen, all, Int16Array), depth: roomy(this.depth, all, Float64Array) });
    this.seen.fill(0, 0, all);
    this.depth.fill(1, 0, all);
  }

  /** Draw one as OpenCV does, its outline with it; pixels' middles are at whole numbers. */
  draw(number) {
    const { next } = this, ax = next[0], ay = next[1], px = next[2], py = next[3], qx = next[4], qy = next[5], far = next[6];
    const turned = (px - ax) * (qy - ay) - (py - ay) * (qx - ax) < 0;
    const bx = turned ? qx : px, by = turned ? qy : py, cx = turned ? px : qx, cy = turned ? py : qy;
    const { width, height, seen, depth } = this;
    const top = Math.max(Math.ceil(Math.min(ay, by, cy) - 0.5), 0), bottom = Math.min(Math.floor(Math.max(ay, by, cy) + 0.5), height - 1);
    const first = Math.max(Math.min(ax, bx, cx) - 0.5, 0), last = Math.min(Math.max(ax, bx, cx) + 0.5, width - 1);
    const abx = bx - ax, aby = by - ay, bcx = cx - bx, bcy = cy - by, cax = ax - cx, cay = ay - cy;
    const ab = 0.5 * Math.max(Math.abs(abx), Math.abs(aby)), bc = 0.5 * Math.max(Math.abs(bcx), Math.abs(bcy));
    const ca = 0.5 * Math.max(Math.abs(cax), Math.abs(cay));
    for (let y = top; y <= bottom; y++) {
      const one = abx * (y - ay) + ab, two = bcx * (y - by) + bc, three = cax * (y - cy) + ca; // those of the edges' inner sides
      let left = first, right = last;
      if (aby > 0) right = Math.min(right, ax + one / aby);
      else if (aby < 0) left = Math.max(left, ax + one / aby);
      else if (one < 0) continue;
      if (bcy > 0) right = Math.min(right, bx + two / bcy);
      else if (bcy < 0) left = Math.max(left, bx + two / bcy);
      else if (two < 0) continue;
      if (cay > 0) right = Math.min(right, cx + three / cay);
      else if (cay < 0) left = Math.max(left, cx + three / cay);
      else if (three < 0) continue;
      for (let k = y * width + Math.ceil(left), end = y * width + Math.floor(right); k <= end; k++) {
        if (far > depth[k]) continue;
        depth[k] = far;
        seen[k] = number + 1;
      }
    }
  }
}

/** Weights of a Gaussian from `-reach` to `reach`; together 1. */
export function bell(sigma, reach) {
  const weights = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp((-0.5 * (i - reach) ** 2) / (sigma * sigma)));
  const all = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / all);
}

/** A map [height, width, channels] filtered across by weights, an odd number, into `out`; beyond it there is nothing. */
export function across(from, out, width, height, channels, weights) {
  const reach = weights.length >> 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const low = Math.max(x - reach, 0), high = Math.min(x + reach, width - 1), at = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = low; i <= high; i++) sum += weights[i - x + reach] * from[(y * width + i) * channels + c];
        out[at + c] = sum;
      }
    }
  }
}

/** The same down. */
export function down(from, out, width, height, channels, weights) {
  const reach = weights.length >> 1, long = width * channels;
  out.fill(0, 0, long * height);
  for (let y = 0; y < height; y++) {
    for (let j = Math.max(y - reach, 0), end = Math.min(y + reach, height - 1); j <= end; j++) {
      const weight = weights[j - y + reach], to = y * long, at = j * long;
      for (let k = 0; k < long; k++) out[to + k] += weight * from[at + k];
    }
  }
}

const STEPS = 256; // parts of a pixel that cubic reading tells apart
const CUBIC = Float32Array.from({ length: 4 * (STEPS + 1) }, (_, k) => {
  const A = -0.75, t = (k >> 2) / STEPS, x = [t + 1, t, 1 - t, 2 - t][k & 3];
  return x > 1 ? ((A * x - 5 * A) * x + 8 * A) * x - 4 * A : ((A + 2) * x - (A + 3)) * x * x + 1;
});

/** A picture [h, w, 4] that is read between its pixels by four each way; beyond it there is nothing. */
export class Cubic {
  static PAD = 4;

  constructor(width, height) {
    const { PAD } = Cubic;
    Object.assign(this, { width, height, wide: width + 2 * PAD, data: new Float32Array(4 * (width + 2 * PAD) * (height + 2 * PAD)) });
    [this.read, this.place] = [new Float64Array(4), new Float64Array(2)];
  }

  /** Put pixels [h, w, 4] into it. */
  set(pixels) {
    const { width, height, wide, data } = this, { PAD } = Cubic;
    for (let y = 0; y < height; y++) data.set(pixels.subarray(4 * y * width, 4 * (y + 1) * width), 4 * ((y + PAD) * wide + PAD));
    return this;
  }

  /** What is at the place in `place`, in `read`. @returns {boolean} whether there may be anything */
  at() {
    const { width, height, wide, data, read, place } = this, x = place[0], y = place[1], left = Math.floor(x), top = Math.floor(y);
    if (left < -3 || top < -3 || left > width || top > height) {
      read.fill(0);
      return false;
    }
    const across = 4 * Math.round((x - left) * STEPS), down = 4 * Math.round((y - top) * STEPS);
    const a = CUBIC[across], b = CUBIC[across + 1], c = CUBIC[across + 2], d = CUBIC[across + 3];
    let red = 0, green = 0, blue = 0, cover = 0, k = 4 * ((top + 3) * wide + left + 3);
    for (let j = 0; j < 4; j++, k += 4 * wide) {
      const weight = CUBIC[down + j];
      red += weight * (a * data[k] + b * data[k + 4] + c * data[k + 8] + d * data[k + 12]);
      green += weight * (a * data[k + 1] + b * data[k + 5] + c * data[k + 9] + d * data[k + 13]);
      blue += weight * (a * data[k + 2] + b * data[k + 6] + c * data[k + 10] + d * data[k + 14]);
      cover += weight * (a * data[k + 3] + b * data[k + 7] + c * data[k + 11] + d * data[k + 15]);
    }
    read[0] = red;
    read[1] = green;
    read[2] = blue;
    read[3] = cover;
    return true;
  }
}

/** One channel of a map [h, w, channels] between its pixels; beyond it there is nothing. */
export function between(data, width, height, x, y, channels = 1, channel = 0) {
  const left = Math.floor(x), top = Math.floor(y), fx = x - left, fy = y - top;
  if (left < -1 || top < -1 || left >= width || top >= height) return 0;
  const k = (top * width + left) * channels + channel, down = width * channels;
  const a = left >= 0 && top >= 0 ? data[k] : 0, b = left + 1 < width && top >= 0 ? data[k + channels] : 0;
  const c = left >= 0 && top + 1 < height ? data[k + down] : 0, d = left + 1 < width && top + 1 < height ? data[k + down + channels] : 0;
  const one = a + fx * (b - a), other = c + fx * (d - c);
  return one + fy * (other - one);
}

/** How rows or columns of `count` places lie in a finer one of `size`: the place before each, and the part beyond it. */
export function stretched(count, size) {
  const before = new Int16Array(size), part = new Float32Array(size);
  for (let k = 0; k < size; k++) {
    const at = Math.min(Math.max(((k + 0.5) * count) / size - 0.5, 0), count - 1);
    before[k] = Math.floor(at);
    part[k] = at - before[k];
  }
  return { before, part };
}

/** A scene's picture as four channels [h, w, 4] of any kind: what has no cover covers all. */
export function pictured({ shape, data }, scale = 1 / 255, cover = 1, Kind = Float32Array) {
  const [height, width, count = 1] = shape, out = new Kind(4 * height * width);
  for (let k = 0; k < height * width; k++) {
    for (let c = 0; c < 3; c++) out[4 * k + c] = data[count * k + Math.min(c, count - 1)] * scale;
    out[4 * k + 3] = (count === 4 ? data[count * k + 3] : 1) * cover;
  }
  return { width, height, data: out };
}
