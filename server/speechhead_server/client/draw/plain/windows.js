/** The windows on the face that networks paint: what the networks are shown, and what they paint laid over a frame. */

import { toned } from "../paint/tones.js";
import { MESH, WINDOWS } from "../tables.js";
import { NAMES } from "../windows.js";
import { covered, Cubic, roomy, softly } from "./shapes.js";

const RADIUS = (MESH.warp.iris_radius / WINDOWS.eyes.half[0]) * (WINDOWS.eyes.width / 2);

export class Windows {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    this.size = scene.meta.size;
    this.known = Math.min(this.size, MESH.known);
    this.patches = Object.fromEntries(NAMES.map((name) => [name, new Cubic(WINDOWS[name].width, WINDOWS[name].height)]));
    this.live = new Uint8Array(Math.max(...NAMES.map((name) => this.patches[name].data.length / 4)));
  }

  /** What the networks are shown of a frame, by input. @param number numbers of the frame by name */
  seen(number, frame) {
    return Object.fromEntries(NAMES.flatMap((name) => {
      const { width, height } = WINDOWS[name], sides = [height, width], motion = number(`${name}_motion`).slice();
      return [
        [`${name}_warped`, { data: this.#warped(name, number(`${name}_matrix`), frame), dims: [1, 3, ...sides] }],
        [`${name}_shapes`, { data: shapes(name, number), dims: [1, 2, ...sides] }],
        [`${name}_motion`, { data: motion, dims: [1, motion.length] }],
      ];
    }));
  }

  /** A frame at the sharpness that the networks know, read through a window: planes [3, h, w]. */
  #warped(name, m, frame) {
    const { width, height } = WINDOWS[name], all = width * height, { known } = this, out = new Float32Array(3 * all);
    const place = (row, x, y) => {
      const at = (m[row] * ((2 * x + 1) / width - 1) + m[row + 1] * ((2 * y + 1) / height - 1) + m[row + 2] + 1) * (0.5 * known) - 0.5;
      return Math.min(Math.max(at, 0), known - 1);
    };
    const ends = (row) => [place(row, 0, 0), place(row, width - 1, 0), place(row, 0, height - 1), place(row, width - 1, height - 1)];
    const box = [0, 3].map((row) => [Math.floor(Math.min(...ends(row))), Math.min(Math.floor(Math.max(...ends(row))) + 1, known - 1)]);
    const small = this.#small(frame, ...box), [[left, right], [top, bottom]] = box, wide = right - left + 1;
    for (let y = 0, k = 0; y < height; y++) {
      for (let x = 0; x < width; x++, k++) {
        const px = place(0, x, y), py = place(3, x, y), u = Math.floor(px), v = Math.floor(py), fx = px - u, fy = py - v;
        const at = 3 * ((v - top) * wide + u - left), beside = u < right ? 3 : 0, below = v < bottom ? 3 * wide : 0;
        for (let c = 0; c < 3; c++) {
          const a = small[at + c] + fx * (small[at + beside + c] - small[at + c]);
          const b = small[at + below + c] + fx * (small[at + below + beside + c] - small[at + below + c]);
          out[c * all + k] = (a + fy * (b - a)) / 255;
        }
      }
    }
    return out;
  }

  /** The means of a frame's pixels in a box of the sharpness that is known. */
  #small(frame, [left, right], [top, bottom]) {
    const { size, known } = this, step = size / known, small = (this.means = roomy(this.means, 3 * (right - left + 1) * (bottom - top + 1)));
    let k = 0;
    for (let v = top; v <= bottom; v++) {
      const up = Math.floor(v * step + 1e-4), low = Math.ceil((v + 1) * step - 1e-4);
      for (let u = left; u <= right; u++, k += 3) {
        const first = Math.floor(u * step + 1e-4), last = Math.ceil((u + 1) * step - 1e-4), count = (low - up) * (last - first);
        let red = 0, green = 0, blue = 0;
        for (let y = up; y < low; y++) {
          for (let at = 4 * (y * size + first), end = 4 * (y * size + last); at < end; at += 4) {
            red += frame[at];
            green += frame[at + 1];
            blue += frame[at + 2];
          }
        }
        small[k] = red / count;
        small[k + 1] = green / count;
        small[k + 2] = blue / count;
      }
    }
    return small;
  }

  /** Lay what the networks painted over a frame. @param painted planes [4, h, w] by window @param masks of the mouth, [2, h, w] */
  draw(number, boxes, painted, masks, frame) {
    for (const name of NAMES) {
      const box = boxes[name];
      if (box[2] - box[0] < 2 || box[3] - box[1] < 2) continue;
      const made = toned(name, painted[name], { shapes: masks, tone: number("tone"), grey: number("grey")[0] });
      this.#lay(this.patches[name].set(made), number(`${name}_to`), box, frame);
    }
  }

  #lay(patch, m, [x0, y0, x1, y1], frame) {
    const { live, size } = this, { wide, read, place } = patch;
    this.#find(patch);
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) {
        const px = m[0] * x + m[1] * y + m[2], py = m[3] * x + m[4] * y + m[5];
        if (px < -2 || py < -2 || px >= patch.width + 1 || py >= patch.height + 1) continue;
        if (!live[Math.floor(py + Cubic.PAD) * wide + Math.floor(px + Cubic.PAD)]) continue;
        place[0] = px;
        place[1] = py;
        patch.at();
        const k = 4 * (y * size + x), below = 1 - Math.min(Math.max(read[3], 0), 1);
        frame[k] = below * frame[k] + 255 * read[0];
        frame[k + 1] = below * frame[k + 1] + 255 * read[1];
        frame[k + 2] = below * frame[k + 2] + 255 * read[2];
      }
    }
  }

  /** Where a patch has anything among the sixteen pixels that are read. */
  #find({ data, wide }) {
    const { live } = this, all = data.length / 4;
    live.fill(0);
    for (let k = 0; k < all; k++) {
      if (data[4 * k] === 0 && data[4 * k + 1] === 0 && data[4 * k + 2] === 0 && data[4 * k + 3] === 0) continue;
      for (let j = -2; j < 2; j++) live.fill(1, Math.max(k + j * wide - 2, 0), Math.max(k + j * wide + 2, 0));
    }
  }
}

/** What a window's outlines cover, planes [2, h, w]. */
function shapes(name, number) {
  const { width, height } = WINDOWS[name], box = [0, 0, width, height], all = width * height, out = new Float32Array(2 * all);
  const first = number(`${name}_first`), second = number(`${name}_second`), [one, other] = [out.subarray(0, all), out.subarray(all)];
  if (name === "mouth") {
    covered(one, first, box);
    covered(other, second, box);
    return out;
  }
  covered(one, first.subarray(0, first.length / 2), box);
  covered(other, first.subarray(first.length / 2), box);
  for (let k = 0; k < all; k++) {
    const x = k % width, y = (k / width) | 0, ax = x - second[0], ay = y - second[1], bx = x - second[2], by = y - second[3];
    one[k] = Math.max(one[k], other[k]);
    other[k] = softly(Math.sqrt(Math.min(ax * ax + ay * ay, bx * bx + by * by)) - RADIUS);
  }
  return out;
}
