/** What a scene holds of its portrait for the numbers of a frame, of `moment_scene.held_numbers`. */

import { Head, landmarks } from "./space.js";

export class Held {
  /** @param {{meta: object, array: (name: string) => {data: Float32Array}}} scene */
  constructor(scene) {
    const told = scene.meta.numbers;
    if (!told) throw new Error("this scene holds no numbers. Make it anew with `speechhead scene`.");
    this.told = told;
    this.size = told.size;
    this.scene = scene;
    this.arrays = {};
    this.head = new Head(this.array("rotation"), this.array("translation"), told.scale);
    this.landmarks = landmarks(this.array("canonical"), new Float32Array(210));
  }

  /** @param {string} name @returns {Float32Array} */
  array(name) {
    return (this.arrays[name] ??= this.scene.array(`numbers.${name}`).data);
  }
}
