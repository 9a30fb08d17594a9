/** Where the windows lie that networks paint, and what these are told, as `compact.windows`. */

import { MESH, WINDOWS } from "./tables.js";

const INNER = [...MESH.upperLip, ...MESH.lowerLip.slice(1, -1).reverse()];
const OUTLINES = { mouth: [INNER, MESH.outerLip], eyes: [MESH.eyes.flat(), MESH.irises] };

export const NAMES = Object.keys(WINDOWS);

/** How many numbers of motion a window's network is told. */
export const told = (name) => 2 * (3 * WINDOWS[name].points.length + 2);

export class WindowPlaces {
  /** @param {import("./held.js").Held} held */
  constructor(held) {
    this.held = held;
    this.centres = {};
    this.still = {};
    for (const [name, { anchor, offset, points }] of Object.entries(WINDOWS)) {
      this.centres[name] = [0, 1, 2].map((axis) => (anchor === null ? 0 : held.landmarks[3 * anchor + axis]) + (offset[axis] ?? 0));
      this.still[name] = new Float32Array(told(name) / 2);
      motion(points, held.array("seen"), held.head.angles, this.still[name]);
    }
    const white = held.array("white");
    const light = Math.max((white[0] + white[1] + white[2]) / 3, 1);
    this.tone = white.map((part) => part / light);
  }

  /**
   * @param {import("./moment.js").Driven} driven @param {import("./numbers.js").Numbers} out
   * @returns {Record<string, number[]>} the boxes
   */
  write({ mesh, face, head }, out) {
    const boxes = {};
    for (const name of NAMES) {
      const [matrix, to] = [out.number(`${name}_matrix`), out.number(`${name}_to`)];
      this.#lay(name, head, matrix);
      boxes[name] = this.#place(WINDOWS[name], matrix, to);
      OUTLINES[name].forEach((vertices, k) => within(vertices, mesh, to, out.number(`${name}_${k ? "second" : "first"}`)));
      const moves = out.number(`${name}_motion`);
      motion(WINDOWS[name].points, face, head.angles, moves);
      moves.set(this.still[name], moves.length / 2);
    }
    out.number("tone").set(this.tone);
    out.number("grey")[0] = this.held.told.inside.grey;
    return boxes;
  }

  /** The map from a window's [-1, 1] square to the crop's, see `Window.matrix`. */
  #lay(name, head, out) {
    const [unit, [hx, hy], centre, r] = [2 / this.held.size, WINDOWS[name].half, this.centres[name], head.rotation];
    const length = Math.hypot(r[0], r[3]);
    const [x, y] = [(r[0] / length) * head.scale * unit, (r[3] / length) * head.scale * unit];
    out.set([x * hx, -y * hy, head.pixel(0, ...centre) * unit - 1, y * hx, x * hy, head.pixel(1, ...centre) * unit - 1]);
  }

  /** The map from the frame's pixels to the window's, into `to`; the box of what the window covers. */
  #place({ width, height }, m, to) {
    const half = this.held.size / 2;
    const corner = (row) => [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) => (m[row] * x + m[row + 1] * y + m[row + 2] + 1) * half);
    const [across, down] = [corner(0), corner(3)];
    const low = [across, down].map((ends) => Math.min(Math.max(Math.floor(Math.min(...ends)), 0), this.held.size - 1));
    const high = [across, down].map((ends, k) => Math.min(Math.max(Math.ceil(Math.max(...ends)) + 1, low[k] + 1), this.held.size));
    const scale = 1 / (half * (m[0] * m[4] - m[1] * m[3]));
    const linear = [(m[4] * scale * width) / 2, (-m[1] * scale * width) / 2, (-m[3] * scale * height) / 2, (m[0] * scale * height) / 2];
    const [x, y] = [0.5 - (m[2] + 1) * half, 0.5 - (m[5] + 1) * half];
    [width, height].forEach((side, k) => {
      const [a, b] = [linear[2 * k], linear[2 * k + 1]];
      to.set([a, b, a * x + b * y + side / 2 - 0.5], 3 * k);
    });
    return [...low, ...high];
  }
}

/** Where vertices of a mesh lie in a window, whose pixel k's middle is at k. */
function within(vertices, mesh, to, out) {
  vertices.forEach((vertex, i) => {
    const [x, y] = [mesh[3 * vertex] - 0.5, mesh[3 * vertex + 1] - 0.5];
    out[2 * i] = to[0] * x + to[1] * y + to[2];
    out[2 * i + 1] = to[3] * x + to[4] * y + to[5];
  });
}

/** Half of what a window's network is told, into the first half of `out`, see `Window.motion`. */
function motion(points, face, [yaw, pitch], out) {
  let at = 0;
  for (const point of points) for (let axis = 0; axis < 3; axis++) out[at++] = 5 * (face[3 * point + axis] - MESH.reference[point][axis]);
  out[at++] = yaw / 30;
  out[at] = pitch / 30;
}
