// Whisper's log-mel spectrum of a window of sound that slides on: what was seen before is not worked out again.

import { Fourier } from "./fourier.js";
import { HOP, SAMPLE_RATE } from "./clocks.js";

const N_FFT = 400;
const MELS = 80;
const FLOOR = 1e-10;

const fourier = new Fourier(N_FFT);
const hann = Float64Array.from({ length: N_FFT }, (_, k) => 0.5 - 0.5 * Math.cos((2 * Math.PI * k) / N_FFT));

/** Slaney's bands with area normalisation: for each, its first bin and its weights. */
const bands = (() => {
  const knee = 15, step = Math.log(6.4) / 27, top = knee + Math.log(SAMPLE_RATE / 2 / 1000) / step;
  const hz = Array.from({ length: MELS + 2 }, (_, k) => {
    const mel = (top * k) / (MELS + 1);
    return mel < knee ? (mel * 1000) / knee : 1000 * Math.exp(step * (mel - knee));
  });
  return Array.from({ length: MELS }, (_, band) => {
    const [low, middle, high] = hz.slice(band, band + 3), weights = [];
    let first = 0;
    for (let bin = 0; bin <= N_FFT / 2; bin++) {
      const at = (bin * SAMPLE_RATE) / N_FFT;
      const weight = Math.max(0, Math.min((at - low) / (middle - low), (high - at) / (high - middle)));
      if (weight > 0 && !weights.length) first = bin;
      if (weight > 0) weights.push(Math.fround((weight * 2) / (high - low)));
    }
    return { first, weights };
  });
})();

/** log10 power of the bands of one frame, centred on a sample; the window's ends are mirrored. */
function logPower(window, centre) {
  const samples = new Float64Array(N_FFT), last = window.length - 1;
  for (let k = 0; k < N_FFT; k++) {
    let at = Math.abs(centre - N_FFT / 2 + k);
    if (at > last) at = 2 * last - at;
    samples[k] = window[at] * hann[k];
  }
  const power = fourier.power(samples);
  return Float64Array.from(bands, ({ first, weights }) => {
    let sum = 0;
    for (let k = 0; k < weights.length; k++) sum += power[first + k] * weights[k];
    return Math.log10(Math.max(sum, FLOOR));
  });
}

export class SlidingMel {
  /** @param {number} samples of a window @param {number} step samples from one window to the next */
  constructor(samples, step) {
    this.frames = Math.floor(samples / HOP);
    this.step = step / HOP;
    this.logs = [];
  }

  /**
   * The input of Whisper's encoder, of the next window.
   * @param {Float32Array} window [samples] at 16 kHz
   * @returns {Float32Array} [80, frames]
   */
  next(window) {
    const edge = Math.ceil(N_FFT / 2 / HOP), inner = (frame) => frame >= edge && (frame * HOP + N_FFT / 2) <= window.length;
    const logs = Array.from({ length: this.frames }, (_, frame) => {
      const before = frame + this.step;
      const known = this.logs.length && inner(frame) && before < this.frames && inner(before);
      return known ? this.logs[before] : logPower(window, frame * HOP);
    });
    this.logs = logs;
    const loudest = Math.max(...logs.map((log) => Math.max(...log)));
    const out = new Float32Array(MELS * this.frames);
    for (let frame = 0; frame < this.frames; frame++) {
      for (let band = 0; band < MELS; band++) {
        out[band * this.frames + frame] = (Math.max(logs[frame][band], loudest - 8) + 4) / 4;
      }
    }
    return out;
  }
}
