// Hears sound and gives the motions of a portrait that says it: what a session of the server does, without a server.

import { BLOCK } from "./clocks.js";
import { Bank } from "./life.js";
import { Motion } from "./motion.js";
import { readNpz } from "./npz.js";
import { SpeechConfig, SpeechStream } from "./speech.js";

const TAIL = 30; // blocks of silence that are still listened to after speech
const QUIET = 2e-4; // a block whose loudest sample is below counts as silence: what a decoder leaves of it

/** The networks that hearing runs, for `Networks.open`. */
export const NETWORKS = ["whisper_encoder", "speech2landmarks"];

export class Hearing {
  /**
   * @param {object} parts
   * @param parts.networks with run(name, inputs)
   * @param {string} parts.base address of the weights, ending in "/"
   * @param {import("./motion.js").Face} parts.face the portrait, see `faceOf`
   * @param {object} [parts.controls]
   */
  static async open({ networks, base, face, controls = {} }) {
    const load = async (name) => {
      const answer = await fetch(new URL(name, new URL(base, globalThis.location?.href)));
      if (!answer.ok) throw new Error(`${name}: not there (${answer.status}). Lay it beside the other weights.`);
      return answer;
    };
    const [life, config] = await Promise.all([
      load("life.npz").then((answer) => answer.arrayBuffer()).then(readNpz),
      load("speech2landmarks.json").then((answer) => answer.json()),
    ]);
    return new Hearing(networks, new SpeechConfig(config), face, new Bank(life), controls);
  }

  constructor(networks, config, face, bank, controls) {
    [this.networks, this.config, this.face] = [networks, config, face];
    this.motion = new Motion(face, bank, controls);
    this.ready = [];
    this.pending = new Float32Array(0);
    this.waiting = []; // blocks whose motion is still to come
    this.stream = null; // of the speech network, while it listens
    this.silent = 0; // blocks of silence in a row, up to the last one
    this.work = Promise.resolve();
  }

  /** Seconds by which motion is behind its sound at most: as long is the sound held back that the viewer hears. */
  get delay() {
    return (this.config.lookahead * BLOCK) / 16000;
  }

  /**
   * Hear samples at 16 kHz, silence too: a face lives on in it. Calls are worked off in their order.
   * @param {Float32Array} samples any number
   */
  push(samples) {
    return this.#then(async () => {
      const joined = new Float32Array(this.pending.length + samples.length);
      joined.set(this.pending);
      joined.set(samples, this.pending.length);
      let at = 0;
      for (; at + BLOCK <= joined.length; at += BLOCK) await this.#hear(joined.slice(at, at + BLOCK));
      this.pending = joined.slice(at);
    });
  }

  /** The last frames, as if silence followed. */
  flush() {
    return this.#then(async () => {
      if (this.pending.length) {
        const block = new Float32Array(BLOCK);
        block.set(this.pending);
        this.pending = new Float32Array(0);
        await this.#hear(block);
      }
      if (!this.stream) return;
      this.#move(await this.stream.flush());
      this.stream = null;
    });
  }

  /** Forget what was not given out yet; the mouth comes to rest. */
  interrupt(frames = 4) {
    return this.#then(async () => {
      [this.ready, this.waiting, this.stream, this.silent] = [[], [], null, 0];
      this.pending = new Float32Array(0);
      this.motion.resetSpeech(frames);
    });
  }

  /** Change controls from the next frame on, the emotion of the speech too. */
  update(changes) {
    return this.#then(async () => {
      this.motion.update(changes);
      if (changes.emotion) this.stream?.feel(changes.emotion);
    });
  }

  /** Turn the head to [yaw, pitch, roll] in degrees for a second. */
  steer(angles) {
    this.motion.steer(angles);
  }

  /** @returns the motions that became ready since the last time, in their order, see `Motion.step` */
  frames() {
    return this.ready.splice(0);
  }

  #then(task) {
    const done = this.work.then(task);
    this.work = done.catch(() => {});
    return done;
  }

  async #hear(block) {
    const quiet = block.every((value) => Math.abs(value) < QUIET);
    this.silent = quiet ? this.silent + 1 : 0;
    if (quiet && !this.stream) {
      this.ready.push(this.motion.step(new Float32Array(210), block));
      return;
    }
    this.stream ??= new SpeechStream(this.networks, this.config, this.face.rest, this.motion.controls.emotion);
    this.waiting.push(block);
    this.#move(await this.stream.push(block));
  }

  /** Frames whose speech motion is there; after a long silence the network is no longer asked. */
  #move(displacements) {
    for (const displacement of displacements) {
      this.ready.push(this.motion.step(displacement, this.waiting.shift()));
      if (!this.stream || this.silent < this.waiting.length + TAIL) continue;
      this.stream = null;
      this.motion.resetSpeech();
      for (const block of this.waiting.splice(0)) this.ready.push(this.motion.step(new Float32Array(210), block));
      return;
    }
  }
}

/**
 * What hearing needs of a portrait, from its scene (see ../draw/scene.js).
 * @returns {import("./motion.js").Face}
 */
export function faceOf(scene) {
  const data = (name) => Float32Array.from(scene.array(name).data);
  const [pose, rest] = [data("pose"), data("rest")];
  return { rest, emotions: data("emotions"), pose: { rotation: pose.slice(0, 9), translation: pose.slice(9, 12), scale: pose[12] } };
}
