// The ear in a page: sound of any kind goes in, a portrait's motion comes out, in time with what is heard.

import { FPS, minimumJerk } from "./clocks.js";
import { Resampler } from "./resample.js";

const SPARE = 0.16; // seconds beyond the look-ahead in which the networks answer and the picture is drawn

const LATE = 0.15; // seconds for which sound of before an interrupt may still come in
const CLOSES = 0.16; // seconds in which the mouth closes then

/**
 * Lets a `Hearing` hear what is played in a page, and says which motion belongs to what sounds now. Sound is held back
 * by the time that hearing takes. Until `start`, and where nothing sounds, the portrait is alive.
 */
export class Ear {
  /** @param {import("./hearing.js").Hearing} hearing */
  constructor(hearing) {
    this.hearing = hearing;
    this.context = this.input = this.output = null;
    this.motions = [];
    this.heard = 0; // video frames of sound that were given to hearing
    this.begins = null; // context time and frame at which the tap began
    this.failed = null;
    this.quiet = this.loud = false; // whether it is muted; whether its sound goes out
    this.cut = null; // context time of an interrupt whose sound is still held back
    this.idle = setInterval(() => globalThis.document?.hidden || this.#live(), 1000 / FPS);
    /** When there is a first motion. */
    this.ready = this.#live();
  }

  /** Seconds by which sound is held back. */
  get delay() {
    return this.hearing.delay + SPARE;
  }

  /** Begin to hear, after a click: browsers give no sound before, and the portrait lives without it. @param {AudioContext} context */
  async start(context) {
    await context.audioWorklet.addModule(new URL("./tap.js", import.meta.url));
    this.context = context;
    this.input = new AudioWorkletNode(context, "speechhead-tap", { numberOfOutputs: 0 });
    this.output = new DelayNode(context, { delayTime: this.delay, maxDelayTime: this.delay + 1 });
    this.#sound();
    this.resampler = new Resampler(context.sampleRate);
    this.input.port.onmessage = ({ data }) => this.#hear(data);
    context.resume().catch(() => {});
  }

  /** Whether the viewer hears what is listened to. */
  mute(quiet) {
    this.quiet = quiet;
    this.#sound();
  }

  /** What sounded is at an end: what is held back of it is not heard, and the mouth closes at once. */
  interrupt() {
    if (!this.begins) return;
    clearTimeout(this.mends);
    this.cut = this.context.currentTime;
    this.#sound();
    this.mends = setTimeout(() => {
      this.cut = null;
      this.#sound();
    }, 1000 * (this.delay + LATE));
  }

  /** Hear a node of the same context. @param {AudioNode} node @param {boolean} loud whether the viewer hears it too */
  listen(node, loud = true) {
    node.connect(this.input);
    if (loud) node.connect(this.output);
  }

  /** The newest motion that is due now, or in `ahead` seconds; null if there is no newer one than the last time. */
  due(ahead = 0) {
    this.motions.push(...this.hearing.frames());
    if (!this.begins) return this.motions.splice(0).at(-1) ?? null;
    const late = this.context.outputLatency || this.context.baseLatency || 0;
    const now = (this.context.currentTime + ahead - late - this.delay - this.begins.time) * FPS + this.begins.frame;
    let found = null;
    while (this.motions.length && this.motions[0].frame <= now) found = this.motions.shift();
    return found && this.cut !== null ? this.#closing(found) : found;
  }

  /** End: no timer and no sound stays. */
  close() {
    clearInterval(this.idle);
    clearTimeout(this.mends);
    this.input?.disconnect();
    this.output?.disconnect();
    if (this.input) this.input.port.onmessage = null;
  }

  #sound() {
    const loud = !this.quiet && this.cut === null;
    if (loud === this.loud) return;
    this.loud = loud;
    if (loud) this.output.connect(this.context.destination);
    else this.output.disconnect(this.context.destination);
  }

  /** A motion of before an interrupt, more and more without its speech. */
  #closing(motion) {
    const since = this.context.currentTime - this.cut, left = this.delay + LATE - since;
    const share = minimumJerk(Math.min(since, left) / CLOSES);
    return { ...motion, landmarks: motion.landmarks.map((value, k) => value - share * motion.spoken[k]) };
  }

  #hear({ began, samples }) {
    if (!this.begins) {
      clearInterval(this.idle);
      this.begins = { time: began, frame: this.heard };
    }
    this.#give(this.resampler.push(samples));
  }

  /** Silence, for as long as there is no clock of sound. */
  #live() {
    if (this.begins) return;
    this.heard += 1;
    return this.#give(new Float32Array(640));
  }

  #give(samples) {
    return this.hearing.push(samples).catch((error) => {
      this.failed ??= error;
    });
  }
}
