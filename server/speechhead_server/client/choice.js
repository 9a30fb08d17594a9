/** Who draws: this device, by motion that the server sends or by sound alone, or the server. Measured, and said. */

export const MODES = ["motion", "sound", "video"];

const WARM = 4; // first frames, which also set everything up
const FIRST = 12; // frames that the choice is made by
const BUDGET = 60; // ms that a frame may take: two are drawn at once, so that there are 80
const WINDOW = 75; // frames that tell whether it falls behind
const LATE = 0.25; // part of them that may be late
const AGAIN = 60_000; // ms after which a device that fell behind may try again, doubled each time
const REFUSED = 30_000; // ms for which a server that had no room is not asked again

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Chooses a mode and changes it. `mode` is what holds now, `reason` says why in words. */
export class Choice {
  /**
   * @param {{offers: string[], able: {draw: boolean, hear: boolean}, forced?: string}} given
   * offers: what the server can give; able: what this device can do at all; forced: one mode, by a setting
   * @param {() => number} now ms
   */
  constructor({ offers, able, forced = "auto" }, now = () => performance.now()) {
    this.now = now;
    this.offers = offers;
    this.able = able;
    this.forced = MODES.includes(forced) ? forced : "auto";
    this.times = [];
    this.late = [];
    this.count = 0;
    this.waits = AGAIN;
    this.fellAt = null;
    this.refusedAt = -Infinity;
    this.#begin();
  }

  #possible(mode) {
    if (!this.offers.includes(mode)) return false;
    return mode === "video" || (this.able.draw && (mode === "motion" || this.able.hear));
  }

  #begin() {
    if (this.forced !== "auto") {
      const possible = this.#possible(this.forced);
      this.#set(possible ? this.forced : this.#fallback(this.forced), possible ? "a setting asks for it" : `${this.forced} is not possible here`);
    } else if (this.#possible("motion")) this.#set("motion", "this device is tried");
    else this.#set(this.#fallback("motion"), this.able.draw ? "the server offers nothing else" : "this browser can not draw");
  }

  #fallback(from) {
    return MODES.find((mode) => mode !== from && this.#possible(mode) && (mode === "video" || from !== "video")) ?? "video";
  }

  #set(mode, reason) {
    this.mode = mode;
    this.reason = reason;
    this.times = [];
    this.late = [];
    this.count = 0;
  }

  /**
   * A frame was drawn here. @param {number} ms it took @param {boolean} late it was shown after its time, or others were left out
   * @returns {boolean} whether the mode has changed
   */
  drew(ms, late = false) {
    if (this.mode === "video" || ++this.count <= WARM) return false;
    this.times.push(ms);
    this.late.push(late);
    if (this.times.length > WINDOW) {
      this.times.shift();
      this.late.shift();
    }
    const behind = this.late.filter(Boolean).length;
    if (this.count === WARM + FIRST && behind > LATE * FIRST) return this.#fall(`${behind} of ${FIRST} frames came too late here`);
    if (this.count === WARM + FIRST && median(this.times) > BUDGET) return this.#fall(`a frame takes ${Math.round(median(this.times))} ms here`);
    if (this.count === WARM + FIRST) this.reason = this.forced === "auto" && this.refusedAt === -Infinity ? `a frame takes ${Math.round(median(this.times))} ms here` : this.reason;
    if (this.late.length === WINDOW && behind > LATE * WINDOW) return this.#fall(`${behind} of ${WINDOW} frames came too late here`);
    return false;
  }

  /** Drawing failed for good, such as by a lost context or a scene that can not be loaded. */
  failed(why) {
    this.able = { ...this.able, draw: false };
    return this.mode !== "video" && this.#fall(why, true);
  }

  /** No motion comes in spite of being asked for. */
  starved() {
    if (this.mode !== "motion" || this.forced !== "auto") return false;
    if (this.#possible("sound")) {
      this.fellAt = this.now();
      this.#set("sound", "no motion comes through");
      return true;
    }
    return this.#fall("no motion comes through");
  }

  /** The server gives something else than what was asked for. */
  given(mode, error = "") {
    if (mode === this.mode) return false;
    if (error && this.mode === "video") this.refusedAt = this.now();
    this.#set(mode, error || "the server chose it");
    return true;
  }

  /** To be called now and then: whether motion that failed, or a device that fell behind, may be tried again, and is. */
  again() {
    if (this.forced !== "auto" || this.fellAt === null || !this.#possible("motion") || this.mode === "motion") return false;
    if (this.now() - this.fellAt < this.waits) return false;
    this.waits *= 2;
    this.fellAt = null;
    this.#set("motion", "motion is tried again");
    return true;
  }

  #fall(reason, always = false) {
    if (this.forced !== "auto" && !always) return false; // what a setting asks for stays, however slow
    if (!this.offers.includes("video")) return false;
    if (!always && this.now() - this.refusedAt < REFUSED) return false; // slow pictures are better than none
    this.fellAt = this.now();
    this.#set("video", reason);
    return true;
  }
}
