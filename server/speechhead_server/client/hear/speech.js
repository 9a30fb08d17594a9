// Speech to landmark motion: windows of sound through Whisper's encoder and a recurrent network, then smoothed.

import { BLOCK } from "./clocks.js";
import { SlidingMel } from "./mel.js";
import { mix } from "./motion.js";

const POSITION = 320; // samples of a feature's position

/** What weights/speech2landmarks.json says. */
export class SpeechConfig {
  constructor({ encoder, window, channels, width, smooth }) {
    if (encoder !== "whisper") throw new Error(`the encoder '${encoder}' does not run here. Use weights made with whisper.`);
    const samples = (milliseconds) => (milliseconds * BLOCK) / 40;
    Object.assign(this, { block: window.block, channels, width, smooth });
    this.step = window.block * BLOCK;
    this.left = samples(window.left);
    this.right = samples(window.right);
    this.window = this.left + this.step + this.right;
    this.rows = window.block + Math.trunc(window.right / 40);
    this.first = this.left / POSITION;
  }

  /** Video frames of sound after a frame's own that must be there before it is ready, at most. */
  get lookahead() {
    return this.block + Math.ceil(this.right / BLOCK) + 1;
  }
}

/** A filter of three frames: one comes out when its successor is there. */
export class Smoothing {
  constructor(weights) {
    this.weights = weights.map(Math.fround);
    this.before = this.waiting = null;
  }

  /** @param {Float32Array} frame @returns {Float32Array[]} none or one */
  push(frame) {
    const { before, waiting } = this;
    [this.before, this.waiting] = [waiting ?? frame, frame];
    return waiting ? [this.#mixed(before, waiting, frame)] : [];
  }

  /** The last frame, which stays where it is. */
  flush() {
    const { before, waiting } = this;
    this.before = this.waiting = null;
    return waiting ? [this.#mixed(before, waiting, waiting)] : [];
  }

  #mixed(before, here, after) {
    const [a, b, c] = this.weights;
    return here.map((value, k) => a * before[k] + b * value + c * after[k]);
  }
}

/** Motion of one speaker as the sound arrives, one block [640] at a time. */
export class SpeechStream {
  /**
   * @param networks with run(name, inputs), see ../draw/networks.js
   * @param {SpeechConfig} config
   * @param {Float32Array} neutral [210], the speaker's face at rest
   * @param {object} emotion intensity 0..1 by name
   */
  constructor(networks, config, neutral, emotion = {}) {
    [this.networks, this.config, this.neutral] = [networks, config, neutral];
    this.emotion = Float32Array.from(mix(emotion));
    this.mel = new SlidingMel(config.window, config.step);
    this.pending = new Float32Array(config.left);
    this.state = new Float32Array(config.width);
    this.smoothing = new Smoothing(config.smooth);
    this.heard = this.made = this.windows = 0;
  }

  /** Speak with another emotion from the next step of the network on. */
  feel(emotion) {
    this.emotion = Float32Array.from(mix(emotion));
  }

  /** @param {Float32Array} samples at 16 kHz @returns {Promise<Float32Array[]>} displacements [210] that are ready */
  async push(samples) {
    this.heard += samples.length;
    const ready = await this.#run(samples);
    this.made += ready.length;
    return ready;
  }

  /** The last frames, silence following the sound. */
  async flush() {
    const { config } = this, due = Math.ceil(this.heard / BLOCK) - this.made, ready = [];
    while (this.windows < Math.ceil(this.heard / config.step)) {
      ready.push(...(await this.#run(new Float32Array(Math.max(0, config.window - this.pending.length)))));
    }
    return [...ready, ...this.smoothing.flush()].slice(0, due);
  }

  async #run(samples) {
    const { config } = this, ready = [];
    const joined = new Float32Array(this.pending.length + samples.length);
    joined.set(this.pending);
    joined.set(samples, this.pending.length);
    this.pending = joined;
    while (this.pending.length >= config.window) {
      for (const frame of await this.#step(this.pending.subarray(0, config.window))) ready.push(...this.smoothing.push(frame));
      this.pending = this.pending.slice(config.step);
      this.windows += 1;
    }
    return ready;
  }

  /** Displacements of one window's block. */
  async #step(window) {
    const { config, networks } = this, frames = this.mel.frames;
    const heard = await networks.run("whisper_encoder", { mel: { data: this.mel.next(window), dims: [1, 80, frames] } });
    const told = await networks.run("speech2landmarks", {
      features: { data: this.#features(heard.features), dims: [1, config.rows, config.channels] },
      emotion: { data: this.emotion.slice(), dims: [1, 7] },
      neutral: { data: this.neutral.slice(), dims: [1, 70, 3] },
      state: { data: this.state, dims: [1, 1, config.width] },
    });
    this.state = told.next_state.data;
    return Array.from({ length: config.block }, (_, k) => told.motion.data.slice(210 * k, 210 * (k + 1)));
  }

  /** The block's rows of an encoder's positions, of all or of those alone; two positions are one frame. */
  #features({ data }) {
    const { config } = this, count = config.rows * config.channels;
    const first = data.length === count ? 0 : config.first * (config.channels / 2);
    return data.slice(first, first + count);
  }
}
