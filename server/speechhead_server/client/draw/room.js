/** Light that stays in the room as a head turns, as `compact.room_light` has it. */

import { turnBetween } from "./space.js";
import { ROOM } from "./tables.js";

/** A light [8] as normals see it that a turn [3 x 3, by rows] takes elsewhere, see `room_light.seen_by`. */
export function seenBy(light, turn) {
  const [x, y, z, xy, yz, xz, round, up] = light;
  const square = [[round - up, xy / 2, xz / 2], [xy / 2, -round - up, yz / 2], [xz / 2, yz / 2, 2 * up]];
  const column = (k) => [turn[k], turn[3 + k], turn[6 + k]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const [e1, e2, e3] = [0, 1, 2].map(column), within = (a, b) => dot(a, square.map((row) => dot(row, b)));
  const first = [e1, e2, e3].map((way) => dot(way, [x, y, z]));
  return [...first, 2 * within(e1, e2), 2 * within(e2, e3), 2 * within(e1, e3), (within(e1, e1) - within(e2, e2)) / 2, within(e3, e3) / 2];
}

/**
 * How a portrait's light changes as its head goes elsewhere, into `out` [8].
 * @param {number[]|null|undefined} light null where it turns along
 * @param {import("./space.js").Head} source @param {import("./space.js").Head} driving @param {Float32Array} out
 */
export function change(light, source, driving, out) {
  if (!light) return void out.fill(0);
  const seen = seenBy(light, turnBetween(source, driving));
  for (let k = 0; k < ROOM.terms; k++) out[k] = seen[k] - light[k];
}

/** Normals towards the camera of a relief's depth, in pixels of a crop of `size`, three numbers each. */
export function normals({ shape: [count], data }, size) {
  const step = count / size / 8, last = count - 1, out = new Float32Array(3 * data.length);
  const at = (x, y) => data[(last - Math.abs(last - Math.abs(y))) * count + last - Math.abs(last - Math.abs(x))];
  for (let y = 0; y < count; y++) {
    for (let x = 0; x < count; x++) {
      const along = (dx, dy) => {
        let sum = 0;
        for (let k = -1; k < 2; k++) sum += (2 - Math.abs(k)) * (at(x + dx + k * dy, y + dy + k * dx) - at(x - dx + k * dy, y - dy + k * dx));
        return sum * step;
      };
      const [across, down] = [along(1, 0), along(0, 1)], long = Math.hypot(across, down, 1);
      out.set([across / long, down / long, -1 / long], 3 * (y * count + x));
    }
  }
  return out;
}

/** How much brighter places get with each of a light's changes, [n x 8], see `RoomLight.shades`. */
export function shades(depth, share, size) {
  const ways = normals(depth, size), out = new Float32Array(ROOM.terms * share.length);
  for (let k = 0; k < share.length; k++) {
    const [x, y, z] = ways.subarray(3 * k, 3 * k + 3);
    const terms = [x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1];
    for (let i = 0; i < ROOM.terms; i++) out[ROOM.terms * k + i] = terms[i] * share[k];
  }
  return out;
}
