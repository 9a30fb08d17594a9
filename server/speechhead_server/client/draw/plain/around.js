/** How what is round a face moves: where each place of a coarse field is read in the portrait, as `compact.relief`. */

import { RELIEF } from "../tables.js";

const COUNT = RELIEF.resolution, LONG = 44, FEW = 8; // numbers of a place, and of one that the face's outline does not move
const NEAR = 1e-4; // places within which a search has found

export class Surroundings {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    const { data } = scene.array("places"), all = COUNT * COUNT;
    this.size = scene.meta.size;
    this.places = data;
    this.long = Uint8Array.from({ length: all }, (_, k) => (data.subarray(LONG * k + FEW, LONG * (k + 1)).some((value) => value !== 0) ? LONG : FEW));
    /** How far from each place it is read, [-1, 1] of the crop. */
    [this.x, this.y] = [0, 1].map(() => new Float32Array(all));
    this.layers = new Float32Array(4 * all);
  }

  /** @param {Float32Array} moves [44, 2] in pixels, what the places' numbers are multiplied with */
  draw(moves) {
    this.#steps(moves);
    this.#slopes();
    const { layers, x, y } = this, last = COUNT - 1;
    for (let row = 0, k = 0; row < COUNT; row++) {
      for (let column = 0; column < COUNT; column++, k++) {
        let px = column - layers[4 * k], py = row - layers[4 * k + 1];
        for (let i = 0; i < RELIEF.rounds; i++) {
          const cx = px < 0 ? 0 : px > last ? last : px, cy = py < 0 ? 0 : py > last ? last : py;
          const left = Math.floor(cx), top = Math.floor(cy), fx = cx - left, fy = cy - top;
          const a = 4 * (top * COUNT + left), b = left < last ? a + 4 : a, down = top < last ? 4 * COUNT : 0, c = a + down, d = b + down;
          const ab = fx * (1 - fy), cc = (1 - fx) * fy, dd = fx * fy, aa = 1 - ab - cc - dd;
          const dx = (px + (aa * layers[a] + ab * layers[b] + cc * layers[c] + dd * layers[d]) - column)
            * (aa * layers[a + 2] + ab * layers[b + 2] + cc * layers[c + 2] + dd * layers[d + 2]);
          const dy = (py + (aa * layers[a + 1] + ab * layers[b + 1] + cc * layers[c + 1] + dd * layers[d + 1]) - row)
            * (aa * layers[a + 3] + ab * layers[b + 3] + cc * layers[c + 3] + dd * layers[d + 3]);
          px -= dx;
          py -= dy;
          if (dx < NEAR && dx > -NEAR && dy < NEAR && dy > -NEAR) break;
        }
        x[k] = ((px - column) * 2) / COUNT;
        y[k] = ((py - row) * 2) / COUNT;
      }
    }
  }

  /** How far each place goes, in places. */
  #steps(moves) {
    const { places, long, layers, size } = this, scale = COUNT / size, way = new Float64Array(2 * LONG);
    for (let i = 0; i < moves.length; i++) way[i] = moves[i] * scale;
    for (let k = 0; k < COUNT * COUNT; k++) {
      let x = 0, y = 0;
      for (let i = 0, at = LONG * k, end = long[k]; i < end; i++) {
        const share = places[at + i];
        x += share * way[2 * i];
        y += share * way[2 * i + 1];
      }
      layers[4 * k] = x;
      layers[4 * k + 1] = y;
    }
  }

  /** By how much a search steps, as places move more than those beside them. */
  #slopes() {
    const { layers } = this, last = COUNT - 1;
    for (let row = 0, k = 0; row < COUNT; row++) {
      const above = row ? -4 * COUNT : 4 * COUNT, below = row < last ? 4 * COUNT : -4 * COUNT;
      for (let column = 0; column < COUNT; column++, k++) {
        const at = 4 * k, left = column ? -4 : 4, right = column < last ? 4 : -4;
        layers[at + 2] = 1 / Math.max(1 + 0.5 * (layers[at + right] - layers[at + left]), RELIEF.steep);
        layers[at + 3] = 1 / Math.max(1 + 0.5 * (layers[at + below + 1] - layers[at + above + 1]), RELIEF.steep);
      }
    }
  }
}
