/**
 * A portrait's frames as WebGL2 draws them: the browser's form of `compact.device.picture`, from a scene and the numbers of
 * a moment. What networks paint is given between the two halves of a frame.
 */

import { Eyes } from "./paint/eyes.js";
import { Flow } from "./paint/flow.js";
import { Inside } from "./paint/inside.js";
import { Lips } from "./paint/lips.js";
import { Room } from "./paint/room.js";
import { Windows } from "./paint/windows.js";

export class Picture {
  /** @param {import("./gl.js").Gl} gl @param {import("./scene.js").Scene} scene */
  constructor(gl, scene) {
    this.gl = gl;
    this.flow = new Flow(gl, scene);
    this.lips = new Lips(gl, scene);
    this.windows = new Windows(gl, scene);
    this.inside = new Inside(gl, scene);
    this.eyes = new Eyes(gl, scene);
    this.room = new Room(gl, scene);
    [this.frame, this.other] = [0, 1].map(() => gl.target(scene.meta.size, scene.meta.size, "rgba8"));
  }

  /**
   * The person and the lips, and what the window networks are shown of them.
   * @param {import("./moment.js").Moment} moment
   * @returns {Promise<object|null>} inputs of the networks by window; null where the context is lost
   */
  async begun({ number, boxes }) {
    this.gl.begin();
    this.flow.draw(number, this.frame);
    this.lips.draw(number, boxes.lips, this.frame);
    this.flow.rest(number("smile")[0], this.frame);
    return this.windows.seen(number, this.frame);
  }

  /** The rest of a frame. @param painted what the networks made, planes by window @param shapes the mouth's masks */
  done(moment, painted, shapes) {
    const { number, boxes } = moment;
    this.windows.draw(number, boxes, painted, shapes, this.frame);
    this.inside.draw(number, boxes.inside, this.frame);
    this.eyes.draw(moment, this.frame);
    this.light(number("room"));
  }

  /** Light all that is drawn as the room does. */
  light(room) {
    if (this.room.draw(room, this.flow.flow, this.frame, this.other)) [this.frame, this.other] = [this.other, this.frame];
  }
}
