/**
 * The few numbers of a frame, from which all its pixels are drawn: the browser's form of `compact.device.moment`.
 *
 * A network spreads what drives a face over its mesh, so it is done in two parts: `before` it and `after` it.
 */

import { Around } from "./around.js";
import { driving } from "./driving.js";
import { Held } from "./held.js";
import { Lids } from "./eyelids.js";
import { LipPlaces, opening } from "./lips.js";
import { Mouth } from "./mouth.js";
import { Numbers } from "./numbers.js";
import { change } from "./room.js";
import { Head, landmarks } from "./space.js";
import { MESH, ROOM, SHEETS, SMILE } from "./tables.js";
import { NAMES, WindowPlaces, told } from "./windows.js";

const POINTS = 478;
const OPENING = 2 * MESH.upperLip.length - 2;
const LINE = MESH.upperLip.length + 2;

/**
 * @typedef {{landmarks: Float32Array, pose: number[]}} Motion landmarks: [70 x 3] in normalised space; pose: yaw, pitch,
 * roll in degrees, x, y, z and scale in pixels of a crop of the scene's size
 *
 * @typedef {{motion: Float32Array, shape: Float32Array, face: Float32Array, closures: number[], head: Head}} Given
 * motion, shape: [210] each, the inputs of Landmarks2Latents; the rest is for `after`
 *
 * @typedef {{keypoints: Float32Array, mesh: Float32Array, face: Float32Array, outline: Float32Array, closures: number[], head: Head}} Driven
 * keypoints: [478 x 3] in normalised space, mesh: in pixels; face: [70 x 3]; outline: [20 x 3] of the opening, in pixels
 *
 * @typedef {{numbers: Float32Array, number: (name: string) => Float32Array, box: number[]}} Layer
 *
 * @typedef {object} Moment
 * @property {Float32Array} numbers all of them, in the order of `shapes`; overwritten by the next moment
 * @property {(name: string) => Float32Array} number a view on those of a name
 * @property {Record<"lips" | "mouth" | "eyes" | "inside", number[]>} boxes x0, y0, x1, y1: pixels that may change
 * @property {Record<"lip_soft" | "in_soft" | "in_shade" | "open" | "smile" | "room", number>} most reaches in pixels; whether there is an open mouth, a smile to take out and another light
 * @property {(Layer | null)[]} balls of the two eyes, those that look aside
 * @property {(Layer | null)[]} lids of the two eyes, those that close
 */

function shapes(around) {
  const windows = NAMES.flatMap((name) => {
    const sides = name === "mouth" ? [[OPENING, 2], [MESH.outerLip.length, 2]] : [[2, MESH.eyes[0].length, 2], [2, 2]];
    return [[`${name}_first`, sides[0]], [`${name}_second`, sides[1]], [`${name}_matrix`, [2, 3]], [`${name}_to`, [2, 3]], [`${name}_motion`, [told(name)]]];
  });
  return [
    ["around", [8 + MESH.oval.length, 2]], ["hull", [2 * MESH.oval.length, 2]], ["vertices", [around.solid.length / 3, 3]],
    ["lip_driving", [SHEETS.vertices.length + 2 * MESH.upperLip.length, 3]], ["lip_line", [LINE, 2]],
    ["lip_between", [OPENING, 2]], ["lip_dark", [OPENING, 2]], ["lip_tone", [3]], ["lips", [7]],
    ...windows, ["tone", [3]], ["grey", [1]],
    ["in_outline", [OPENING, 2]], ["in_soft", [1]], ["in_shown", [1]], ["in_shade", [1]], ["in_even", [2]],
    ["in_tongue", [1]], ["in_wide", [1]], ["in_matrix", [3, 3]], ["in_inverse", [2, 2]],
    ["in_lower", [3]], ["in_upper", [3]], ["in_middle", [3]], ["in_lower_row", [4]], ["in_upper_row", [4]],
    ["in_skin", [3]], ["in_white", [3]], ["in_most", [3]], ["in_grey", [1]], ["smile", [1]],
    ["room", [ROOM.terms]],
  ];
}

