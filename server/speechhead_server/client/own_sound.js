/** Moves a portrait by the sound of a stream, which is heard as much later as the lips need to know what comes. */

import { faceOf, Hearing, NETWORKS } from "./hear/hearing.js";
import { Resampler } from "./hear/resample.js";

const FRAME = 0.04; // seconds
const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([[channel]]) {
    if (channel) this.port.postMessage([currentTime, channel.slice()]);
    return true;
  }
});`;

export class OwnSound {
  /** @param {{stream: MediaStream, scene: object, base: string, controls: object}} given */
  static async open({ stream, scene, base, controls }) {
    const { Networks } = await import("./draw/networks.js");
    const networks = await Networks.open({ base, names: NETWORKS });
    const weights = new URL("weights/", base).href;
    const hearing = await Hearing.open({ networks, base: weights, face: faceOf(scene), controls });
    const context = new AudioContext();
    const module = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
    await context.audioWorklet.addModule(module);
    URL.revokeObjectURL(module);
    return new OwnSound(stream, hearing, networks, context);
  }

  constructor(stream, hearing, networks, context) {
    this.hearing = hearing;
    this.networks = networks;
    this.context = context;
    this.resampler = new Resampler(context.sampleRate);
    this.began = null; // time of the first sample
    this.moved = []; // motions that wait for their time
    this.count = 0;
    this.tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    this.tap.port.onmessage = ({ data: [time, samples] }) => this.#hear(time, samples);
    const source = context.createMediaStreamSource(stream);
    const delay = context.createDelay(2);
    delay.delayTime.value = this.delay;
    source.connect(this.tap);
    source.connect(delay).connect(context.destination);
  }

  /** Seconds by which sound is held back: the network's look-ahead, and the time that it takes itself. */
  get delay() {
    return this.hearing.delay + 0.12;
  }

  update(controls) {
    this.hearing.update(controls);
  }

  async #hear(time, samples) {
    this.began ??= time;
    await this.hearing.push(this.resampler.push(samples));
    for (const motion of this.hearing.frames()) this.moved.push([this.count++, motion]);
  }

  /** The motion whose sound is heard now, or null. */
  motion() {
    if (this.began === null) return null;
    const heard = this.context.currentTime - this.began - this.delay - (this.context.outputLatency || 0);
    const due = Math.floor(heard / FRAME);
    while (this.moved.length > 1 && this.moved[1][0] <= due) this.moved.shift();
    if (!this.moved.length || this.moved[0][0] > due) return null;
    return { ...this.moved[0][1], frame: this.moved[0][0] };
  }

  close() {
    this.tap.port.onmessage = null;
    this.context.close();
    this.networks.close?.();
  }
}
