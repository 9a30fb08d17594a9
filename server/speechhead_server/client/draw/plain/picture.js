/**
 * A portrait's frames as plain numbers, where no graphics unit is: the same steps as `../picture.js`, each only where it
 * changes anything.
 */

import { Eyes } from "./eyes.js";
import { Flow } from "./flow.js";
import { Inside } from "./inside.js";
import { Lips } from "./lips.js";
import { Person, Room, Smile } from "./person.js";
import { Windows } from "./windows.js";

/** @typedef {{frame: Uint8ClampedArray, moves: Float32Array[]}} Sheet pixels [S, S, 4], and the flow that their person was read through */

export class PlainPicture {
  /** @param {import("../scene.js").Scene} scene */
  constructor(scene) {
    const { size, smile } = scene.meta;
    this.size = size;
    [this.flow, this.person, this.lips, this.windows] = [Flow, Person, Lips, Windows].map((Part) => new Part(scene));
    [this.inside, this.eyes, this.room] = [Inside, Eyes, Room].map((Part) => new Part(scene));
    this.smile = smile ? new Smile(scene) : null;
    scene.forget?.("person", "background", "lip_upper", "lip_lower", "places", "shades", "vertices");
  }

  /** What one frame is drawn on. @returns {Sheet} */
  sheet() {
    return { frame: new Uint8ClampedArray(4 * this.size * this.size), moves: this.flow.moves.map((map) => map.slice()) };
  }

  /**
   * The person and the lips, and what the window networks are shown of them.
   * @param {import("../moment.js").Moment} moment @param {Sheet} sheet
   * @returns {object} inputs of the networks by window
   */
  begun({ number, boxes }, { frame, moves }) {
    this.flow.draw(number);
    moves.forEach((map, axis) => map.set(this.flow.moves[axis]));
    this.person.draw(this.flow, frame);
    this.lips.draw(number, boxes.lips, frame);
    this.smile?.draw(number("smile")[0], this.flow, frame);
    return this.windows.seen(number, frame);
  }

  /** The rest of a frame. @param painted what the networks made, planes by window @param masks the mouth's, [2, h, w] */
  done(moment, { frame, moves }, painted, masks) {
    const { number, boxes } = moment;
    this.windows.draw(number, boxes, painted, masks, frame);
    this.inside.draw(number, boxes.inside, frame);
    this.eyes.draw(moment, frame);
    this.room.draw(number("room"), moves, frame);
  }
}