/** How far the mouth's corners are drawn as a smile draws them, see `rest_plate.smile_amount`. */
function smiling(face, way) {
  let [drawn, whole] = [0, 0];
  SMILE.corners.forEach((corner, i) => {
    for (let axis = 0; axis < 3; axis++) {
      const own = (point) => face[3 * point + axis] - MESH.reference[point][axis];
      drawn += (own(corner) - own(SMILE.nose)) * way[3 * i + axis];
      whole += way[3 * i + axis] ** 2;
    }
  });
  return drawn / whole;
}

/** The numbers of one portrait's frames. */
export class Moments {
  /** @param {{meta: object, array: (name: string) => {data: Float32Array}}} scene see `held.js` */
  constructor(scene) {
    const held = (this.held = new Held(scene));
    this.around = new Around(held);
    this.lips = new LipPlaces(held);
    this.windows = new WindowPlaces(held);
    this.mouth = new Mouth(held);
    this.lids = new Lids(held);
    this.all = new Numbers(shapes(this.around));
    this.shape = held.landmarks.map((value, i) => value - MESH.reference[Math.floor(i / 3)][i % 3]);
    this.inner = new Float32Array(3 * OPENING);
    const long = () => new Float32Array(3 * POINTS);
    this.driven = { keypoints: long(), mesh: long(), face: new Float32Array(210), outline: new Float32Array(3 * OPENING) };
  }

  /** Names and shapes of the numbers, in their order. */
  get shapes() {
    return this.all.shapes;
  }

  /** The portrait as it is, of which no network has to be asked. @returns {Moment} */
  resting() {
    const { landmarks, head } = this.held, pose = [...head.angles, ...head.translation, head.scale];
    return this.after(this.before({ landmarks, pose }), new Float32Array(3 * POINTS));
  }

  /** What the network is given of a motion. @param {Motion} motion @returns {Given} */
  before({ landmarks: wanted, pose }) {
    const { landmarks: own, told: { lids, rest_width: width, inside } } = this.held;
    const { face, closures } = driving(own, wanted, lids, width, inside.overgrown);
    return { motion: face.map((value, i) => value - own[i]), shape: this.shape, face, closures, head: Head.of(pose) };
  }

  /**
   * The numbers of a frame.
   * @param {Given} given of `before` @param {Float32Array} deltas [478 x 3], what the network made of it
   * @returns {Moment}
   */
  after({ face, closures, head }, deltas) {
    const [driven, out] = [Object.assign(this.driven, { closures, head }), this.all];
    const { keypoints, mesh } = driven;
    const own = this.held.array("canonical");
    for (let i = 0; i < keypoints.length; i++) keypoints[i] = own[i] + deltas[i];
    MESH.landmarks.forEach((vertex, i) => keypoints.set(face.subarray(3 * i, 3 * i + 3), 3 * vertex));
    landmarks(keypoints, driven.face);
    head.pixels(keypoints, mesh);
    head.pixels(opening(keypoints, this.inner), driven.outline);
    this.around.write(driven, out);
    const boxes = { lips: this.lips.write(driven, out), ...this.windows.write(driven, out), inside: this.mouth.write(driven, out) };
    out.number("smile")[0] = this.#smile(driven.face);
    change(this.held.told.room, this.held.head, head, out.number("room"));
    return { numbers: out.numbers, number: (name) => out.number(name), boxes, most: this.#most(out), ...this.lids.of(driven) };
  }

  /** How much of the portrait's smile is taken out of a frame, 0..1. */
  #smile(face) {
    const told = this.held.told.smile;
    if (!told) return 0;
    const gone = (told.smile - smiling(face, this.held.array("smile_way"))) / (told.smile - told.rest);
    const share = Math.min(Math.max(gone, 0), 1);
    const amount = share * share * (3 - 2 * share);
    return amount >= SMILE.fade ? amount : 0;
  }

  #most(out) {
    return {
      lip_soft: Math.ceil(4 * out.number("lips")[1]),
      in_soft: Math.ceil(4 * out.number("in_soft")[0]),
      in_shade: Math.floor((out.number("in_shade")[0] + 1) / 2) + 1,
      open: out.number("in_shown")[0] > 0 ? 1 : 0,
      smile: out.number("smile")[0] > 0 ? 1 : 0,
      room: out.number("room").some((value) => Math.abs(value) >= ROOM.faint) ? 1 : 0,
    };
  }
}
