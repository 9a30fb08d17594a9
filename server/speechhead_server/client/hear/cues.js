// What of the sound a living face answers to, frame by frame: level, stress, melody and pauses.

import { FPS, LowPass, clip } from "./clocks.js";

const STRESS_LIMIT = 12, STRESS_DB = 6; // dB
const SEMITONES = 3, PITCH_LIMIT = 6;
const RUNNING = 2 * FPS, LONG = 2 * FPS; // frames

export class Cues {
  constructor() {
    this.level = new LowPass(0.25, 0);
    this.quick = new LowPass(0.12, 0, 2);
    this.slow = new LowPass(0.45, 0, 2);
    this.melody = new LowPass(0.2, 0, 2);
    this.energy = this.pitch = null;
    this.speech = 0;
    this.silence = LONG;
    this.stress = 0;
  }

  /** Speaking, stress, onset, melody, and the time since speech began and ended, of the next frame's sound. */
  step({ energy, pitch, active }) {
    [this.speech, this.silence] = active ? [this.speech + 1, 0] : [0, this.silence + 1];
    const level = this.level.step(Number(active));
    this.stress = level * this.#above(energy, level);
    const quick = this.quick.step(this.stress / STRESS_DB);
    const onset = quick - this.slow.step(this.stress / STRESS_DB);
    const since = (frames) => Math.min(frames / LONG, 1);
    return [level, quick, 2 * onset, this.melody.step(this.#high(pitch)), since(this.speech), since(this.silence)];
  }

  #above(energy, level) {
    if (level < 0.05) {
      this.energy = null;
      return 0;
    }
    this.energy ??= energy;
    this.energy += (energy - this.energy) / RUNNING;
    return clip(energy - this.energy, -STRESS_LIMIT, STRESS_LIMIT);
  }

  #high(pitch) {
    if (pitch <= 0) return 0;
    const tone = 12 * Math.log2(pitch);
    this.pitch ??= tone;
    this.pitch += (tone - this.pitch) / RUNNING;
    return clip(tone - this.pitch, -PITCH_LIMIT, PITCH_LIMIT) / SEMITONES;
  }
}
