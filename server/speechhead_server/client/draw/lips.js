/** Where the two lips lie, and what is between them, as `compact.lips` places them. */

import { even, smooth } from "./space.js";
import { ARCHES, LIPS, MESH, SHEETS } from "./tables.js";

const HALF = MESH.upperLip.length; // places along a lip, corner to corner
const INNER = [...MESH.upperLip, ...MESH.lowerLip.slice(1, -1).reverse()];
const NOWHERE = [0, 0, 1, 1]; // the box of what is out of the frame
const LEAST = 4; // pixels of a box that is drawn

/** Outline [20 x 3] of what is seen between the inner lips of a mesh, in normalised space, see `teeth.between`. */
export function opening(mesh, out) {
  for (let i = 0; i < HALF; i++) {
    const [up, low] = [3 * MESH.upperLip[i], 3 * MESH.lowerLip[i]];
    const share = Math.min(1, Math.max(mesh[low + 1] - mesh[up + 1], 0) / (ARCHES.lips[0] + ARCHES.lips[1]));
    const back = i > 0 && i < HALF - 1 ? 3 * (2 * HALF - 2 - i) : -1;
    for (let axis = 0; axis < 3; axis++) {
      out[3 * i + axis] = mesh[up + axis] + (axis === 1 ? ARCHES.lips[0] * share : 0);
      if (back >= 0) out[back + axis] = mesh[low + axis] - (axis === 1 ? ARCHES.lips[1] * share : 0);
    }
  }
  return out;
}

/** The box of pixels within a picture, around places of a mesh with a margin. */
function around(mesh, points, margin, size) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const point of points) {
    left = Math.min(left, mesh[3 * point]);
    right = Math.max(right, mesh[3 * point]);
    top = Math.min(top, mesh[3 * point + 1]);
    bottom = Math.max(bottom, mesh[3 * point + 1]);
  }
  const low = [left, top].map((edge) => Math.max(Math.floor(edge - margin), 0));
  return [...low, ...[right, bottom].map((edge) => Math.min(Math.ceil(edge + margin), size))];
}

export class LipPlaces {
  /** @param {import("./held.js").Held} held */
  constructor(held) {
    this.held = held;
    this.taper = Array.from({ length: HALF }, (_, i) => Math.abs(Math.sin((Math.PI * i) / (HALF - 1))) ** 0.8);
  }

  /** @param {import("./moment.js").Driven} driven @param {import("./numbers.js").Numbers} out @returns {number[]} the box */
  write({ mesh, outline, head }, out) {
    const [{ parted, soft, width, height }, size] = [this.held.told.lips, this.held.size];
    const reach = LIPS.around * head.scale;
    const box = around(mesh, MESH.outerLip, 2 * reach, size);
    out.number("lip_tone").set(this.held.array("lip_tone"));
    if (box[2] - box[0] < LEAST || box[3] - box[1] < LEAST) {
      for (const name of ["driving", "line", "between", "dark"]) out.number(`lip_${name}`).fill(0);
      out.number("lips").set([0, 1, 1, 3, 0, width - 1, height - 1]);
      return NOWHERE;
    }
    this.#sheets(mesh, head, out.number("lip_driving"));
    this.#lines(mesh, out.number("lip_line"), out.number("lip_between"));
    const gap = this.#dark(outline, head, out.number("lip_dark"));
    const shown = Math.max(parted, smooth(gap / head.scale, ...LIPS.apart));
    const wide = [Math.max(1, even(reach)), 2 * Math.max(1, even(LIPS.fade * head.scale)) + 1];
    out.number("lips").set([shown, Math.max(0.5, soft * head.scale), ...wide, 1, width - 1, height - 1]);
    return box;
  }

  /** The sheets' vertices; behind its edge a lip goes straight on. */
  #sheets(mesh, head, out) {
    let at = 0;
    const put = (vertex, share) => {
      for (let axis = 0; axis < 3; axis++) {
        const on = share * LIPS.beyond * head.scale * head.rotation[3 * axis + 1];
        out[at++] = mesh[3 * vertex + axis] + on - (axis < 2 ? 0.5 : 0);
      }
    };
    for (const vertex of SHEETS.vertices) put(vertex, 0);
    for (const vertex of MESH.upperLip) put(vertex, 1);
    for (const vertex of MESH.lowerLip) put(vertex, -1);
  }

  #lines(mesh, line, between) {
    const [first, last] = [3 * MESH.outerLip[0], 3 * MESH.outerLip[10]];
    for (let axis = 0; axis < 2; axis++) {
      line[axis] = mesh[first + axis] - 0.5;
      for (let i = 0; i < HALF; i++) {
        line[2 * (i + 1) + axis] = (mesh[3 * MESH.upperLip[i] + axis] + mesh[3 * MESH.lowerLip[i] + axis]) / 2 - 0.5;
      }
      line[2 * (HALF + 1) + axis] = mesh[last + axis] - 0.5;
      INNER.forEach((vertex, i) => (between[2 * i + axis] = mesh[3 * vertex + axis] - 0.5));
    }
  }

  /** The outline of the dark between the lips, at least a line where the portrait's are parted; the largest gap. */
  #dark(outline, head, out) {
    let [dx, dy] = [head.rotation[1], head.rotation[4]];
    const length = Math.max(Math.hypot(dx, dy), 1e-6);
    [dx, dy] = [dx / length, dy / length];
    for (let i = 0; 2 * i < out.length; i++) for (let axis = 0; axis < 2; axis++) out[2 * i + axis] = outline[3 * i + axis] - 0.5;
    let most = 0;
    for (let i = 0; i < HALF; i++) {
      const back = i === 0 ? 0 : 2 * HALF - 2 - i; // of the lower lip, under it
      const other = i === HALF - 1 ? i : back;
      const gap = Math.max((out[2 * other] - out[2 * i]) * dx + (out[2 * other + 1] - out[2 * i + 1]) * dy, 0);
      most = Math.max(most, gap);
      const missing = Math.max(this.held.told.lips.parted * LIPS.thin * head.scale * this.taper[i] - gap, 0) / 2;
      out[2 * i] -= missing * dx;
      out[2 * i + 1] -= missing * dy;
      if (i === 0 || other === i) continue;
      out[2 * other] += missing * dx;
      out[2 * other + 1] += missing * dy;
    }
    return most;
  }
}
