/** What is done to driving landmarks before a network spreads them over a face: gazes, lids and lips within bounds. */

import { EYES, MESH, RED } from "./tables.js";
import { held, mean } from "./space.js";

const IRISES = [68, 69];

/** What of a closure the networks draw: all of a small one, never more than `EYES.most`. */
function drawn(closure) {
  const room = EYES.most - EYES.begin;
  return closure <= EYES.begin ? closure : EYES.most - room * Math.exp(-(closure - EYES.begin) / room);
}

/** What of a closure the networks leave, 0..1 of what they leave open. */
export function leftOver(closure) {
  const networks = drawn(closure);
  return (closure - networks) / (1 - networks);
}

const pairsOf = (side) => MESH.lidPairs.slice(2 * side, 2 * side + 2);

/** How far one eye's lids are closed beside the portrait's, 0..1; 0 for one that has no layers. */
function closure(source, face, side, lid) {
  if (!lid) return 0;
  let [now, open] = [0, 0];
  for (const [up, low] of pairsOf(side)) {
    for (let axis = 0; axis < 2; axis++) {
      const way = source[3 * low + axis] - source[3 * up + axis];
      now += way * (face[3 * low + axis] - face[3 * up + axis]);
      open += way * way;
    }
  }
  return held(1 - now / Math.max(open, 1e-9), 0, 1);
}

/** Lids no further closed than the networks draw them, in place. */
function heldOpen(source, face, side, closed) {
  const left = closed - drawn(closed);
  if (left <= 0) return;
  for (const [up, low] of pairsOf(side)) {
    for (let axis = 0; axis < 3; axis++) {
      const more = left * (source[3 * low + axis] - source[3 * up + axis]);
      face[3 * up + axis] -= (1 - MESH.meeting) * more;
      face[3 * low + axis] += MESH.meeting * more;
    }
  }
}

/** Irises no further aside than the warp draws well, in place. */
function steadied(source, face) {
  const [near, most] = EYES.warped;
  for (const iris of IRISES) {
    const moved = [0, 1, 2].map((axis) => face[3 * iris + axis] - source[3 * iris + axis]);
    const far = Math.hypot(moved[0], moved[1]);
    if (far <= near) continue;
    const less = most - (most - near) * Math.exp(-(far - near) / (most - near));
    moved.forEach((way, axis) => (face[3 * iris + axis] = source[3 * iris + axis] + (way * less) / far));
  }
}

const width = (face) => face[3 * RED.corners[1]] - face[3 * RED.corners[0]];

function narrowed(face, restWidth) {
  const by = Math.max(0, restWidth - width(face));
  return (RED.narrow * by) / (1 + by / RED.deepest);
}

const red = (face, outer, inner) => mean(face, outer.slice(1, 4), 1) - mean(face, inner, 1);

/** What trackers hold back of rounded and rolled-in lips, in place, see `latents.deepened`. */
function deepened(source, face, restWidth) {
  const more = RED.sides.map(([outer, inner], i) => [RED.upper, RED.lower][i] * (red(face, outer, inner) - red(source, outer, inner)));
  const middle = (face[3 * RED.corners[0]] + face[3 * RED.corners[1]]) / 2;
  const share = 1 - (narrowed(face, restWidth) - narrowed(source, restWidth)) / Math.max(width(face), 1e-3);
  for (const point of RED.lips) face[3 * point] = middle + Math.max(share, 0.5) * (face[3 * point] - middle);
  RED.sides.forEach(([outer], i) => outer.forEach((point, k) => (face[3 * point + 1] += RED.taper[k] * more[i])));
}

/** Lips that hair hides hardly part, in place, see `latents.Hanging`. @param {number} overgrown how surely it does, 0..1 */
function pressed(source, face, overgrown) {
  const [upper, lower] = RED.sides.map(([, inner]) => inner);
  const gap = (of, k) => of[3 * lower[k] + 1] - of[3 * upper[k] + 1];
  const less = upper.map((_, k) => overgrown * Math.max(gap(face, k) - gap(source, k), 0));
  const mid = less.reduce((sum, by) => sum + by, 0) / less.length;
  [RED.hanging.upper, -RED.hanging.lower].forEach((part, i) => {
    const [outer, inner] = RED.sides[i];
    inner.forEach((point, k) => (face[3 * point + 1] += part * less[k]));
    outer.forEach((point, k) => (face[3 * point + 1] += RED.hanging.outer * part * RED.taper[k] * mid));
  });
}

/**
 * Landmarks that drive the networks, and how far the lids of the two eyes are closed.
 * @param {Float32Array} source [70 x 3], the portrait's
 * @param {Float32Array} landmarks [70 x 3], driving, left as they are
 * @param {(object | null)[]} lids of the two eyes @param {number} restWidth of the portrait's mouth
 * @param {number} overgrown how surely hair hides its lips, 0..1
 */
export function driving(source, landmarks, lids, restWidth, overgrown = 0) {
  const face = Float32Array.from(landmarks);
  if (!lids.every((lid) => lid?.ball)) steadied(source, face);
  const closures = lids.map((lid, side) => closure(source, face, side, lid));
  closures.forEach((closed, side) => heldOpen(source, face, side, closed));
  deepened(source, face, restWidth);
  if (overgrown > 0) pressed(source, face, overgrown);
  return { face, closures };
}
