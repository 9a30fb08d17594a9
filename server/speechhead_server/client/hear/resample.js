// Sound of any rate at 16 kHz, as a stream: libswresample's polyphase filter, a sinc under a Kaiser window.

import { SAMPLE_RATE } from "./clocks.js";

const TAPS = 32, BETA = 9, CUTOFF = 0.97;

/** Conversion of a mono stream; any chunking gives the samples of the whole, ceil(n * to / from) of them. */
export class Resampler {
  constructor(from, to = SAMPLE_RATE) {
    const shared = divisor(from, to);
    [this.from, this.to] = [from / shared, to / shared];
    const factor = Math.min((to / from) * CUTOFF, 1);
    this.taps = 8 * Math.ceil(Math.ceil(TAPS / factor) / 8);
    this.filters = Array.from({ length: this.to }, (_, phase) => filter(phase / this.to, factor, this.taps));
    this.before = Math.trunc((this.taps - 1) / 2);
    this.restart();
  }

  restart() {
    this.held = new Float32Array(this.before);
    this.start = -this.before; // place of held[0] in the stream
    this.count = this.made = 0;
  }

  /** @param {Float32Array} samples @returns {Float32Array} the samples that are ready */
  push(samples) {
    if (this.from === this.to) return samples.slice();
    const joined = new Float32Array(this.held.length + samples.length);
    joined.set(this.held);
    joined.set(samples, this.held.length);
    this.count += samples.length;
    return this.#ready(joined, Infinity);
  }

  /** The samples still inside the filter; the stream then starts anew. */
  flush() {
    if (this.from === this.to) return new Float32Array(0);
    const due = Math.ceil((this.count * this.to) / this.from) - this.made;
    const joined = new Float32Array(this.held.length + this.taps);
    joined.set(this.held);
    const rest = this.#ready(joined, due);
    this.restart();
    return rest;
  }

  #ready(joined, most) {
    const out = [];
    while (out.length < most) {
      const place = this.made * this.from, first = Math.floor(place / this.to) - this.before - this.start;
      if (first + this.taps > joined.length) break;
      const weights = this.filters[place % this.to];
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) sum += weights[tap] * joined[first + tap];
      out.push(sum);
      this.made += 1;
    }
    const used = Math.floor((this.made * this.from) / this.to) - this.before - this.start;
    this.held = joined.slice(used);
    this.start += used;
    return Float32Array.from(out);
  }
}

function filter(phase, factor, taps) {
  const weights = new Float64Array(taps), centre = Math.trunc((taps - 1) / 2);
  let sum = 0;
  for (let tap = 0; tap < taps; tap++) {
    const x = Math.PI * (tap - centre - phase) * factor, w = (2 * x) / (factor * taps * Math.PI);
    weights[tap] = (x === 0 ? 1 : Math.sin(x) / x) * bessel(BETA * Math.sqrt(Math.max(1 - w * w, 0)));
    sum += weights[tap];
  }
  return weights.map((weight) => weight / sum);
}

/** Modified Bessel function of the first kind, order 0. */
function bessel(x) {
  let sum = 1, term = 1;
  for (let k = 1; term > 1e-16 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);
