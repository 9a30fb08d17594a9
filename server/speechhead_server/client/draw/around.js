/** The mesh of a face and what is around it, as `MeshWarp.moving` and `Relief` place them. */

import { Hull } from "./hull.js";
import { between, followed, smooth } from "./space.js";
import { MESH, RELIEF } from "./tables.js";

const POINTS = 478;
const RING = MESH.oval.length;

export class Around {
  /** @param {import("./held.js").Held} held */
  constructor(held) {
    this.held = held;
    this.solid = new Float32Array(3 * (POINTS + RING + held.array("irises").length / 3));
    this.solid.set(held.array("head_ring"), 3 * POINTS);
    this.placed = new Float32Array(this.solid.length);
    this.cells = new Float32Array(2 * POINTS);
    this.hull = new Hull(POINTS);
    this.ways = [new Float32Array(8), new Float32Array(8)];
  }

  /** @param {import("./moment.js").Driven} driven @param {import("./numbers.js").Numbers} out */
  write({ keypoints, head }, out) {
    this.vertices(keypoints, head, out.number("vertices"));
    between(this.held.head, followed(this.held.head, head), this.ways[1]);
    const cell = MESH.resolution / this.held.size;
    for (let i = 0; i < POINTS; i++) {
      this.cells[2 * i] = this.placed[3 * i] * cell - 0.5;
      this.cells[2 * i + 1] = this.placed[3 * i + 1] * cell - 0.5;
    }
    this.hull.around(this.cells, 2, out.number("hull"));
    this.#drive(out.number("around"));
  }

  /**
   * Where all that moves with a face lies, x and y in [-1, 1] of the crop, z in the same unit.
   * @param {Float32Array} keypoints [478 x 3] @param {import("./space.js").Head} head @param {Float32Array} out as long as `solid`
   */
  vertices(keypoints, head, out) {
    between(this.held.head, head, this.ways[0]);
    this.#raise(keypoints);
    head.pixels(this.solid, this.placed);
    for (let i = 0; i < out.length; i++) out[i] = this.placed[i] * (2 / this.held.size) - (i % 3 < 2 ? 1 : 0);
    return out;
  }

  /** The face with its rim in front where a turn uncovers it, its spectacles and its irises' rims, see `Raise.lift`. */
  #raise(keypoints) {
    const worn = this.held.told.worn ? this.held.array("worn") : null;
    const [outwards, front] = [this.held.array("outwards"), this.held.array("front")];
    const [x, y] = [this.ways[0][4], this.ways[0][5]]; // how what lies deep goes aside
    const far = Math.hypot(x, y) + RELIEF.still;
    for (let i = 0; i < POINTS; i++) {
      const share = smooth((x * outwards[2 * i] + y * outwards[2 * i + 1]) / far, ...RELIEF.uncovered);
      for (let k = 3 * i; k < 3 * i + 3; k++) this.solid[k] = keypoints[k] + share * front[k] + (worn?.[k] ?? 0);
    }
    const rims = this.held.array("irises");
    const first = 3 * (POINTS + RING);
    for (let i = 0; i < rims.length; i++) {
      const iris = MESH.irises[i < rims.length / 2 ? 0 : 1];
      this.solid[first + i] = this.solid[3 * iris + (i % 3)] + rims[i];
    }
  }

  /** What moves the places around: skull, body and the face's edge, see `Relief.driven`. */
  #drive(out) {
    const [[skull, body], edge, rigid] = [this.ways, this.held.array("edge"), this.held.array("edge_rigid")];
    out.set(skull);
    out.set(body, 8);
    for (let i = 0; i < RING; i++) {
      for (let axis = 0; axis < 2; axis++) {
        const along = (way) => {
          let sum = 0;
          for (let k = 0; k < 4; k++) sum += edge[4 * i + k] * way[2 * k + axis];
          return sum;
        };
        const carried = rigid[i] * along(skull) + (1 - rigid[i]) * along(body);
        out[16 + 2 * i + axis] = this.placed[3 * MESH.oval[i] + axis] - edge[4 * i + axis] - carried;
      }
    }
  }
}
