/** Keeps frames of motion until their time, in whatever order they come, and fills in those that never come. */

const KEPT = 25; // frames behind the one that is shown
const MOST = 500; // frames that are kept in all
const BRIDGED = 8; // frames in a row that are made up between two that came

/** Frames of motion by their numbers. */
export class MotionReceiver {
  constructor() {
    this.frames = new Map();
    this.epoch = null;
    this.start = 0; // the first frame of this epoch
    this.shown = -1;
    this.came = this.mended = this.held = this.refused = 0; // frames that came, were made up, stood still; packets too old
  }

  /** @param {MotionPacket} packet */
  push({ epoch, first, frames }) {
    const ahead = this.epoch === null ? 0 : (epoch - this.epoch) & 255;
    if (ahead >= 128) { // of before an interrupt: only what lies before that is still true
      this.refused++;
      frames = frames.slice(0, Math.max(0, this.start - first));
    } else if (this.epoch === null || ahead > 0) {
      this.epoch = epoch;
      this.start = first;
      for (const number of [...this.frames.keys()]) if (number >= first) this.frames.delete(number);
    } else if (first < this.start) {
      this.start = first; // packets of the new epoch that changed places
    }
    frames.forEach((codes, i) => {
      if (first + i < this.shown - KEPT || this.frames.has(first + i)) return;
      this.frames.set(first + i, codes);
      this.came++;
    });
    if (this.frames.size > MOST) for (const number of [...this.frames.keys()].sort((a, b) => a - b).slice(0, -MOST)) this.frames.delete(number);
  }

  /** The latest number that came; -1 at first. */
  get newest() {
    return Math.max(-1, ...this.frames.keys());
  }

  /**
   * Codes of a frame: its own, those between its neighbours, or those of the last one before; null before any came.
   * @param {number} number @returns {ArrayLike<number> | null}
   */
  at(number) {
    this.shown = Math.max(this.shown, number);
    for (const old of [...this.frames.keys()]) if (old < this.shown - KEPT) this.#drop(old);
    const own = this.frames.get(number);
    if (own) return own;
    const numbers = [...this.frames.keys()];
    const before = Math.max(...numbers.filter((other) => other < number));
    const after = Math.min(...numbers.filter((other) => other > number));
    if (Number.isFinite(before) && after - before <= BRIDGED) {
      this.mended++;
      const part = (number - before) / (after - before);
      const [one, other] = [this.frames.get(before), this.frames.get(after)];
      return Float64Array.from(one, (value, i) => value + part * (other[i] - value));
    }
    if (!numbers.length) return null;
    this.held++;
    return this.frames.get(Number.isFinite(before) ? before : after);
  }

  /** Forget a frame, but never the last one. */
  #drop(number) {
    if (this.frames.size > 1) this.frames.delete(number);
  }
}
