/** What networks paint, without hues that a grey picture does not have, and as far as it reaches. */

import { REACH, TONES, WINDOWS } from "../tables.js";

const NEAR = [0.25, 0.5, 0.25], APART = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16];
const CROSS = [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]];
const DISC = [...Array(15)].map((_, k) => [(k % 5) - 2, Math.floor(k / 5) - 1]).concat([[0, -2], [0, 2]]);
const EDGES = Object.fromEntries(Object.entries(WINDOWS).map(([name, window]) => [name, edge(window)]));

/**
 * Pixels of four channels of what a network painted: what to add, and what to cover before, in parts of 255.
 * @param {"mouth"|"eyes"} name @param {Float32Array} painted planes [4, h, w]
 * @param {{shapes: Float32Array, tone: Float32Array, grey: number}} how shapes: the mouth's masks [2, h, w]
 */
export function toned(name, painted, { shapes, tone, grey }) {
  const { width, height } = WINDOWS[name], all = width * height, mouth = name === "mouth", out = new Float32Array(4 * all);
  const lips = mouth && blurred(grown(shapes.subarray(all), width, height, CROSS), width, height, NEAR);
  const opening = mouth && blurred(grown(shapes.subarray(0, all), width, height, DISC), width, height, APART);
  const hueless = mouth ? grey : Number(grey > 0.5), [r, g, b] = TONES.luma, edges = EDGES[name];
  for (let k = 0; k < all; k++) {
    const reach = edges[k] * (mouth ? lips[k] * (1 - opening[k]) : 1);
    const luma = r * painted[k] + g * painted[all + k] + b * painted[2 * all + k];
    for (let c = 0; c < 3; c++) {
      const own = painted[c * all + k], even = mouth ? luma * tone[c] : luma;
      out[4 * k + c] = reach * (own + hueless * (even - own));
    }
    out[4 * k + 3] = reach * painted[3 * all + k];
  }
  return out;
}

/** Weight that falls to 0 at a window's border, where the warped portrait stays. */
function edge({ width, height }) {
  return Float32Array.from({ length: width * height }, (_, k) => {
    const [x, y] = [k % width, Math.floor(k / width)];
    const far = Math.min(x + 0.5, width - x - 0.5, y + 0.5, height - y - 0.5);
    const share = Math.min(far / REACH.fade, 1);
    return share * share * (3 - 2 * share);
  });
}

/** The largest of a map's values [h, w], 0 and more, at some steps around each place. */
export function grown(map, width, height, steps) {
  const out = new Float32Array(map.length);
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      const value = map[k];
      if (value === 0) continue; // most are
      for (let i = 0; i < steps.length; i++) {
        const column = x - steps[i][0], row = y - steps[i][1], to = row * width + column;
        if (column >= 0 && row >= 0 && column < width && row < height && out[to] < value) out[to] = value;
      }
    }
  }
  return out;
}

/** A map [h, w] filtered across and down by weights, an odd number; it is mirrored beyond its border. */
export function blurred(map, width, height, weights) {
  return along(along(map, width, height, weights, 1), width, height, weights, width);
}

function along(map, width, height, weights, step) {
  const out = new Float32Array(map.length), reach = weights.length >> 1, last = (step === 1 ? width : height) - 1;
  for (let k = 0; k < map.length; k++) {
    const own = step === 1 ? k % width : Math.floor(k / width), within = own >= reach && own <= last - reach;
    let sum = 0;
    for (let i = -reach; i <= reach; i++) sum += weights[i + reach] * map[k + step * (within ? i : last - Math.abs(last - Math.abs(own + i)) - own)];
    out[k] = sum;
  }
  return out;
}
