/** Outlines as what draws them takes them. */

import { MESH } from "./tables.js";

export const SIDES = 2 * MESH.oval.length; // of the outline of a face, at most
const FAR = 1000; // pixels beyond the frame to which the lip line goes on

/**
 * Half planes around a convex outline [n, 2]: how far outside of each a place is.
 * @returns {{hull: Float32Array, sides: number, bounds: number[]}} hull: (x, y, away) each; bounds: beyond them all is outside
 */
export function halves(outline) {
  const count = outline.length / 2, hull = new Float32Array(3 * SIDES), bounds = [1e6, 1e6, -1e6, -1e6], found = [];
  let area = 0;
  for (let k = 0; k < count; k++) {
    const n = (k + 1) % count, [ax, ay, bx, by] = [outline[2 * k], outline[2 * k + 1], outline[2 * n], outline[2 * n + 1]];
    area += ax * by - bx * ay;
    [bounds[0], bounds[1]] = [Math.min(bounds[0], ax - 2), Math.min(bounds[1], ay - 2)];
    [bounds[2], bounds[3]] = [Math.max(bounds[2], ax + 2), Math.max(bounds[3], ay + 2)];
    const long = Math.hypot(bx - ax, by - ay);
    if (long > 1e-6) found.push([(by - ay) / long, (ax - bx) / long, ax, ay]);
  }
  const way = Math.sign(area) || 1, sides = Math.min(found.length, SIDES);
  for (let k = 0; k < sides; k++) {
    const [x, y, ax, ay] = found[k];
    hull.set([way * x, way * y, -way * (x * ax + y * ay)], 3 * k);
  }
  return { hull, sides, bounds };
}

/** Outline of all that is above a lip line [n, 2], which goes on level beyond the mouth's ends. */
export function over(line, size) {
  const [first, last] = [line[1], line[line.length - 1]], far = size + FAR;
  return Float32Array.from([-FAR, first, ...line, far, last, far, -FAR, -FAR, -FAR]);
}
