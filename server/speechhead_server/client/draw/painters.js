/**
 * The networks that paint a portrait's windows. Each is given once what stays with the portrait, and asked anew only
 * where what it sees has changed.
 */

import { WINDOWS } from "./tables.js";

const FILES = { mouth: "compact_mouth", eyes: "compact_eyes" };

/** What a network would answer that paints nothing. */
export const UNPAINTED = Object.fromEntries(Object.entries(WINDOWS).map(([name, { width, height }]) => [name, new Float32Array(4 * width * height)]));

/** Names of the networks. */
export const PAINTERS = Object.values(FILES);

// Within these the eyes of the last time serve again: motion in outer eye distances, the picture in levels of 255.
// What is painted then is 68 dB from what would be.
const SAME = { motion: 0.02, seen: 2 };

const PORTRAIT = ["source", "source_shapes", "quarter", "eighth"];

/** @typedef {{data: Float32Array, dims: number[]}} Tensor */

/** Numbers as a network takes them. @returns {Tensor} */
export const line = (data) => ({ data, dims: [1, data.length] });

/** What the networks are given of a portrait itself, by window. @param {import("./scene.js").Scene} scene */
export function still(scene) {
  const tensor = (name) => {
    const { shape, data } = scene.array(name);
    return [name, { data, dims: [1, ...shape] }];
  };
  return Object.fromEntries(Object.keys(FILES).map((window) => [window, Object.fromEntries(PORTRAIT.map((part) => tensor(`${window}_${part}`)))]));
}

export class Painters {
  #networks; #still; #eyes = null;

  /** @param {{run: Function, hold: Function, holder?: object}} networks @param {Record<string, Record<string, Tensor>>} still by window, what stays */
  constructor(networks, still) {
    this.#networks = networks;
    this.#still = still;
  }

  /**
   * What the networks paint, planes [4, h, w] by window.
   * @param {Record<string, Tensor>} inputs of `paint/windows.js`'s `seen`
   */
  async painted(inputs) {
    const networks = this.#networks, other = networks.holder !== this; // they may have drawn another portrait
    networks.holder = this;
    const held = other ? Object.entries(FILES).map(([name, file]) => networks.hold(file, this.#still[name])) : [];
    const same = this.#eyes && unchanged(this.#eyes.inputs, inputs), asked = this.#run("mouth", inputs);
    if (!same) this.#eyes = { painted: this.#run("eyes", inputs), inputs };
    const [mouth, eyes] = await Promise.all([asked, this.#eyes.painted, ...held]);
    return { mouth, eyes };
  }

  async #run(name, inputs) {
    const own = Object.fromEntries(Object.entries(inputs).filter(([key]) => key.startsWith(name)));
    return (await this.#networks.run(FILES[name], own))[name].data;
  }
}

/** Whether eyes that were painted of one picture may be laid over another. */
export function unchanged(before, now) {
  const [one, other] = [before.eyes_motion.data, now.eyes_motion.data];
  for (let k = 0; k < one.length; k++) if (Math.abs(one[k] - other[k]) > SAME.motion) return false;
  const [was, is] = [before.eyes_warped.data, now.eyes_warped.data];
  let sum = 0;
  for (let k = 0; k < was.length; k++) sum += Math.abs(was[k] - is[k]);
  return 255 * sum < SAME.seen * was.length;
}
