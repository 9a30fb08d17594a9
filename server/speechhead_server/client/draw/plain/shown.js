/** A frame as it is shown: within its picture where its crop is a part of that, and with the mark that it is synthetic. */

import { FEATHER, INK, lettered, PLATE } from "../letters.js";
import { pictured } from "./shapes.js";

export class PlainShown {
  /** @param {import("../scene.js").Scene} scene @param {string} mark a short text for the lower right corner; none: "" */
  constructor(scene, mark) {
    const { size, box = [0, 0, size] } = scene.meta, whole = box[0] === 0 && box[1] === 0 && box[2] === size;
    const picture = whole ? null : pictured(scene.array("picture"), 1, 255, Uint8ClampedArray);
    const { width, height } = picture ?? { width: size, height: size };
    Object.assign(this, { size, box, picture, width, height, letters: mark ? lettered(mark, Math.min(width, height)) : null });
  }

  /** @param {Uint8ClampedArray} frame pixels [S, S, 4] @returns {Uint8ClampedArray} what is seen, pixels of its own [height, width, 4] */
  draw(frame) {
    const out = (this.picture?.data ?? frame).slice();
    if (this.picture) this.#paste(frame, out);
    if (this.letters) this.#mark(out);
    return out;
  }

  #paste(frame, out) {
    const { size, box: [left, top, side], width, height } = this, ramp = Math.max(FEATHER * side, 1), last = size - 1;
    for (let y = Math.max(top, 0), low = Math.min(top + side, height); y < low; y++) {
      const v = Math.min(Math.max(((y + 0.5 - top) / side) * size - 0.5, 0), last), up = Math.floor(v), fy = v - up, below = up < last ? 4 * size : 0;
      for (let x = Math.max(left, 0), right = Math.min(left + side, width); x < right; x++) {
        const u = Math.min(Math.max(((x + 0.5 - left) / side) * size - 0.5, 0), last), first = Math.floor(u), fx = u - first, beside = first < last ? 4 : 0;
        const far = Math.min(x + 0.5 - left, left + side - x - 0.5, y + 0.5 - top, top + side - y - 0.5);
        const part = Math.min((far - 0.5) / ramp, 1), share = part * part * (3 - 2 * part), at = 4 * (y * width + x), k = 4 * (up * size + first);
        for (let c = 0; c < 3; c++) {
          const a = frame[k + c] + fx * (frame[k + beside + c] - frame[k + c]), b = frame[k + below + c] + fx * (frame[k + below + beside + c] - frame[k + below + c]);
          out[at + c] += share * (a + fy * (b - a) - out[at + c]);
        }
      }
    }
  }

  #mark(out) {
    const { letters, width, height } = this;
    for (let k = 0; k < letters.data.length; k++) {
      const x = width - letters.width + (k % letters.width), y = height - letters.height + Math.floor(k / letters.width), share = letters.data[k] / 255;
      for (let c = 0, at = 4 * (y * width + x); c < 3; c++) out[at + c] = share * INK + PLATE * (1 - share) * out[at + c];
    }
  }
}
