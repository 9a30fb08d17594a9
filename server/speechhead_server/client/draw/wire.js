/** Motion as it comes over the wire: packets of a few frames, each a face's codes, its eyes and its pose. See PROTOCOL.md. */

import { closeEyes, turnEyes } from "./eyes.js";

const VERSION = 1;
const HEADER = 8; // bytes
const LEAD = 0.004; // seconds of a step of the lead
const MOST_FRAMES = 8;
const WIDEST = 24; // bits of a number
const EYES = 7; // place of the eyes' numbers behind the basis' codes

/** Takes signed whole numbers in Exp-Golomb codes from bits, the highest of a byte first. */
class Bits {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  bit() {
    const byte = this.bytes[this.at >> 3];
    if (byte === undefined) throw new RangeError("the packet of motion ends too soon");
    return (byte >> (7 - (this.at++ & 7))) & 1;
  }

  take(order) {
    let width = order + 1;
    while (!this.bit()) if (++width > WIDEST) throw new RangeError("the packet of motion holds no number");
    let folded = 1;
    for (let i = 1; i < width; i++) folded = 2 * folded + this.bit();
    folded -= 2 ** order;
    return folded % 2 ? (folded + 1) / 2 : -folded / 2;
  }
}

/**
 * Frames of one packet.
 * @typedef {{epoch: number, first: number, lead: number, frames: Int32Array[]}} MotionPacket
 * lead: seconds from its leaving to the time of its first frame
 *
 * What a renderer draws.
 * @typedef {{landmarks: Float32Array, pose: number[], frame: number, gaze: number[], closure: number}} Motion
 * landmarks: [70 x 3] in normalised space; pose: yaw, pitch, roll in degrees, x, y, z and scale in pixels of the
 * portrait's picture
 */

/** Reads packets, and turns what they tell into faces. */
export class MotionWire {
  /** @param {object} basis the content of motion_basis.json */
  constructor(basis) {
    if (basis.format !== "speechhead-motion-basis" || basis.version !== 1) throw new Error("this basis of motion is not known");
    this.name = basis.name;
    this.whole = basis.whole;
    this.change = basis.change;
    this.count = basis.rows.length;
    this.steps = Object.values(basis.scalars);
    this.mean = Float64Array.from(basis.mean, (value) => value * basis.unit);
    this.rows = basis.rows.map((row) => Float64Array.from(row, (value) => value * basis.unit * basis.step));
  }

  /** @param {ArrayBuffer} data @returns {MotionPacket} @throws {RangeError} for what is no packet */
  unpack(data) {
    const view = new DataView(data);
    if (view.byteLength < HEADER || view.getUint8(0) !== VERSION) throw new RangeError("this is no packet of motion");
    const count = view.getUint8(2);
    if (count < 1 || count > MOST_FRAMES) throw new RangeError(`a packet of ${count} frames is none`);
    const bits = new Bits(new Uint8Array(data, HEADER));
    const frames = [];
    let before = new Int32Array(this.whole.length);
    for (let number = 0; number < count; number++) {
      const orders = number ? this.change : this.whole;
      frames.push((before = before.map((value, i) => value + bits.take(orders[i]))));
    }
    return { epoch: view.getUint8(1), first: view.getUint32(4, true), lead: view.getUint8(3) * LEAD, frames };
  }

  /**
   * The face and the pose of a frame.
   * @param {ArrayLike<number>} codes of the frame; between two frames, of both mixed
   * @param {Float32Array} rest [70 x 3], the portrait's face at rest
   * @param {number[]} base yaw, pitch, roll, x, y, z, scale of the portrait
   */
  motion(codes, rest, base, frame = 0) {
    const landmarks = new Float32Array(210);
    for (let i = 0; i < 210; i++) {
      let moved = this.mean[i];
      for (let k = 0; k < this.count; k++) moved += codes[k] * this.rows[k][i];
      landmarks[i] = rest[i] + moved;
    }
    const said = this.steps.map((step, i) => step * codes[this.count + i]);
    const [across, down, closure] = said.slice(EYES);
    turnEyes(landmarks, across, down);
    closeEyes(landmarks, closure);
    const scale = base[6];
    const place = [3, 4, 5].map((i) => base[i] + scale * said[i]);
    const pose = [base[0] + said[0], base[1] + said[1], base[2] + said[2], ...place, scale * Math.exp(said[6])];
    return { landmarks, pose, frame, gaze: [across, down], closure };
  }
}
