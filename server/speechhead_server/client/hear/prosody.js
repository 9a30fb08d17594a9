// How something is said: energy, pitch and speech activity of every video frame, without look-ahead.

import { BLOCK, FPS, SAMPLE_RATE, clip } from "./clocks.js";
import { Fourier } from "./fourier.js";

const SILENCE = -100;
const ONSET = 10, OFFSET = 6; // dB above the background: hysteresis of speech activity
const ALWAYS_SILENT = -60;
const HANGOVER = Math.round(0.24 * FPS);
const RISE = 1 / FPS, RISE_UNVOICED = 20 / FPS; // dB a frame by which the background follows
const BREATH = Math.round(0.4 * FPS), BREATH_DB = 18;
const VOICING = 0.55;
const SPAN = 2 * BLOCK;
const FIRST = Math.trunc(SAMPLE_RATE / 400), LAST = Math.trunc(SAMPLE_RATE / 60); // lags of 400 to 60 Hz

const fourier = new Fourier(2048);

/** Prosody of a stream, one block of sound at a time. */
export class Prosody {
  constructor() {
    this.before = new Float64Array(BLOCK);
    this.background = null;
    this.level = SILENCE;
    this.unvoiced = this.quiet = FPS;
    this.active = false;
  }

  /**
   * The next block [640] of sound at 16 kHz.
   * @returns {{energy: number, pitch: number, active: boolean}} dB, Hz (0 where there is none), and whether somebody speaks
   */
  step(block) {
    let power = 0;
    for (let k = 0; k < BLOCK; k++) power += block[k] * block[k];
    const energy = Math.max(SILENCE, 10 * Math.log10(power / BLOCK + 1e-20));
    const span = new Float64Array(SPAN);
    span.set(this.before);
    span.set(block, BLOCK);
    if (this.background === null) {
      const tone = energy > ALWAYS_SILENT && pitchOf(span) > 0;
      this.background = tone ? ALWAYS_SILENT : clip(energy, -65, -40);
    }
    const loud = energy - this.background;
    let audible = energy > ALWAYS_SILENT && loud > OFFSET;
    const pitch = audible ? pitchOf(span) : 0;
    this.before = Float64Array.from(block);
    this.unvoiced = pitch ? 0 : this.unvoiced + 1;
    this.level = Math.max(this.level - 3 / FPS, pitch ? energy : SILENCE);
    if (this.unvoiced > BREATH && energy < this.level - BREATH_DB) audible = false;
    if (audible && (this.active || loud > ONSET)) {
      this.active = true;
      this.quiet = 0;
    } else {
      this.quiet += 1;
      this.active = this.active && this.quiet <= HANGOVER;
    }
    const rise = this.unvoiced > FPS * 0.6 ? RISE_UNVOICED : RISE;
    this.background = clip(Math.min(energy, this.background + rise), -65, -20);
    return { energy: Math.fround(energy), pitch: Math.fround(pitch), active: this.active };
  }
}

/** Fundamental of [1280] samples in Hz, or 0: the first strong peak of the normalised autocorrelation. */
function pitchOf(span) {
  const mean = span.reduce((sum, value) => sum + value, 0) / SPAN;
  const window = span.map((value) => value - mean), squares = new Float64Array(SPAN + 1);
  for (let k = 0; k < SPAN; k++) squares[k + 1] = squares[k] + window[k] * window[k];
  const raw = fourier.evenInverse(fourier.power(window));
  const strength = (lag) =>
    raw[lag] / (Math.sqrt(squares[SPAN - lag] * (squares[SPAN] - squares[lag])) + 1e-12);
  const strengths = Array.from({ length: LAST - FIRST + 3 }, (_, k) => strength(FIRST - 1 + k));
  const peaks = [];
  for (let k = 1; k < strengths.length - 1; k++) {
    const here = strengths[k];
    if (here >= strengths[k - 1] && here > strengths[k + 1] && here > VOICING) peaks.push(k);
  }
  if (!peaks.length) return 0;
  const highest = Math.max(...peaks.map((k) => strengths[k]));
  const best = peaks.find((k) => strengths[k] > 0.88 * highest);
  const [left, top, right] = strengths.slice(best - 1, best + 2), curve = left - 2 * top + right;
  return SAMPLE_RATE / (FIRST - 1 + best + (curve < 0 ? (0.5 * (left - right)) / curve : 0));
}
